"""A change of the configuration: all of it or nothing, and what stays."""

import os
import socket
import subprocess
import threading
import time

import pytest

from support.edge import WEIR, Edge, eventually
from support.load import Load
from support.raw import Client, Closed, Origin, answer, get

CONFIG = """
shutdown: {{drain: 5s}}
sites:
  - listen: ["127.0.0.1:{port}"{more_listen}]
    routes:
      {more_routes}
      - {{exact: /version, respond: "{version}"}}
      - {{path: /, reverse: main}}
  {more_sites}
pools:
  main: {{servers: [{servers}]}}
  {more_pools}
"""
NOTHING = {"more_listen": "", "more_routes": "", "more_sites": "", "more_pools": ""}


def edge_with(*origins, **values):
    return Edge(CONFIG, **{**NOTHING, "version": "v1", "servers": list_of(*origins), **values})


def list_of(*origins):
    return ", ".join(f"'{o.address}'" for o in origins)


def change(edge, **values):
    edge.values.update(values)
    edge.write()
    return edge.reload()


def weir_reload(edge):
    """By the command. Returns its status and what it said."""
    done = subprocess.run([WEIR, "reload", "--socket", str(edge.admin)], capture_output=True, text=True, timeout=30)
    edge.wait_notified("RELOADING=1")
    edge.wait_notified("READY=1")
    return done.returncode, done.stdout + done.stderr


def refused(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def memory_kb(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Anonymous:"):
            return int(line.split()[1])


# ---- what comes and goes ----


def test_everything_comes_and_goes_under_load():
    with Origin() as a, Origin(reply=lambda r: answer("other")) as b, edge_with(a) as edge:
        port2 = edge.ports["port2"]
        worker = edge.role("worker")
        with Load(edge.port, connections=4) as load:
            for turn in range(6):
                # A route.
                assert change(edge, more_routes="- {path: /new, respond: 'new'}")
                assert get(edge.port, "/new/x").body == b"new"
                # A pool, and a site on the same address that uses it.
                assert change(edge, more_pools=f"other: ['{b.address}']", more_sites=f"""- listen: ["127.0.0.1:{edge.port}"]
    hosts: [other.example]
    routes: [{{path: /, reverse: other}}]""")
                assert get(edge.port, "/", host="other.example").body == b"other"
                assert get(edge.port, "/").body == b"ok"
                # A listener.
                assert refused(port2)
                assert change(edge, more_listen=f", '127.0.0.1:{port2}'")
                assert get(port2, "/new").body == b"new"
                # All of it goes at once.
                assert change(edge, **NOTHING)
                assert refused(port2)
                assert get(edge.port, "/new").body == b"ok" and get(edge.port, "/", host="other.example").body == b"ok"
        assert not load.failures, load.failures[:5]
        assert load.closed == 0 and edge.role("worker") == worker


def test_removed_listener():
    """It accepts no more; idle connections close, a request in flight is
    answered and its connection closed after it."""
    gate = threading.Event()

    def reply(request):
        if request.target == "/slow":
            gate.wait(20)
        return answer("late")

    with Origin(reply=reply) as a:
        edge = edge_with(a)
        edge.values["more_listen"] = f", '127.0.0.1:{edge.ports['port2']}', 'unix:{edge.folder}/s.sock'"
        with edge:
            port2 = edge.ports["port2"]
            with Client(port2) as idle, Client(port2) as never, Client(port2) as busy, Client(edge.port) as stays:
                idle.ask("GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
                stays.ask("GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
                busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
                eventually(lambda: a.requests, what="the request at the server")
                assert (edge.folder / "s.sock").exists()
                assert change(edge, more_listen="", version="v2")
                eventually(lambda: refused(port2), what="an end of the listener")
                assert not (edge.folder / "s.sock").exists()
                assert idle.closed() and never.closed()
                gate.set()
                last = busy.read()
                assert last.status == 200 and last.body == b"late" and last.get("Connection") == "close"
                assert busy.closed()
                assert stays.ask("GET /version HTTP/1.1\r\nHost: a\r\n\r\n").body == b"v2"


def test_listener_comes_back():
    with Origin() as a, edge_with(a) as edge:
        port2 = edge.ports["port2"]
        for _ in range(4):
            assert change(edge, more_listen=f", '127.0.0.1:{port2}'")
            with Client(port2) as c:
                assert c.ask("GET /version HTTP/1.1\r\nHost: a\r\n\r\n").body == b"v1"
                assert change(edge, more_listen="")
                assert c.closed()
            assert refused(port2)


def test_taken_port_refuses_the_whole_change():
    with Origin() as a, edge_with(a) as edge, Load(edge.port, connections=2) as load, socket.socket() as other:
        other.bind(("127.0.0.1", edge.ports["port2"]))
        other.listen(1)
        edge.values.update(more_listen=f", '127.0.0.1:{edge.ports['port2']}', '127.0.0.1:{edge.ports['port3']}'", version="v2")
        edge.write()
        status, said = weir_reload(edge)
        assert status == 1 and f"127.0.0.1:{edge.ports['port2']}" in said and "in use" in said, said
        assert get(edge.port, "/version").body == b"v1"
        assert refused(edge.ports["port3"])  # nothing of it
        other.close()
        assert weir_reload(edge)[0] == 0
        assert get(edge.port, "/version").body == b"v2" and get(edge.ports["port3"], "/version").body == b"v2"
        load.stop()
        assert not load.failures and load.closed == 0


# ---- mistakes ----

GOOD_ROUTE = "- {path: /x, respond: 'x'}"
MISTAKES = {
    "syntax": dict(more_routes="- {path: /x, respond: 'x'"),
    "tab": dict(more_routes="\t- {path: /x, respond: x}"),
    "unknown key": dict(more_routes="- {path: /x, respnd: 'x'}"),
    "two keys alike": dict(more_routes="- {path: /x, path: /y, respond: 'x'}"),
    "type": dict(more_routes="- {path: [/x], respond: 'x'}"),
    "regex": dict(more_routes="- {regex: '(', respond: 'x'}"),
    "no pool": dict(more_routes="- {path: /x, reverse: nowhere}"),
    "no folder": dict(more_routes="- {path: /x, files: /nowhere/at/all}"),
    "address": dict(more_listen=", '127.0.0.1:99999'"),
    "not our address": dict(more_listen=", '192.0.2.1:80'"),
    "host twice": dict(more_sites="- {listen: ['127.0.0.1:{port}'], routes: [{path: /, respond: a}]}"),
    "server": dict(more_pools="other: {servers: ['127.0.0.1']}"),
    "server twice": dict(more_pools="other: {servers: ['127.0.0.1:1', '127.0.0.1:1']}"),
    "policy": dict(more_pools="other: {servers: ['127.0.0.1:1'], balance: least_request}"),
    "duration": dict(more_pools="other: {servers: ['127.0.0.1:1'], connect_timeout: 5 parsecs}"),
    "health": dict(more_pools="other: {servers: ['127.0.0.1:1'], health: {http: healthz}}"),
}


@pytest.fixture(scope="module")
def steady():
    with Origin() as a, edge_with(a) as edge:
        yield edge


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_leaves_what_is_in_force(steady, mistake):
    edge = steady
    roles = [edge.role(name) for name in ("worker", "health", "control")]
    before = edge.fd_count(), edge.fd_count(roles[0])
    with Client(edge.port) as c:
        c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        values = {k: v.replace("{port}", str(edge.port)) for k, v in MISTAKES[mistake].items()}
        try:
            assert not change(edge, version="v2", **values)
            status, said = weir_reload(edge)
            assert status == 1 and (edge.path.name in said or "192.0.2.1:80" in said) and "which role" not in said, said
            assert c.ask("GET /version HTTP/1.1\r\nHost: a\r\n\r\n").body == b"v1"
            assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"ok"
        finally:
            assert change(edge, version="v1", **NOTHING)
    assert [edge.role(name) for name in ("worker", "health", "control")] == roles
    eventually(lambda: edge.fd_count() <= before[0] and edge.fd_count(roles[0]) <= before[1] + 2, what="no descriptor more")


NO_CONFIGURATIONS = {"empty": "", "blank": "\n", "no sites": "sites:\n", "list": "[]", "text": "just text", "binary": "\0\1\2\3",
                     "circle": "sites: &a [*a]", "deep": "{" * 5000, "long": "é" * 100000}


@pytest.mark.parametrize("text", NO_CONFIGURATIONS.values(), ids=NO_CONFIGURATIONS)
def test_file_that_is_no_configuration(steady, text):
    edge = steady
    edge.path.write_text(text)
    assert not edge.reload()
    assert get(edge.port, "/version").body == b"v1"
    edge.write()
    assert edge.reload()


def test_file_that_is_not_there(steady):
    edge = steady
    edge.path.unlink()
    assert not edge.reload()
    edge.path.mkdir()
    assert not edge.reload()
    edge.path.rmdir()
    assert get(edge.port, "/version").body == b"v1"
    edge.write()
    assert edge.reload()


# ---- what is under way ----


def test_long_answer_ends_as_it_began():
    """Its pool, its route and its site are gone when it ends."""
    gate = threading.Event()

    def serve(conversation):
        while True:
            conversation.request()
            conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + "a" * 1000000)
            gate.wait(20)
            conversation.send("b" * 1000000)

    with Origin() as a, Origin(serve=serve) as long, edge_with(a) as edge:
        assert change(edge, more_pools=f"old: ['{long.address}']", more_routes="- {path: /long, reverse: old}")
        with Client(edge.port) as c:
            c.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
            c._until(b"\r\n\r\n")
            for n in range(2, 12):
                assert change(edge, version=f"v{n}", **NOTHING)
            gate.set()
            body = c._exactly(2000000)
            assert body == b"a" * 1000000 + b"b" * 1000000
            # The same connection, the newest configuration.
            assert c.ask("GET /version HTTP/1.1\r\nHost: a\r\n\r\n").body == b"v11"
            assert c.ask("GET /long HTTP/1.1\r\nHost: a\r\n\r\n").body == b"ok"
        eventually(lambda: not long.open, what="no connection to a server that has gone")


def test_long_upload_ends_as_it_began():
    with Origin(reply=lambda r: answer(str(len(r.body)))) as a, Origin() as b, edge_with(a) as edge, Client(edge.port) as c:
        c.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        eventually(lambda: a.connections, what="the request on its way to a")
        for n in range(10):
            c.send("x" * 100000)
            assert change(edge, servers=list_of(b), version=f"v{n}")
        assert c.read().body == b"1000000"
        assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"ok"
        assert b.requests and not a.requests[1:]


def test_kept_connections_to_servers():
    """Those to a server that stays are kept; those to one that goes close."""
    with Origin() as a, Origin() as b, edge_with(a, b) as edge:
        with Client(edge.port) as c:
            for _ in range(10):
                c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            before = a.connections
            assert a.open and b.open
            assert change(edge, servers=list_of(a))
            eventually(lambda: not b.open, what="the end of connections to b")
            for n in range(5):
                assert change(edge, version=f"v{n}")
                c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert a.connections == before and len(a.open) >= 1


# ---- what is left ----


@pytest.mark.load
def test_nothing_is_left_behind():
    origins = [Origin() for _ in range(4)]
    try:
        with edge_with(*origins) as edge:
            worker, health, control = (edge.role(name) for name in ("worker", "health", "control"))

            def turn(n):
                assert change(edge, version=f"v{n}", servers=list_of(*origins[:1 + n % 4]),
                              more_listen=f", '127.0.0.1:{edge.ports['port2']}'" if n % 2 else "",
                              more_routes="\n      ".join(f"- {{regex: '^/r{i}/[a-z]+$', respond: '{'x' * 50}'}}" for i in range(50)),
                              more_pools=f"other: {{servers: ['{origins[n % 3].address}'], health: {{tcp: true, every: 100ms}}}}")
                # Workers have a share of what they use only.
                for _ in range(4):
                    get(edge.port, "/r7/abc")
                    get(edge.port, "/")

            for n in range(30):
                turn(n)
            assert change(edge, servers=list_of(*origins), **NOTHING)
            before = [(edge.fd_count(pid), memory_kb(pid)) for pid in (edge.pid, worker, health, control)]
            for n in range(120):
                turn(n)
            assert change(edge, servers=list_of(*origins), **NOTHING)
            eventually(lambda: edge.fd_count(worker) <= before[1][0] + 8, what="the end of connections")
            after = [(edge.fd_count(pid), memory_kb(pid)) for pid in (edge.pid, worker, health, control)]
            for (fds, kb), (fds_after, kb_after), most in zip(before, after, (2, 8, 4, 2)):
                assert fds_after <= fds + most and kb_after < kb + 1500, (before, after)
            assert [edge.role(name) for name in ("worker", "health", "control")] == [worker, health, control]
    finally:
        for o in origins:
            o.stop()


@pytest.mark.load
def test_reload_amid_a_thousand_connections():
    """Idle ones, each of which sees the new configuration."""
    with Origin() as a, edge_with(a) as edge:
        clients = [Client(edge.port, timeout=20) for _ in range(1000)]
        for c in clients:
            c.send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
        for c in clients:
            assert c.read().body == b"v1"
        assert change(edge, version="v2")
        for c in clients:
            c.send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
        for c in clients:
            assert c.read().body == b"v2"
            c.close()
