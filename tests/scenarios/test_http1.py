"""HTTP/1.1 as a strict server speaks it, byte by byte."""

import time

import pytest

from support.edge import Edge, eventually
from support.raw import Client, Closed, Origin, answer, get

CONFIG = """
limits: {{header_timeout: 1s, body_timeout: 1s, idle_timeout: 2s, header_bytes: 8KiB, header_count: 40, request_line: 2KiB,
         min_rate: 1000, min_rate_grace: 1s}}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{exact: /ping, methods: [GET, HEAD], respond: "pong"}}
      - {{exact: /small, respond: "small", methods: [POST], limits: {{body_bytes: 10}}}}
      - {{exact: /head, headers: {{X-Want: "1"}}, respond: "wanted"}}
      - {{exact: /trace, methods: [TRACE, GET], reverse: origin}}
      - {{path: /, reverse: origin}}
  - hosts: [one.example, "*.wild.example"]
    listen: ["127.0.0.1:{port}"]
    routes:
      - {{path: /, respond: "one"}}
pools:
  origin:
    servers: ["{origin}"]
"""


@pytest.fixture(scope="module")
def origin():
    with Origin(reply=lambda request: answer(
            f"{request.line}|{request.get('Host')}|{len(request.body)}", fields=f"X-Body: {request.body[:40].decode('latin-1')}\r\n")) as o:
        yield o


@pytest.fixture(scope="module")
def edge(origin):
    with Edge(CONFIG, origin=origin.address) as e:
        yield e


def ask(edge, text, method="GET"):
    with Client(edge.port) as c:
        return c.ask(text.replace("\n", "\r\n"), method)


REFUSED = [
    ("bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ("bare LF in a field", b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    ("bare CR", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("bad Host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("Host against target", b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("length and chunked", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("two lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    ("length list", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
    ("signed length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
    ("huge length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
    ("coding in 1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("other coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ("obfuscated coding", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
    ("space before colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("folding", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
    ("empty name", b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
    ("NUL in value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
    ("version 2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("version 1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("no version", b"GET /\r\n\r\n", 400),
    ("two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("TLS on a plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 40, 400),
    ("above the root", b"GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("escaped above the root", b"GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("escaped slash", b"GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("escaped NUL", b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("broken escape", b"GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("relative target", b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("star for GET", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("other expectation", b"POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n", 417),
    ("long line", b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("large head", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    ("many fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: a\r\n" % i for i in range(50)) + b"\r\n", 431),
    ("bad chunk size", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
    ("chunk without its end", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
    ("chunk with bare LF", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n", 400),
    ("Content-Length as trailer", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n", 400),
    ("Connection names Host", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: host\r\n\r\n", 400),
    ("CONNECT", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501),
    ("TRACE", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
]


@pytest.mark.parametrize("data,status", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused(edge, data, status):
    with Client(edge.port) as c:
        assert c.ask(data).status == status


def test_refusal_of_a_head_closes(edge):
    with Client(edge.port) as c:
        assert c.ask("GET / HTTP/1.1\nHost: a\n\n").get("Connection") == "close"
        assert c.closed()


def test_nothing_after_a_refused_head_is_served(edge, origin):
    before = len(origin.requests)
    with Client(edge.port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.read().status == 400
        assert c.rest() == b""
    assert len(origin.requests) == before


def test_keep_alive_and_close(edge):
    with Client(edge.port) as c:
        for _ in range(3):
            a = c.ask("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (a.status, a.body, a.get("Connection")) == (200, b"pong", None)
        a = c.ask("GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert a.get("Connection") == "close"
        assert c.closed()


def test_http_10(edge):
    with Client(edge.port) as c:
        a = c.ask("GET /ping HTTP/1.0\r\n\r\n")
        assert a.status == 200 and a.get("Connection") == "close"
        assert c.closed()
    with Client(edge.port) as c:
        a = c.ask("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert a.get("Connection") == "keep-alive"
        assert c.ask("GET /ping HTTP/1.0\r\n\r\n").body == b"pong"


def test_date_server(edge):
    a = ask(edge, "GET /ping HTTP/1.1\nHost: a\n\n")
    assert a.get("Date").endswith("GMT") and a.get("Server") == "weir"


def test_pipelining(edge):
    with Client(edge.port) as c:
        c.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.read().body == b"pong"
        assert c.read().body == b"POST /x HTTP/1.1|a|3"
        assert c.read().body == b"pong"


def test_pipelining_many(edge):
    with Client(edge.port) as c:
        c.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n" * 2000)
        for _ in range(2000):
            assert c.read().body == b"pong"


def test_split_at_every_byte(edge):
    text = "POST /split HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for at in range(1, len(text)):
        with Client(edge.port) as c:
            c.send(text[:at])
            time.sleep(0.002)
            assert c.ask(text[at:]).body == b"POST /split HTTP/1.1|a|3"


def test_head(edge):
    with Client(edge.port) as c:
        a = c.ask("HEAD /ping HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD")
        assert a.get("Content-Length") == "4"
        assert c.ask("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").body == b"pong"


def test_options_star(edge):
    a = ask(edge, "OPTIONS * HTTP/1.1\nHost: a\n\n")
    assert a.status == 204 and "GET" in a.get("Allow")


def test_method_refused_says_what_is_allowed(edge):
    a = ask(edge, "POST /small2 HTTP/1.1\nHost: one.example\nContent-Length: 0\n\n")
    assert a.status == 200
    with Edge("""
sites:
  - listen: ["127.0.0.1:{port}"]
    routes: [{{exact: /, methods: [GET, HEAD], respond: x}}]
""") as e:
        a = ask(e, "DELETE / HTTP/1.1\nHost: a\n\n")
        assert a.status == 405 and a.get("Allow") == "GET, HEAD"
        assert ask(e, "GET /other HTTP/1.1\nHost: a\n\n").status == 404


def test_sites(edge):
    assert ask(edge, "GET /ping HTTP/1.1\nHost: ONE.example\n\n").body == b"one"
    assert ask(edge, "GET /ping HTTP/1.1\nHost: one.example:1234\n\n").body == b"one"
    assert ask(edge, "GET /ping HTTP/1.1\nHost: one.example.\n\n").body == b"one"
    assert ask(edge, "GET /ping HTTP/1.1\nHost: a.b.wild.example\n\n").body == b"one"
    assert ask(edge, "GET /ping HTTP/1.1\nHost: wild.example\n\n").body == b"pong"
    assert ask(edge, "GET http://one.example/ping HTTP/1.1\nHost: one.example\n\n").body == b"one"


def test_unknown_host_is_misdirected():
    with Edge("""
sites:
  - hosts: [only.example]
    listen: ["127.0.0.1:{port}"]
    routes: [{{path: /, respond: x}}]
""") as e:
        assert ask(e, "GET / HTTP/1.1\nHost: other.example\n\n").status == 421
        assert ask(e, "GET / HTTP/1.1\nHost: only.example\n\n").status == 200


def test_route_by_header(edge):
    assert ask(edge, "GET /head HTTP/1.1\nHost: a\nx-want: 1\n\n").body == b"wanted"
    assert ask(edge, "GET /head HTTP/1.1\nHost: a\nx-want: 2\n\n").body.startswith(b"GET /head")


def test_path_is_normalised_once(edge):
    for path, seen in [("/a/./b", "/a/b"), ("/a//b", "/a/b"), ("/a/x/../b", "/a/b"), ("/%61/b", "/a/b"), ("/a/b?q=/../x", "/a/b?q=/../x"), ("/a%20b", "/a%20b")]:
        assert ask(edge, f"GET {path} HTTP/1.1\nHost: a\n\n").body == f"GET {seen} HTTP/1.1|a|0".encode()


def test_expect_continue(edge):
    with Client(edge.port) as c:
        c.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert c.read().status == 100
        assert c.ask("abc").body == b"POST /up HTTP/1.1|a|3"


def test_expect_continue_refused_early(edge):
    with Client(edge.port) as c:
        a = c.ask("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
        assert a.status == 413 and a.get("Connection") == "close"


def test_body_limit(edge):
    with Client(edge.port) as c:
        assert c.ask("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789").body == b"small"
        assert c.ask("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n01234567890").status == 413


def test_unread_body_is_drained(edge):
    with Client(edge.port) as c:
        for _ in range(3):
            c.send(b"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            c.send(b"hello")
            assert c.read().body == b"small"


def test_silent_client_is_closed(edge):
    with Client(edge.port) as c:
        began = time.time()
        assert c.closed()
        assert 0.5 < time.time() - began < 4


def test_slow_head_is_answered_408(edge):
    with Client(edge.port) as c:
        c.send("GET / HTTP/1.1\r\n")
        assert c.read().status == 408


def test_slow_body_is_answered_408(edge):
    with Client(edge.port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
        assert c.read().status == 408


def test_drip_below_the_minimum_rate_is_cut(edge):
    with Client(edge.port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        began = time.time()
        with pytest.raises((Closed, OSError, AssertionError)):
            while time.time() - began < 8:
                c.send("x")
                time.sleep(0.1)
                c.socket.settimeout(0.01)
                try:
                    assert c.read().status != 408
                except TimeoutError:
                    pass
        assert time.time() - began < 6


def test_idle_connection_is_closed(edge):
    with Client(edge.port) as c:
        c.ask("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
        began = time.time()
        assert c.closed()
        assert 1 < time.time() - began < 5


def test_connection_closed_inside_a_head(edge):
    with Client(edge.port) as c:
        c.send("GET /ping HT").end()
        assert c.rest() == b""
    assert get(edge.port, "/ping").status == 200


def test_half_closed_after_a_request_is_answered_for_local_answers(edge):
    with Client(edge.port) as c:
        c.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").end()
        assert c.read().body == b"pong"


def test_trailers_reach_the_log_of_nobody_but_are_parsed(edge):
    a = ask(edge, "POST /t HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n3;ext=1\nabc\n0\nX-T: 1\n\n")
    assert a.body == b"POST /t HTTP/1.1|a|3"


def test_trace_only_where_a_route_names_it(edge):
    assert ask(edge, "TRACE /trace HTTP/1.1\nHost: a\n\n").body.startswith(b"TRACE /trace")
