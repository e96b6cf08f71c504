"""The reverse proxy against origins that behave, misbehave and go away."""

import hashlib
import os
import socket
import subprocess
import threading
import time

import pytest

from support.edge import Edge, eventually
from support.edged import Edged
from support.raw import Client, Closed, Origin, answer, get

CONFIG = """
limits: {{body_timeout: 20s}}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{path: /strip/, reverse: {{pool: origin, strip_prefix: true, prefix: /in}}}}
      - {{path: /edit, reverse: {{pool: origin, request_headers: {{X-New: "1", X-Old: null}}, response_headers: {{X-Set: "2", X-Gone: null}}}}}}
      - {{path: /server-host, reverse: {{pool: origin, host: server}}}}
      - {{path: /patient, reverse: {{pool: origin, abandon: false}}}}
      - {{path: /slow, reverse: {{pool: origin, response_timeout: 500ms}}}}
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


def ask(edged, text, method="GET"):
    with Client(edged.edge.port) as c:
        return c.ask(text.replace("\n", "\r\n"), method)


def seen(edged):
    return edged.origin.requests[-1]


def test_fields_for_the_server(edged):
    ask(edged, "GET /a?b=c HTTP/1.1\nHost: shop.example\nConnection: close, X-Hop\nX-Hop: 1\nKeep-Alive: 1\nTE: trailers\nProxy: evil\nX-Keep: 2\n\n")
    r = seen(edged)
    assert r.line == "GET /a?b=c HTTP/1.1"
    assert r.get("Host") == "shop.example" and r.get("X-Keep") == "2"
    for gone in ("X-Hop", "Keep-Alive", "Proxy", "Transfer-Encoding", "Content-Length"):
        assert r.get(gone) is None, gone
    # Trailers are carried through, so the server may send them (RFC 9110 §10.1.4).
    assert r.get("TE") == "trailers" and r.get("Connection") == "TE"
    assert r.get("Via") == "1.1 weir"
    assert r.get("X-Forwarded-For") == "127.0.0.1"
    assert r.get("X-Forwarded-Proto") == "http" and r.get("X-Forwarded-Host") == "shop.example"


def test_forged_forwarded_fields_are_removed(edged):
    ask(edged, "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 1.2.3.4\nX-Real-IP: 1.2.3.4\nForwarded: for=1.2.3.4\nX-Forwarded-Proto: https\n\n")
    r = seen(edged)
    assert r.all("X-Forwarded-For") == ["127.0.0.1"] and r.get("X-Forwarded-Proto") == "http"
    assert r.get("X-Real-IP") is None and r.get("Forwarded") is None


def test_trusted_peer_is_believed():
    with Edged("trust: [127.0.0.0/8]\n" + CONFIG.replace("reverse: origin}}\npools", "reverse: {{pool: origin, forwarded: true}}}}\npools")) as e:
        ask(e, "GET / HTTP/1.1\nHost: a\nX-Forwarded-For: 6.6.6.6, 1.2.3.4\nX-Forwarded-Proto: https\n\n")
        r = seen(e)
        assert ", ".join(r.all("X-Forwarded-For")) == "6.6.6.6, 1.2.3.4, 127.0.0.1"
        assert r.get("X-Forwarded-Proto") == "https"
        assert "for=127.0.0.1" in r.get("Forwarded")
        eventually(lambda: "client=1.2.3.4" in e.edge.access_log(), what="the client's address in the log")


def test_paths_hosts_and_edits(edged):
    ask(edged, "GET /strip/x/y?q HTTP/1.1\nHost: a\n\n")
    assert seen(edged).line == "GET /in/x/y?q HTTP/1.1"
    ask(edged, "GET /server-host HTTP/1.1\nHost: a\n\n")
    assert seen(edged).get("Host") == edged.origin.address
    edged.origin.reply = lambda request: answer(b"ok", fields="X-Gone: 1\r\nX-Set: 1\r\n")
    a = ask(edged, "GET /edit HTTP/1.1\nHost: a\nX-Old: 1\nX-New: 0\n\n")
    assert seen(edged).all("X-New") == ["1"] and seen(edged).get("X-Old") is None
    assert a.all("X-Set") == ["2"] and a.get("X-Gone") is None


def test_answer_fields(edged):
    edged.origin.reply = lambda request: answer(b"ok", fields="Connection: X-Hop\r\nX-Hop: 1\r\nServer: theirs\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n")
    a = ask(edged, "GET / HTTP/1.1\nHost: a\n\n")
    assert a.get("X-Hop") is None and a.get("Server") == "theirs"
    assert a.all("Set-Cookie") == ["a=1", "b=2"] and a.get("Via") == "1.1 weir"


def test_connections_are_kept(edged):
    before = edged.origin.connections
    with Client(edged.edge.port) as c:
        for _ in range(50):
            assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"ok"
    assert edged.origin.connections - before <= 4  # one per worker thread


def test_chunked_answer(edged):
    edged.origin.reply = lambda request: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    with Client(edged.edge.port) as c:
        for _ in range(3):
            assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"abcdefg"


def test_chunked_answer_for_http_10(edged):
    edged.origin.reply = lambda request: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with Client(edged.edge.port) as c:
        a = c.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert a.body == b"abc" and a.get("Transfer-Encoding") is None and a.get("Connection") == "close"


def test_chunked_answer_with_trailers(edged):
    edged.origin.reply = lambda request: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"
    with Client(edged.edge.port) as c:
        a = c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert a.body == b"abc" and ("X-Sum", "9") in a.trailers
        assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"abc"


def test_chunked_answer_in_single_bytes(edged):
    def serve(conversation):
        conversation.request()
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n":
            conversation.send(bytes([byte]))
            time.sleep(0.001)

    edged.origin.serve = serve
    assert ask(edged, "GET / HTTP/1.1\nHost: a\n\n").body == b"abcde"


def test_answer_until_close(edged):
    def serve(conversation):
        conversation.request()
        conversation.send("HTTP/1.1 200 OK\r\n\r\nhello")
        time.sleep(0.05)
        conversation.send(" world")

    edged.origin.serve = serve
    a = ask(edged, "GET / HTTP/1.1\nHost: a\n\n")
    assert a.body == b"hello world" and a.get("Transfer-Encoding") == "chunked"
    assert ask(edged, "GET / HTTP/1.0\nHost: a\n\n").body == b"hello world"


def test_head_and_304_keep_their_length(edged):
    edged.origin.reply = lambda request: "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"
    with Client(edged.edge.port) as c:
        assert c.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD").get("Content-Length") == "1234"
        edged.origin.reply = lambda request: "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"
        assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status == 304
        edged.origin.reply = lambda request: "HTTP/1.1 204 No Content\r\n\r\n"
        a = c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert a.status == 204 and a.get("Content-Length") is None


def test_interim_answers(edged):
    edged.origin.reply = lambda request: "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + answer(b"ok").decode()
    with Client(edged.edge.port) as c:
        a = c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert a.status == 103 and a.get("Link") == "</a.css>"
        assert c.read().body == b"ok"
    with Client(edged.edge.port) as c:
        assert c.ask("GET / HTTP/1.0\r\n\r\n").body == b"ok"


@pytest.mark.parametrize("length", [0, 1, 15000, 16384, 16385, 40000, 300000, 3000000])
@pytest.mark.parametrize("chunked", [False, True])
def test_upload(edged, length, chunked):
    body = os.urandom(length)
    edged.origin.reply = lambda request: answer(hashlib.sha256(request.body).hexdigest())
    with Client(edged.edge.port) as c:
        if chunked:
            c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, length, 7000):
                part = body[at:at + 7000]
                c.send(b"%x\r\n" % len(part) + part + b"\r\n")
            c.send("0\r\n\r\n")
        else:
            c.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
            c.send(body)
        assert c.read().body == hashlib.sha256(body).hexdigest().encode()
        assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status == 200


@pytest.mark.parametrize("length", [1, 20000, 40000, 131072, 300000, 5000000])
def test_download(edged, length):
    body = os.urandom(length)
    edged.origin.reply = lambda request: answer(body)
    with Client(edged.edge.port) as c:
        for _ in range(2):
            assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == body


def test_slow_reader_gets_all_of_it(edged):
    body = os.urandom(4_000_000)
    edged.origin.reply = lambda request: answer(body)
    with Client(edged.edge.port, rcvbuf=8192) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(20):
            time.sleep(0.01)
            c.buffer += c.socket.recv(20000)
        assert c.read().body == body


def test_early_answer_during_an_upload(edged):
    def serve(conversation):
        conversation.head()
        conversation.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")

    edged.origin.serve = serve
    with Client(edged.edge.port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + "x" * 100000)
        a = c.read()
        assert a.status == 413 and a.body == b"big"


BROKEN = [
    ("garbage", b"SSH-2.0-OpenSSH\r\n\r\n", 502),
    ("bad status", b"HTTP/1.1 xyz OK\r\n\r\n", 502),
    ("length and chunked", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 502),
    ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 502),
    ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 502),
    ("cut head", b"HTTP/1.1 200 OK\r\nContent-Le", 502),
    ("unasked 101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502),
    ("nothing", b"", 502),
    ("endless head", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 70000, 502),
]


@pytest.mark.parametrize("data,status", [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_broken_answers(edged, data, status):
    def serve(conversation):
        conversation.request()
        conversation.send(data)

    edged.origin.serve = serve
    assert ask(edged, "POST / HTTP/1.1\nHost: a\nContent-Length: 0\n\n").status == status


def test_truncated_answer_is_truncated(edged):
    def serve(conversation):
        conversation.request()
        conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    edged.origin.serve = serve
    with Client(edged.edge.port) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(Closed):
            c.read()


def test_truncated_chunked_answer_has_no_end(edged):
    def serve(conversation):
        conversation.request()
        conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    edged.origin.serve = serve
    with Client(edged.edge.port) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(Closed):
            c.read()


def test_answer_with_more_than_its_length_is_not_reused(edged):
    edged.origin.reply = lambda request: answer(b"ok") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    for _ in range(5):
        assert ask(edged, "GET / HTTP/1.1\nHost: a\n\n").body == b"ok"


def test_slow_answer_is_504(edged):
    edged.origin.serve = lambda conversation: (conversation.request(), time.sleep(3))
    began = time.time()
    assert ask(edged, "GET /slow HTTP/1.1\nHost: a\n\n").status == 504
    assert time.time() - began < 2.5


def test_client_that_leaves_ends_the_request(edged):
    gone = threading.Event()

    def serve(conversation):
        conversation.request()
        try:
            conversation.line()
        except Closed:
            gone.set()

    edged.origin.serve = serve
    with Client(edged.edge.port) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
    assert gone.wait(3)
    eventually(lambda: "status=499" in edged.edge.access_log(), what="499 in the log")


def until_closed(then):
    """A conversation that does @then and waits until weir ends it; and when it did."""
    gone = threading.Event()

    def serve(conversation):
        try:
            conversation.request()
            then(conversation)
            conversation.line()
        except Closed:
            gone.set()

    return serve, gone


@pytest.mark.parametrize("head", [
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "Content-Length: 100\r\n\r\nhello",
    "Content-Length: 100000000\r\n\r\nhello",
    "Connection: close\r\n\r\nhello",
])
def test_client_that_leaves_a_silent_answer_ends_it(edged, head):
    edged.origin.serve, gone = until_closed(lambda c: c.send("HTTP/1.1 200 OK\r\n" + head))
    with Client(edged.edge.port) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        c._until(b"hello")
        time.sleep(0.7)
        assert not gone.is_set()
    assert gone.wait(5)


def test_half_closed_client_is_gone(edged):
    edged.origin.serve, gone = until_closed(lambda c: None)
    with Client(edged.edge.port) as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        c.end()
        assert gone.wait(5)


def test_half_closed_client_is_answered_where_the_route_says_so(edged):
    def serve(conversation):
        conversation.request()
        time.sleep(0.3)
        conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        time.sleep(0.8)
        conversation.send("world")

    edged.origin.serve = serve
    with Client(edged.edge.port) as c:
        c.send("GET /patient HTTP/1.1\r\nHost: a\r\n\r\n").end()
        assert c.read().body == b"helloworld"


def test_server_is_heard_where_the_route_says_so(edged):
    edged.origin.serve, gone = until_closed(lambda c: None)
    with Client(edged.edge.port) as c:
        c.send("GET /patient HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
    assert not gone.wait(0.5)


def test_kept_connection_that_closed_is_replaced(edged):
    def serve(conversation):
        request = conversation.request()
        edged.origin.requests.append(request)
        conversation.send(answer(b"ok"))

    edged.origin.serve = serve
    with Client(edged.edge.port) as c:
        for method in ("GET", "POST", "GET", "PUT") * 5:
            time.sleep(0.05)  # the close must be there before a POST is sent
            assert c.ask(f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").body == b"ok"


def test_kept_connection_that_closes_on_use_is_retried_for_idempotent_requests(edged):
    """The server reads the second request of a connection and closes."""
    def serve(conversation):
        conversation.request()
        conversation.send(answer(b"ok"))
        conversation.request()

    edged.origin.serve = serve
    for _ in range(10):
        assert ask(edged, "GET / HTTP/1.1\nHost: a\n\n").body == b"ok"
    statuses = [ask(edged, "POST / HTTP/1.1\nHost: a\nContent-Length: 0\n\n").status for _ in range(6)]
    assert set(statuses) <= {200, 502} and 502 in statuses


def test_refused_connection_is_502_and_tried_elsewhere():
    dead = socket.socket()
    dead.bind(("127.0.0.1", 0))  # bound, not listening: refused
    with Origin() as live, Edge("""
sites:
  - listen: ["127.0.0.1:{port}"]
    routes: [{{path: /dead, reverse: dead}}, {{path: /, reverse: both}}]
pools:
  dead: {{servers: ["{dead}"]}}
  both: {{servers: ["{dead}", "{live}"], balance: round_robin}}
""", dead="127.0.0.1:%d" % dead.getsockname()[1], live=live.address) as edge:
        assert get(edge.port, "/dead").status in (502, 503)
        for _ in range(20):
            assert get(edge.port, "/").status == 200
        with Client(edge.port) as c:
            for _ in range(20):
                assert c.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").status == 200
    dead.close()


def test_websocket_end_to_end(edged):
    def serve(conversation):
        request = conversation.head()
        edged.origin.requests.append(request)
        conversation.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello")
        while True:
            conversation.send(conversation.exactly(5).upper())

    edged.origin.serve = serve
    with Client(edged.edge.port) as c:
        # Bytes sent before the 101 are held until it.
        c.send("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: k\r\n\r\nearly")
        a = c.read()
        assert a.status == 101 and a.get("Upgrade") == "websocket" and a.get("Connection").lower() == "upgrade"
        assert c._exactly(10) == b"helloEARLY"
        for _ in range(20):
            c.send("tunne")
            assert c._exactly(5) == b"TUNNE"
    assert seen(edged).get("Upgrade") == "websocket" and seen(edged).get("Connection").lower() == "upgrade"


def test_refused_upgrade_is_an_ordinary_answer(edged):
    with Client(edged.edge.port) as c:
        a = c.ask("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        assert a.status == 200 and a.body == b"ok"
        assert c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"ok"


def test_h2c_upgrade_is_not_carried(edged):
    ask(edged, "GET / HTTP/1.1\nHost: a\nUpgrade: h2c\nHTTP2-Settings: x\nConnection: Upgrade, HTTP2-Settings\n\n")
    assert seen(edged).get("Upgrade") is None and seen(edged).get("HTTP2-Settings") is None


def test_unix_socket_server(tmp_path):
    with Origin(path=str(tmp_path / "app.sock")) as o:
        os.chmod(o.path, 0o777)
        os.chmod(tmp_path, 0o755)
        for parent in tmp_path.parents:
            if str(parent) not in ("/", "/tmp"):
                os.chmod(parent, 0o755)
        with Edge(CONFIG, origin=o.address) as e:
            assert get(e.port, "/").body == b"ok"


def test_queue_waits_for_a_place_and_is_bounded():
    gate = threading.Semaphore(0)
    active, most, lock = [0], [0], threading.Lock()

    def reply(request):
        with lock:
            active[0] += 1
            most[0] = max(most[0], active[0])
        gate.acquire()
        with lock:
            active[0] -= 1
        return answer(b"ok")

    with Origin(reply=reply) as o, Edge("""
runtime: {{threads: 1}}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes: [{{path: /, reverse: p}}]
pools:
  p: {{servers: [{{address: "{origin}", max_requests: 2}}], queue: {{max: 3, timeout: 5s}}}}
""", origin=o.address) as edge:
        clients = [Client(edge.port) for _ in range(8)]
        for c in clients:
            c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.05)
        refused = [c.read() for c in clients[5:]]
        assert [a.status for a in refused] == [503] * 3
        assert all(a.get("Retry-After") for a in refused)
        for _ in range(5):
            gate.release()
        assert [c.read().status for c in clients[:5]] == [200] * 5
        assert most[0] == 2
        for c in clients:
            c.close()


def test_queue_times_out():
    with Origin(serve=lambda conversation: (conversation.request(), time.sleep(4))) as o, Edge("""
sites:
  - listen: ["127.0.0.1:{port}"]
    routes: [{{path: /, reverse: p}}]
pools:
  p: {{servers: [{{address: "{origin}", max_requests: 1}}], queue: {{max: 30, timeout: 300ms}}}}
""", origin=o.address) as edge:
        with Client(edge.port) as first, Client(edge.port) as second:
            first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.1)
            began = time.time()
            assert second.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status == 503
            assert 0.2 < time.time() - began < 2


def test_clients_that_leave_as_their_answers_come_spoil_no_connection():
    """A load that is cut short: hang-ups and answers in the same moment."""
    # Under sanitizers 400 connections at once take longer than 2 s.
    with Edge("""
sites:
  - listen: ["127.0.0.1:{port}"]
    routes: [{{path: /, reverse: self}}]
  - listen: ["127.0.0.1:{port2}"]
    routes: [{{path: /, respond: ok}}]
pools:
  self: {{servers: ["127.0.0.1:{port2}"], connect_timeout: 30s}}
""") as edge:
        for _ in range(3):
            subprocess.run(["wrk", "-t1", "-c400", "-d1s", f"http://127.0.0.1:{edge.port}/"], check=True, stdout=subprocess.DEVNULL)
            time.sleep(0.1)
            assert [get(edge.port).status for _ in range(30)] == [200] * 30
