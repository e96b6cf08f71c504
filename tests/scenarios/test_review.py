"""Corners of the data plane: what a message is owed at its edges, and what
happens when somebody leaves in the middle."""

import os
import socket
import subprocess
import threading
import time

import pytest

from support.edge import Edge, eventually, proc_status
from support.edged import Edged
from support.raw import Client, Closed, Origin, answer, get

CONFIG = """
limits: {{body_timeout: 5s}}
sites:
  - listen: ["127.0.0.1:{port}"]
    hosts: [strict]
    limits: {{request_line: 128, keepalive_requests: 2}}
    routes: [{{path: /, respond: strict}}]
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{path: /small, limits: {{body_bytes: 10}}, reverse: origin}}
      - {{path: /here, respond: here}}
      - {{path: /, reverse: origin}}
pools:
  origin:
    servers: ["{origin}"]
    passive: {{failures: 0}}
"""


@pytest.fixture(scope="module")
def both():
    with Edged(CONFIG) as e:
        yield e


@pytest.fixture
def edged(both):
    yield both.behave()


@pytest.mark.parametrize("length", [16384, 16300, 16385, 15000, 16127])
def test_a_body_reaches_the_server_once(edged, length):
    heads = []

    def serve(conversation):
        while True:
            request = conversation.request()
            heads.append((request.method, len(request.body)))
            conversation.send(answer(b"ok"))

    edged.origin.serve = serve
    body = b"x" * length
    with Client(edged.edge.port) as c:
        for _ in range(2):
            a = c.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + body)
            assert a.status == 200
    assert heads == [("POST", length)] * 2


def test_the_request_line_limit_of_a_site_holds(edged):
    with Client(edged.edge.port) as c:
        a = c.ask("GET /" + "a" * 200 + " HTTP/1.1\r\nHost: strict\r\n\r\n")
        assert a.status == 414


def test_the_request_count_of_a_site_holds(edged):
    with Client(edged.edge.port) as c:
        first = c.ask("GET / HTTP/1.1\r\nHost: strict\r\n\r\n")
        assert first.get("Connection") is None
        second = c.ask("GET / HTTP/1.1\r\nHost: strict\r\n\r\n")
        assert second.get("Connection") == "close"
        assert c.closed()


def test_nothing_after_a_broken_body_is_a_request(edged):
    with Client(edged.edge.port) as c:
        c.send("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
               "0\r\n\r\nGET /here HTTP/1.1\r\nHost: a\r\n\r\n")
        a = c.read()
        assert a.status == 400 and a.get("Connection") == "close"
        assert b"here" not in c.rest()


def test_a_broken_chunk_cannot_be_mended_by_what_follows(edged):
    """The byte at fault is read again by nobody."""
    with Client(edged.edge.port) as c:
        c.send("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r")
        time.sleep(0.1)
        c.send("\r\n0\r\n\r\nGET /here HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"here" not in c.rest()


def test_too_large_chunked_body_is_413_and_closes(edged):
    with Client(edged.edge.port) as c:
        c.send("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n")
        a = c.read()
        assert a.status == 413 and a.get("Connection") == "close"
        assert c.rest() == b""


def test_answer_classes_are_counted_for_chunked_answers(edged):
    def serve(conversation):
        while True:
            conversation.request()
            conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            time.sleep(0.05)
            conversation.send("0\r\n\r\n")

    edged.origin.serve = serve
    before = server_classes(edged)
    assert get(edged.edge.port).body == b"a"
    after = eventually(lambda: (now := server_classes(edged)) != before and now, what="a count")
    assert after.get("2xx", 0) == before.get("2xx", 0) + 1


def server_classes(edged):
    """weir_server_responses_total by class, from the metrics."""
    found = {}
    for line in admin(edged.edge, "/metrics").splitlines():
        if line.startswith("weir_server_responses_total{"):
            for part in line[line.index("{") + 1:line.index("}")].split(","):
                key, value = part.split("=")
                if key in ("class", "code"):
                    found[value.strip('"')] = int(float(line.rsplit(" ", 1)[1]))
    return found


def admin(edge, path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(edge.admin))
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while more := s.recv(65536):
            data += more
    return data.split(b"\r\n\r\n", 1)[1].decode()


def test_a_client_that_resets_its_tunnel_ends_it_for_the_server(edged):
    ended = threading.Event()

    def serve(conversation):
        conversation.head()
        conversation.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        try:
            while True:
                conversation._more()
        except (Closed, OSError):
            ended.set()

    edged.origin.serve = serve
    c = Client(edged.edge.port)
    assert c.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").status == 101
    c.send("hello")
    time.sleep(0.1)
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.close()
    assert ended.wait(3)


def test_a_client_that_leaves_after_its_upload_ends_the_request(edged):
    gone = threading.Event()

    def serve(conversation):
        conversation.request()
        try:
            conversation.line()
        except Closed:
            gone.set()

    edged.origin.serve = serve
    with Client(edged.edge.port) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40000)
        time.sleep(0.3)
    assert gone.wait(3)


def test_a_server_that_pauses_inside_a_large_upload_is_waited_for():
    """The client's deadlines are not the server's."""
    length = 24 << 20
    with Edged("""
limits: {{body_timeout: 500ms, min_rate_grace: 500ms}}
sites: [{{listen: ["127.0.0.1:{port}"], routes: [{{path: /, reverse: origin}}]}}]
pools: {{origin: {{servers: ["{origin}"], send_timeout: 20s, response_timeout: 20s}}}}
""") as edged:
        got = []

        def serve(conversation):
            conversation.head()
            time.sleep(2)
            conversation.exactly(length)
            got.append(length)
            conversation.send(answer(b"ok"))

        edged.origin.serve = serve
        with Client(edged.edge.port, timeout=30) as c:
            c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
            c.send(b"x" * length)
            assert c.read().status == 200
        assert got == [length]


def test_a_server_that_pauses_inside_a_large_answer_is_waited_for():
    half = 1 << 20
    with Edged("""
limits: {{send_timeout: 500ms, min_rate_grace: 500ms}}
sites: [{{listen: ["127.0.0.1:{port}"], routes: [{{path: /, reverse: origin}}]}}]
pools: {{origin: {{servers: ["{origin}"], response_timeout: 20s}}}}
""") as edged:
        def serve(conversation):
            conversation.head()
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * half))
            conversation.send(b"x" * half)
            time.sleep(2)
            conversation.send(b"x" * half)

        edged.origin.serve = serve
        assert len(get(edged.edge.port).body) == 2 * half


SLOW = """
limits: {{send_timeout: 1s, min_rate_grace: 1s}}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{path: /files/, files: {folder}}}
      - {{path: /, reverse: origin}}
pools: {{origin: {{servers: ["{origin}"]}}}}
"""


@pytest.fixture(scope="module")
def slow():
    length = 32 << 20

    def serve(conversation):
        if conversation.head().target.startswith("/spliced"):
            conversation.send(answer(b"x" * length))
            return
        conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(length >> 16):
            conversation.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        conversation.send("0\r\n\r\n")

    with Edged(SLOW) as edged:
        edged.origin.serve = serve
        (edged.edge.folder / "large").write_bytes(b"x" * length)
        yield edged


def narrow(edge, path):
    """A client whose kernel takes little ahead, and its request sent."""
    c = Client(edge.port, rcvbuf=4096)
    c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, 4096)
    return c.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("path", ["/spliced", "/chunked", "/files/large"])
def test_a_slow_but_steady_reader_is_not_cut(slow, path):
    """Of the megabytes that the kernel keeps for it, a third must go before
    the socket tells of room: longer than send_timeout."""
    with narrow(slow.edge, path) as c:
        end = time.time() + 6
        while time.time() < end:
            assert c.socket.recv(4096)
            time.sleep(0.1)
        assert f"path={path}" not in slow.edge.access_log()  # still under way


@pytest.mark.parametrize("path", ["/spliced?", "/chunked?", "/files/large?"])
def test_a_reader_that_stops_is_cut(slow, path):
    with narrow(slow.edge, path):
        eventually(lambda: f"path={path}" in slow.edge.access_log(), 8, "an end")


def limit_descriptors(pid, count):
    """As the user that it runs as: only that one may, without privilege."""
    status = proc_status(pid)
    subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={count}:"], user=int(status["Uid"].split()[0]),
                   group=int(status["Gid"].split()[0]), check=True)


def test_without_a_pipe_bodies_go_through_memory():
    """No descriptor is left for what a splice needs."""
    length, got = 8 << 20, []

    def serve(conversation):
        conversation.head()
        got.append(len(conversation.exactly(length)))
        conversation.send(answer(b"y" * length))

    with Edged("""
runtime: {{threads: 1}}
sites: [{{listen: ["127.0.0.1:{port}"], routes: [{{path: /, reverse: origin}}]}}]
pools: {{origin: {{servers: ["{origin}"]}}}}
""") as edged:
        edged.origin.serve = serve
        worker = edged.edge.role("worker")
        with Client(edged.edge.port) as c:
            c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length + b"x")
            eventually(lambda: edged.origin.connections == 1)
            time.sleep(0.1)
            lowest = next(n for n in range(4096) if not os.path.lexists(f"/proc/{worker}/fd/{n}"))
            limit_descriptors(worker, lowest)
            c.send(b"x" * (length - 1))
            assert len(c.read().body) == length
        assert got == [length]


def test_drain_tells_clients_in_flight_to_close(edged):
    arrived, go = threading.Event(), threading.Event()

    def serve(conversation):
        conversation.request()
        arrived.set()
        go.wait(5)
        conversation.send(answer(b"ok"))

    with Edged(CONFIG) as own:
        own.origin.serve = serve
        with Client(own.edge.port) as c:
            c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert arrived.wait(5)
            own.edge.process.terminate()
            time.sleep(0.5)
            go.set()
            a = c.read()
            assert a.status == 200 and a.get("Connection") == "close"


def test_a_listener_that_went_closes_its_connections_when_they_ask():
    both = """
sites: [{{listen: ["127.0.0.1:{port}", "127.0.0.1:{port2}"], routes: [{{path: /slow, reverse: origin}}, {{path: /, respond: here}}]}}]
pools: {{origin: {{servers: ["{origin}"]}}}}
"""
    go = threading.Event()
    with Edged(both) as e:
        e.origin.reply = lambda request: (go.wait(5), answer(b"ok"))[1]
        with Client(e.edge.ports["port2"]) as c:
            c.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually(lambda: e.origin.connections == 1)
            time.sleep(0.1)
            assert e.edge.reload(both.replace(', "127.0.0.1:{port2}"', ""))
            go.set()
            assert c.read().status == 200
            try:
                a = c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            except (Closed, OSError):
                return
            assert a.status == 503 and a.get("Connection") == "close"
            assert c.closed()


def test_a_queue_is_served_by_a_server_that_comes_back():
    """Nothing ends at the full server; the other one is made ready."""
    hold = threading.Event()
    with Origin(reply=lambda request: (hold.wait(20), answer(b"old"))[1]) as full, \
            Origin(reply=lambda request: answer(b"new")) as back, Edge("""
sites: [{{listen: ["127.0.0.1:{port}"], routes: [{{path: /, reverse: p}}]}}]
pools:
  p:
    servers: [{{address: "{full}", name: full, max_requests: 1}}, {{address: "{back}", name: back}}]
    queue: {{max: 30, timeout: 10s}}
""", full=full.address, back=back.address) as edge:
        def admin_put(word):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(str(edge.admin))
                body = f'{{"state": "{word}"}}'
                s.sendall(f"POST /v1/servers/p/back HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
                          f"Content-Type: application/json\r\nConnection: close\r\n\r\n{body}".encode())
                data = s.recv(65536)
            assert b" 200 " in data.split(b"\r\n")[0], data
        admin_put("drain")
        with Client(edge.port) as first, Client(edge.port) as second:
            first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually(lambda: full.connections == 1)
            second.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.2)
            admin_put("ready")
            began = time.time()
            assert second.read().body == b"new"
            assert time.time() - began < 3
            hold.set()
