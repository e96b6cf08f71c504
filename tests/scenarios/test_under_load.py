"""What must not be noticed by anybody who is being served."""

import os
import signal
import subprocess
import threading
import time

import pytest

from support.edge import Edge, eventually
from support.load import Load
from support.raw import Client, Origin, answer, get

pytestmark = pytest.mark.load

CONFIG = """
limits: {{body_timeout: 5s, header_timeout: 5s}}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{exact: /version, respond: "{version}"}}
      - {{path: /, reverse: pool}}
pools:
  pool:
    balance: round_robin
    servers: [{servers}]
    retry: {{attempts: 3, budget: 100%}}
    passive: {{failures: 3, hold: 500ms}}
"""


def servers(*origins):
    return ", ".join(f'"{o.address}"' for o in origins)


def test_a_thousand_reloads_fail_no_request_and_close_no_connection():
    reloads = int(os.environ.get("WEIR_TEST_RELOADS", "1000"))
    with Origin() as a, Origin() as b, Edge(CONFIG, servers=servers(a, b), version="v0") as edge:
        worker = edge.role("worker")
        with Load(edge.port, connections=6) as load:
            threads_before = None
            for i in range(1, reloads + 1):
                edge.values["version"] = f"v{i}"
                # One pool entry comes and goes: connections to the other stay.
                edge.values["servers"] = servers(a, b) if i % 2 == 0 else servers(a)
                edge.write()
                assert edge.reload(), edge.log()
                if i == 20:
                    threads_before = edge.fd_count(worker), memory_kb(worker), edge.fd_count()
                if i % 100 == 0:
                    assert get(edge.port, "/version").body == f"v{i}".encode()
            time.sleep(0.2)
        assert not load.failures, load.failures[:5]
        assert load.closed == 0
        assert load.answered > reloads / 2
        assert edge.role("worker") == worker
        fds, kb, manager_fds = threads_before
        assert edge.fd_count(worker) <= fds + 30 and edge.fd_count() <= manager_fds + 2
        assert memory_kb(worker) < kb + 6000, (kb, memory_kb(worker))


def memory_kb(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Anonymous:"):
            return int(line.split()[1])


def test_a_server_killed_every_second_fails_no_idempotent_request():
    with Origin() as a, Origin() as b, Origin() as c, Edge(CONFIG, servers=servers(a, b, c), version="v") as edge:
        methods = ["GET", "HEAD", "PUT", "DELETE"]

        def request(i):
            method = methods[i % 4]
            body = "hello" if method == "PUT" else ""
            return f"{method} /{i} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}", method

        with Load(edge.port, connections=8, request=request) as load:
            victims = [a, b, c]
            for i in range(12):
                victim = victims[i % 3]
                victim.stop()
                time.sleep(0.5)
                victim.start()
                time.sleep(0.5)
        assert not load.failures, load.failures[:5]
        assert load.closed == 0 and load.answered > 1000


def test_worker_killed_under_load_is_replaced_at_once():
    with Origin() as a, Edge(CONFIG, servers=servers(a), version="v") as edge:
        with Load(edge.port, connections=4, reconnect=True) as load:
            time.sleep(0.5)
            killed = edge.kill_role("worker")
            began = time.time()
            eventually(lambda: try_get(edge.port), what="an answer of the new worker")
            assert time.time() - began < 5
            eventually(lambda: edge.role("worker") not in (None, killed))
            time.sleep(0.5)
            answered = load.answered
            time.sleep(0.5)
            assert load.answered > answered
        assert not [f for f in load.failures], load.failures[:5]


def try_get(port):
    try:
        return get(port, "/").status == 200
    except Exception:
        return False


@pytest.mark.parametrize("mode", ["-H", "-B", "-X"])
def test_slow_clients_harm_nobody_else(mode):
    with Origin(reply=lambda r: answer(b"x" * 200000)) as a, Edge(CONFIG, servers=servers(a), version="v") as edge:
        flood = subprocess.Popen(["slowhttptest", mode, "-c", "400", "-r", "400", "-i", "1", "-l", "8", "-p", "2",
                                  "-w", "10", "-y", "20", "-n", "1", "-z", "5", "-k", "3",
                                  "-u", f"http://127.0.0.1:{edge.port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(2)
            with Load(edge.port, connections=2, request=lambda i: ("GET /version HTTP/1.1\r\nHost: a\r\n\r\n", "GET")) as load:
                time.sleep(4)
            assert not load.failures and load.closed == 0
            assert load.answered > 200
        finally:
            flood.wait(60)
        eventually(lambda: try_get(edge.port), what="an answer after the flood")


def test_no_leak_over_a_hundred_thousand_requests():
    total = int(os.environ.get("WEIR_TEST_REQUESTS", "100000"))
    with Origin() as a, Edge("runtime: {{threads: 1}}\n" + CONFIG, servers=servers(a), version="v") as edge:
        worker = edge.role("worker")

        def run(requests, path):
            out = subprocess.run(["h2load", "--h1", "-n", str(requests), "-c", "16", f"http://127.0.0.1:{edge.port}{path}"],
                                 capture_output=True, text=True, timeout=280).stdout
            assert f"{requests} succeeded" in out, out

        run(5000, "/version")
        run(2000, "/")
        before = memory_kb(worker), edge.fd_count(worker)
        run(total * 9 // 10, "/version")
        run(total // 10, "/")
        time.sleep(1.5)
        after = memory_kb(worker), edge.fd_count(worker)
        assert after[0] < before[0] + 1500 and after[1] <= before[1] + 20, (before, after)


def test_large_upload_to_a_slow_server_costs_a_fixed_buffer():
    size = int(os.environ.get("WEIR_TEST_UPLOAD", str(10 * 1000 ** 3)))
    size = min(size, 10 * 1000 ** 3)
    taken = [0]
    done = threading.Event()

    def serve(conversation):
        head = conversation.head()
        assert int(head.get("Content-Length")) == size
        left = size - len(conversation.buffer)
        view = bytearray(1 << 20)
        end = time.time() + 3
        while left > 0:
            n = conversation.socket.recv_into(view)
            if n == 0:
                return
            left -= n
            taken[0] = size - left
            if time.time() < end:
                time.sleep(0.01)  # slow at first: the edge must wait, not buffer
        conversation.send(answer(b"got it"))
        done.set()

    with Origin(serve=serve) as a, Edge("runtime: {{threads: 1}}\n" + CONFIG, servers=servers(a), version="v") as edge:
        worker = edge.role("worker")
        before = memory_kb(worker)
        most = [0]
        stop = threading.Event()

        def watch():
            while not stop.is_set():
                most[0] = max(most[0], memory_kb(worker))
                time.sleep(0.05)

        watcher = threading.Thread(target=watch)
        watcher.start()
        with Client(edge.port, timeout=120) as c:
            c.send(f"PUT /big HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")
            block = bytes(1 << 20)
            left = size
            while left > 0:
                left -= c.socket.send(block[:min(left, len(block))])
            assert c.read().body == b"got it"
        stop.set()
        watcher.join()
        assert most[0] < before + 3000, (before, most[0])


def test_drain_finishes_what_is_in_flight():
    gate = threading.Event()

    def reply(request):
        gate.wait(10)
        return answer(b"late")

    edge = Edge(CONFIG, version="v", servers="{servers}")
    with Origin(reply=reply) as a:
        edge.values["servers"] = servers(a)
        with edge:
            with Client(edge.port) as busy, Client(edge.port) as idle:
                idle.ask("GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
                busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                time.sleep(0.3)
                edge.send(signal.SIGTERM)
                assert idle.closed()
                gate.set()
                last = busy.read()
                assert last.body == b"late"
            assert edge.process.wait(10) == 0
