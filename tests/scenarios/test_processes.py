"""Manager, worker, health, control: who they are, what they survive."""

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest

from support.edge import ROLES, WEIR, Edge, eventually, free_port, proc_status

CONFIG = """
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{path: /, respond: "one"}}
"""
SECOND = CONFIG.replace('"one"', '"two"')
BROKEN = CONFIG.replace("respond:", "repsond:")
MORE = """
sites:
  - listen: ["127.0.0.1:{port}", "127.0.0.1:{port2}"]
    routes:
      - {{path: /, respond: "three"}}
"""

root_only = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def get(port, seconds=5):
    """The body of the answer, by hand: each on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := s.recv(65536):
            data += piece
    return data.split(b"\r\n\r\n", 1)[1].decode()


def try_get(port):
    try:
        return get(port)
    except (OSError, IndexError):
        return None


# ---- rights ----


@root_only
def test_root_is_given_up():
    with Edge(CONFIG) as edge:
        assert proc_status(edge.pid)["Uid"].split()[0] == "0"
        for name in ROLES:
            status = proc_status(edge.role(name))
            assert "0" not in status["Uid"].split(), name
            assert "0" not in status["Gid"].split(), name
            assert "0" not in status["Groups"].split(), name
            assert status["NoNewPrivs"] == "1", name
            assert status["Seccomp"] == "2", name
            for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[capabilities], 16) == 0, (name, capabilities)
        assert get(edge.port) == "one"


@root_only
def test_user_of_the_command_line():
    with Edge(CONFIG, args=["--user", "daemon"]) as edge:
        assert proc_status(edge.role("worker"))["Uid"].split()[0] == "1"


@root_only
def test_without_root():
    with Edge(CONFIG, user="nobody") as edge:
        assert get(edge.port) == "one"
        uid = proc_status(edge.pid)["Uid"]
        assert uid.split()[0] != "0"
        for name in ROLES:
            assert proc_status(edge.role(name))["Uid"] == uid
        edge.kill_role("worker")
        eventually(lambda: try_get(edge.port) == "one", what="the site again")
        assert edge.reload(SECOND)
        assert get(edge.port) == "two"


def test_limit_of_files_is_raised():
    with Edge(CONFIG) as edge:
        limits = pathlib.Path(f"/proc/{edge.role('worker')}/limits").read_text()
        soft, hard = next(line for line in limits.splitlines() if line.startswith("Max open files")).split()[3:5]
        assert soft == hard


def test_roles_die_with_the_manager():
    with Edge(CONFIG) as edge:
        pids = [edge.role(name) for name in ROLES]
        edge.process.kill()
        edge.process.wait()
        for pid in pids:
            eventually(lambda: proc_status(pid).get("State", "Z")[0] == "Z", what="the end of the role")


# ---- death and restart ----


@pytest.mark.parametrize("name", ROLES)
def test_killed_role_is_restarted(name):
    with Edge(CONFIG) as edge:
        others = {other: edge.role(other) for other in ROLES if other != name}
        old = edge.kill_role(name)
        eventually(lambda: edge.role(name) not in (None, old), what=f"another {name}")
        eventually(lambda: try_get(edge.port) == "one", what="the site again")
        assert {other: edge.role(other) for other in others} == others
        assert f"{name} (pid {old}) was killed by SIGKILL" in edge.log()
        assert "Z" not in edge.children().values()


def test_connections_wait_for_the_next_worker():
    """The manager keeps the sockets: nobody is refused meanwhile."""
    with Edge(CONFIG) as edge:
        edge.send(signal.SIGSTOP)  # it cannot restart the worker yet
        edge.kill_role("worker")
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(get(edge.port, 10))) for _ in range(20)]
        for client in clients:
            client.start()
        time.sleep(0.3)
        assert answers == []
        edge.send(signal.SIGCONT)
        for client in clients:
            client.join()
        assert answers == ["one"] * 20


def test_worker_killed_under_load():
    """Requests in flight are lost; no connection is refused, and the next
    ones are answered at once."""
    refused, answered, stop = [], [], threading.Event()

    def client():
        while not stop.is_set():
            try:
                if get(edge.port) == "one":
                    answered.append(time.monotonic())
            except ConnectionRefusedError as e:
                refused.append(e)
            except (OSError, IndexError):
                pass

    with Edge(CONFIG) as edge:
        clients = [threading.Thread(target=client) for _ in range(8)]
        for thread in clients:
            thread.start()
        for _ in range(3):
            before = len(answered)
            eventually(lambda: len(answered) > before + 50, what="answers")
            edge.kill_role("worker")
        before = len(answered)
        eventually(lambda: len(answered) > before + 50, what="answers after the last death")
        stop.set()
        for thread in clients:
            thread.join()
        assert refused == []
        # The second and the third death in a row wait 0 and 100 ms; the rest is to start, slow under sanitizers.
        assert max(b - a for a, b in zip(answered, answered[1:])) < 3
        assert "worker" in subprocess.run([WEIR, "status", "--socket", str(edge.admin)], capture_output=True, text=True).stdout


def test_back_off_of_a_role_that_keeps_dying():
    with Edge(CONFIG) as edge:
        # 0, 100 and 200 ms lie between the first four deaths.
        for deaths in range(1, 5):
            edge.kill_role("health")
            eventually(lambda: edge.log().count("health (pid") >= deaths, what=f"death {deaths}")
        assert "it keeps dying" in edge.log()
        eventually(lambda: edge.role("health"), what="health again")
        assert get(edge.port) == "one"


def test_signals_of_a_terminal_are_the_managers():
    with Edge(CONFIG) as edge:
        pids = {name: edge.role(name) for name in ROLES}
        for pid in pids.values():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
                os.kill(pid, number)
        time.sleep(0.2)
        assert {name: edge.role(name) for name in ROLES} == pids
        assert get(edge.port) == "one"


# ---- the end ----


def test_sigterm_ends_everything():
    with Edge(CONFIG) as edge:
        pids = [edge.role(name) for name in ROLES]
        assert edge.stop() == 0
        for pid in pids:
            assert proc_status(pid) == {}
        assert not edge.admin.exists()
        with pytest.raises(OSError):
            get(edge.port)
        assert "manager: ended" in edge.log()


def test_second_sigterm_ends_at_once():
    config = CONFIG + "shutdown: {{drain: 60s}}\n"
    with Edge(config) as edge:
        with socket.create_connection(("127.0.0.1", edge.port)) as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12")
            time.sleep(0.2)
            edge.send(signal.SIGTERM)
            edge.wait_notified("STOPPING=1")
            time.sleep(0.2)
            edge.send(signal.SIGTERM)
            edge.process.wait(5)


def test_second_instance_is_refused():
    config = CONFIG + "pid_file: {folder}/pid\n"
    with Edge(config) as edge:
        assert int((edge.folder / "pid").read_text()) == edge.pid
        second = subprocess.run([WEIR, "run", str(edge.path)], capture_output=True, text=True, timeout=20)
        assert second.returncode == 1
        assert f"another instance (pid {edge.pid})" in second.stderr
        assert get(edge.port) == "one"
        edge.stop()
        assert not (edge.folder / "pid").exists()


def test_taken_address_is_named():
    with Edge(CONFIG) as edge:
        second = subprocess.run([WEIR, "run", str(edge.path)], capture_output=True, text=True, timeout=20)
        assert second.returncode == 1
        assert f"cannot listen on 127.0.0.1:{edge.port}" in second.stderr
        assert get(edge.port) == "one"
        assert edge.admin.exists()


# ---- reload ----


def test_reload_good_and_bad():
    with Edge(CONFIG) as edge:
        pids = {name: edge.role(name) for name in ROLES}
        assert edge.reload(SECOND)
        assert get(edge.port) == "two"

        assert not edge.reload(BROKEN)
        assert get(edge.port) == "two"
        assert "repsond" in edge.log()
        assert "respond" in edge.log()

        assert edge.reload(MORE)
        assert get(edge.port) == get(edge.ports["port2"]) == "three"
        assert f"listener 127.0.0.1:{edge.ports['port2']} added" in edge.log()
        assert edge.reload(CONFIG)
        assert get(edge.port) == "one"
        eventually(lambda: try_get(edge.ports["port2"]) is None, what="the removed address to close")
        assert {name: edge.role(name) for name in ROLES} == pids


def test_reload_that_cannot_listen_changes_nothing():
    with socket.socket() as taken, Edge(MORE) as edge:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not edge.reload(MORE.replace("{port2}", str(port)).replace("three", "four"))
        assert get(edge.port) == get(edge.ports["port2"]) == "three"
        assert f"cannot listen on 127.0.0.1:{port}" in edge.log()


def test_overlapping_address_by_reload():
    """From one interface to all of them, while the old socket is open."""
    with Edge(CONFIG) as edge:
        assert edge.reload(SECOND.replace("127.0.0.1:{port}", "0.0.0.0:{port}"))
        eventually(lambda: try_get(edge.port) == "two", what="the new site")
        assert edge.reload(CONFIG)
        eventually(lambda: try_get(edge.port) == "one", what="the old site")


def test_reloads_in_a_row_end_with_the_newest_file():
    with Edge(CONFIG) as edge:
        for i in range(20):
            edge.write(CONFIG.replace('"one"', f'"{i}"'))
            edge.send(signal.SIGHUP)
        eventually(lambda: get(edge.port) == "19", what="the newest configuration")


def test_reload_is_given_to_a_restarted_worker():
    with Edge(CONFIG) as edge:
        assert edge.reload(SECOND)
        old = edge.kill_role("worker")
        eventually(lambda: edge.role("worker") not in (None, old), what="another worker")
        assert get(edge.port) == "two"


def test_many_reloads_leave_nothing_behind():
    def counts():
        return [edge.fd_count(), *(edge.fd_count(edge.role(name)) for name in ROLES)]

    with Edge(CONFIG) as edge:
        for config in (MORE, BROKEN, SECOND):
            edge.reload(config)
        time.sleep(0.1)  # the socket that told of the reload is closed
        before = counts()
        for i in range(50):
            assert edge.reload(MORE if i % 2 else CONFIG)
            if i % 10 == 0:
                assert not edge.reload(BROKEN)
            assert get(edge.port) == ("three" if i % 2 else "one")
        assert edge.reload(SECOND)
        eventually(lambda: counts() == before, what=f"as many descriptors as before: {before}")
        assert "Z" not in edge.children().values()


def test_what_needs_a_restart_is_told():
    with Edge("runtime: {{threads: 1}}\n" + CONFIG) as edge:
        assert edge.reload("runtime: {{threads: 2}}\n" + SECOND)
        assert get(edge.port) == "two"
        assert "runtime.threads: a change takes effect with a restart" in edge.log()


# ---- logs ----


def test_logs_are_opened_again():
    config = CONFIG + "log: {{error: {folder}/weir.log, access: {folder}/access.log}}\n"
    with Edge(config) as edge:
        path = edge.folder / "weir.log"
        eventually(lambda: "ready" in path.read_text(), what="the log")
        path.rename(edge.folder / "weir.log.1")
        edge.access_path.rename(edge.folder / "access.log.1")
        edge.send(signal.SIGUSR1)
        eventually(path.exists, what="a new log")
        eventually(edge.access_path.exists, what="a new access log")
        time.sleep(0.2)
        assert get(edge.port) == "one"
        eventually(lambda: "200" in edge.access_log(), what="a line in the new access log")
        edge.kill_role("health")
        eventually(lambda: "was killed" in path.read_text(), what="lines in the new log")


# ---- the command line ----


def run(*arguments):
    return subprocess.run([WEIR, *arguments], capture_output=True, text=True, timeout=20)


def test_check(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    values = {"port": free_port(), "folder": tmp_path}
    good.write_text(CONFIG.format(**values))
    bad.write_text(BROKEN.format(**values))
    assert run("check", str(good)).returncode == 0
    done = run("check", str(bad))
    assert done.returncode == 1
    assert "bad.yaml:5:" in done.stdout
    done = run("check", "--quiet", str(bad))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert run("check", str(tmp_path / "none.yaml")).returncode == 1
    assert run("check").returncode == 2


def test_help_and_mistakes():
    assert "run" in run("--help").stdout
    for verb in ("run", "check", "version"):
        assert f"Usage: weir {verb}" in run(verb, "--help").stdout
        assert run("help", verb).stdout == run(verb, "--help").stdout
    done = run("chekc")
    assert done.returncode == 2
    assert "did you mean `check`?" in done.stderr
    assert run("run", "--log-level", "loud").returncode == 2
    assert run("run", "--nonsense").returncode == 2
    assert run("run", "a", "b").returncode == 2
    assert run().returncode == 2
    assert run("role", "worker").returncode == 2


def test_broken_file_does_not_start(tmp_path):
    path = tmp_path / "weir.yaml"
    path.write_text(BROKEN.format(port=free_port()))
    done = run("run", str(path))
    assert done.returncode == 1
    assert "repsond" in done.stderr and "did you mean" in done.stderr
