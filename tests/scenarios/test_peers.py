"""The software that the world runs, before and behind the edge."""

import asyncio
import gzip
import http.client
import json
import os
import pathlib
import re
import subprocess
import threading

import pytest
import websockets

from support.edge import Edge, eventually
from support.peers import HAProxy, Nginx
from support.raw import Client, Origin, answer, get

FETCH = pathlib.Path(__file__).parents[1] / "support" / "fetch.js"

BEHIND = """
sites:
  - listen: ["127.0.0.1:{port}", "unix:{folder}/http.sock"]
    routes:
      - {{exact: /fixed, respond: "fixed"}}
      - {{path: /, reverse: origin}}
pools:
  origin: {{servers: ["{origin}"]}}
"""

NGINX_ORIGIN = """
server {{
    listen {port};
    root {folder}/www;
    gzip on; gzip_min_length 100; gzip_proxied any; gzip_types text/plain text/css;
    location /chunked/ {{ alias {folder}/www/; ssi on; ssi_types *; gzip off; add_header X-Chunked yes; }}
    location /close/ {{ alias {folder}/www/; keepalive_timeout 0; }}
    location /few/ {{ alias {folder}/www/; keepalive_requests 3; }}
    location /put/ {{ dav_methods PUT DELETE; create_full_put_path on; client_max_body_size 0; }}
    location /small/ {{ dav_methods PUT; client_max_body_size 1k; }}
    location /moved {{ return 301 /big.bin; }}
    location /none {{ return 204; }}
    location /host {{ return 200 "$host $http_x_forwarded_for $http_via $http_connection"; }}
}}
"""

HAPROXY_ORIGIN = """
frontend f
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string "from haproxy" if {{ path /fixed-there }}
    http-request return status 503 content-type text/plain string "full" if {{ path /full }}
    http-request redirect location /elsewhere code 302 if {{ path /moved }}
    http-request deny deny_status 403 if {{ path /denied }}
    default_backend b
backend b
    option http-keep-alive
    server s {origin}
"""

# nginx with server-side includes loses a `<` at the very end of a file.
BIG = os.urandom(2_999_999) + b"\n"
TEXT = b"".join(b"line %d of a text that can be compressed\n" % i for i in range(5000))


def curl(*arguments, timeout=60):
    done = subprocess.run(["curl", "-s", "-S", "--max-time", "50", *map(str, arguments)], capture_output=True, timeout=timeout)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr.decode())
    return done.stdout


def echo(request):
    return answer(request.body, fields=f"X-Method: {request.method}\r\nX-Framing: {request.get('Transfer-Encoding') or request.get('Content-Length')}\r\n")


# ---- nginx behind ----


@pytest.fixture(scope="module")
def nginx():
    peer = Nginx(NGINX_ORIGIN)
    www = peer.folder / "www"
    for folder in (www, www / "put"):
        folder.mkdir()
        folder.chmod(0o777)
    (www / "big.bin").write_bytes(BIG)
    (www / "text.txt").write_bytes(TEXT)
    (www / "small.txt").write_bytes(b"small")
    (www / "empty.txt").write_bytes(b"")
    with peer, Edge(BEHIND, origin=peer.address) as edge:
        edge.nginx = peer
        yield edge


def test_nginx_files(nginx):
    with Client(nginx.port) as c:
        for _ in range(3):
            for name, body in (("big.bin", BIG), ("text.txt", TEXT), ("small.txt", b"small"), ("empty.txt", b"")):
                a = c.ask(f"GET /{name} HTTP/1.1\r\nHost: a\r\n\r\n")
                assert a.status == 200 and a.body == body, name
                assert a.get("Content-Length") == str(len(body)) and a.get("ETag") and "nginx" in a.get("Server")
        assert c.ask("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n").status == 404
        assert c.ask("GET /moved HTTP/1.1\r\nHost: a\r\n\r\n").status == 301
        assert c.ask("GET /none HTTP/1.1\r\nHost: a\r\n\r\n").status == 204
        assert c.ask("GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n").body == b"small"


def test_nginx_head_has_the_length_and_no_body(nginx):
    with Client(nginx.port) as c:
        for name, length in (("big.bin", len(BIG)), ("empty.txt", 0), ("text.txt", len(TEXT))):
            a = c.ask(f"HEAD /{name} HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD")
            assert a.status == 200 and a.get("Content-Length") == str(length)
        a = c.ask("HEAD /chunked/text.txt HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD")
        assert a.status == 200 and a.get("Content-Length") is None
        assert c.ask("GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n").body == b"small"


def test_nginx_chunked(nginx):
    with Client(nginx.port) as c:
        for name, body in (("text.txt", TEXT), ("small.txt", b"small"), ("big.bin", BIG)):
            a = c.ask(f"GET /chunked/{name} HTTP/1.1\r\nHost: a\r\n\r\n")
            assert a.get("X-Chunked") == "yes" and a.get("Transfer-Encoding") == "chunked" and a.body == body


def test_nginx_gzip(nginx):
    with Client(nginx.port) as c:
        for _ in range(3):
            a = c.ask("GET /text.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
            assert a.get("Content-Encoding") == "gzip" and a.get("Transfer-Encoding") == "chunked"
            assert gzip.decompress(a.body) == TEXT
    assert curl("--compressed", f"http://127.0.0.1:{nginx.port}/text.txt") == TEXT
    # A client of HTTP/1.0 cannot be told of chunks: the end closes.
    raw = curl("--http1.0", "-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{nginx.port}/text.txt")
    assert gzip.decompress(raw) == TEXT


def test_nginx_ranges(nginx):
    with Client(nginx.port) as c:
        a = c.ask("GET /big.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-200999\r\n\r\n")
        assert a.status == 206 and a.body == BIG[1000:201000]
        assert a.get("Content-Range") == f"bytes 1000-200999/{len(BIG)}"
        a = c.ask("GET /big.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,-1\r\n\r\n")
        assert a.status == 206 and a.get("Content-Type").startswith("multipart/byteranges")
        assert len(a.body) == int(a.get("Content-Length")) and BIG[-1:] in a.body
        a = c.ask(f"GET /big.bin HTTP/1.1\r\nHost: a\r\nRange: bytes={len(BIG)}-\r\n\r\n")
        assert a.status == 416 and a.get("Content-Range") == f"bytes */{len(BIG)}"


def test_nginx_conditions(nginx):
    with Client(nginx.port) as c:
        first = c.ask("GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        for condition in (f"If-None-Match: {first.get('ETag')}", f"If-Modified-Since: {first.get('Last-Modified')}"):
            a = c.ask(f"GET /big.bin HTTP/1.1\r\nHost: a\r\n{condition}\r\n\r\n")
            assert a.status == 304 and a.body == b"" and a.get("ETag") == first.get("ETag")
        assert c.ask("GET /big.bin HTTP/1.1\r\nHost: a\r\nIf-Match: \"other\"\r\n\r\n").status == 412
        assert c.ask("GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n").body == b"small"


@pytest.mark.parametrize("where", ["close", "few"])
def test_nginx_that_closes_its_connections(nginx, where):
    """Each method, some of which may not be sent twice."""
    with Client(nginx.port) as c:
        for i in range(40):
            a = c.ask(f"GET /{where}/small.txt HTTP/1.1\r\nHost: a\r\n\r\n")
            assert a.status == 200 and a.body == b"small", i
            assert c.ask(f"POST /{where}/small.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").status == 405


@pytest.mark.parametrize("length", [0, 5, 16384, 100_000, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_nginx_upload(nginx, length, chunked):
    body = BIG[:length]
    framing = ["-H", "Transfer-Encoding: chunked"] if chunked else []
    code = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", "-" if chunked else "/dev/stdin", *framing,
                           f"http://127.0.0.1:{nginx.port}/put/{length}-{chunked}"], input=body, capture_output=True, timeout=50).stdout
    assert code in (b"201", b"204")
    assert (nginx.nginx.folder / "www" / "put" / f"{length}-{chunked}").read_bytes() == body


def test_nginx_refuses_an_upload_early(nginx):
    """413 before the body has been sent, which must not come to 502."""
    for _ in range(10):
        with Client(nginx.port) as c:
            c.send(f"PUT /small/x HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BIG)}\r\n\r\n")
            try:
                c.send(BIG)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert c.read().status == 413


def test_nginx_sees_whom_it_serves(nginx):
    a = get(nginx.port, "/host", host="shop.example")
    assert a.body == b"shop.example 127.0.0.1 1.1 weir "


# ---- HAProxy behind, an origin behind it ----


@pytest.fixture(scope="module")
def haproxy():
    with Origin(reply=echo) as origin, HAProxy(HAPROXY_ORIGIN, origin=origin.address) as peer, \
            Edge(BEHIND, origin=peer.address) as edge:
        edge.origin = origin
        yield edge


def test_haproxy_answers(haproxy):
    with Client(haproxy.port) as c:
        for _ in range(5):
            assert c.ask("GET /fixed-there HTTP/1.1\r\nHost: a\r\n\r\n").body == b"from haproxy"
            a = c.ask("GET /moved HTTP/1.1\r\nHost: a\r\n\r\n")
            assert a.status == 302 and a.get("Location") == "/elsewhere"
            assert c.ask("GET /denied HTTP/1.1\r\nHost: a\r\n\r\n").status == 403
            a = c.ask("GET /full HTTP/1.1\r\nHost: a\r\n\r\n")
            assert a.status == 503 and a.body == b"full"


@pytest.mark.parametrize("length", [0, 5, 16384, 200_000, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_haproxy_upload_and_download(haproxy, length, chunked):
    body = BIG[:length]
    with Client(haproxy.port) as c:
        for _ in range(2):
            if chunked:
                c.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for at in range(0, length, 30000):
                    part = body[at:at + 30000]
                    c.send(b"%x\r\n" % len(part) + part + b"\r\n")
                c.send("0\r\n\r\n")
            else:
                c.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
                c.send(body)
            a = c.read()
            assert a.status == 200 and a.body == body
            assert a.get("X-Framing") == ("chunked" if chunked else str(length))


# ---- nginx and HAProxy in front ----

TRUSTING = "trust: [127.0.0.0/8]\n" + BEHIND

NGINX_FRONT = """
upstream edge {{ server {edge}; keepalive 8; }}
server {{
    listen {port};
    client_max_body_size 0;
    location / {{
        proxy_pass http://edge; proxy_http_version 1.1; proxy_set_header Connection "";
        proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto https;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_request_buffering off;
    }}
}}
"""

HAPROXY_FRONT = """
frontend f
    bind 127.0.0.1:{port}
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    default_backend b
backend b
    http-reuse always
    server s {edge}
"""


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def front(request):
    """The edge between a proxy of others and an origin."""
    peer, config = {"nginx": (Nginx, NGINX_FRONT), "haproxy": (HAProxy, HAPROXY_FRONT)}[request.param]
    with Origin(reply=echo) as origin, Edge(TRUSTING, origin=origin.address) as edge, \
            peer(config, edge=f"127.0.0.1:{edge.port}") as proxy:
        proxy.edge, proxy.origin = edge, origin
        yield proxy


def test_chain_of_proxies(front):
    """Each hop adds the peer that it has seen; ours logs the first that
    nobody trusted vouches for."""
    get(front.port, "/echo", fields="X-Forwarded-For: 203.0.113.7\r\n", host="shop.example")
    seen = front.origin.requests[-1]
    assert ", ".join(seen.all("X-Forwarded-For")) == "203.0.113.7, 127.0.0.1, 127.0.0.1"
    assert seen.get("X-Forwarded-Proto") == "https" and seen.get("Host") == "shop.example"
    eventually(lambda: "client=203.0.113.7" in front.edge.access_log(), what="the client in the log")


def test_front_keeps_its_connections(front):
    before = front.origin.connections
    with Client(front.port) as c:
        for i in range(50):
            assert c.ask(f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
    assert front.origin.connections - before <= 8


@pytest.mark.parametrize("length", [0, 7, 100_000, 2_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_upload_through_both(front, length, chunked):
    body = BIG[:length]
    with Client(front.port, timeout=30) as c:
        for _ in range(3):
            if chunked:
                c.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for at in range(0, length, 9000):
                    part = body[at:at + 9000]
                    c.send(b"%x\r\n" % len(part) + part + b"\r\n")
                c.send("0\r\n\r\n")
            else:
                c.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
                c.send(body)
            a = c.read()
            assert a.status == 200 and a.body == body


def test_front_with_a_client_of_http_10(front):
    for _ in range(5):
        assert curl("--http1.0", "-d", "hello", f"http://127.0.0.1:{front.port}/echo") == b"hello"


# ---- WebSocket, both ends of others ----


def websocket_client(port, talk):
    async def run():
        async with websockets.connect(f"ws://127.0.0.1:{port}/chat", max_size=None, ping_interval=None,
                                      subprotocols=["weir.test"]) as ws:
            assert ws.subprotocol == "weir.test"
            await talk(ws)
    asyncio.run(asyncio.wait_for(run(), 50))


class WebSocketServer:
    """Echoes, in a loop of its own in a thread of its own."""

    def __enter__(self):
        ready = threading.Event()
        self.closed = []

        async def handle(ws, *_):
            try:
                async for message in ws:
                    if message == "bye":
                        await ws.close(4001, "as asked")
                        break
                    await ws.send(message)
            finally:
                self.closed.append(ws.close_code)

        async def run():
            self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
            async with websockets.serve(handle, "127.0.0.1", 0, max_size=None, subprotocols=["weir.test"],
                                        close_timeout=2) as server:
                self.port = server.sockets[0].getsockname()[1]
                ready.set()
                await self.stop.wait()

        self.thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        self.thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(10)


@pytest.fixture(scope="module")
def chat():
    with WebSocketServer() as server, Edge(BEHIND, origin=f"127.0.0.1:{server.port}") as edge:
        edge.server = server
        yield edge


def test_websocket_messages(chat):
    async def talk(ws):
        for message in ("hello", b"\0\1\2" * 1000, "", "ü" * 70000, os.urandom(2_000_000)):
            await ws.send(message)
            assert await ws.recv() == message
        await (await ws.ping())  # a pong comes back

    websocket_client(chat.port, talk)
    eventually(lambda: chat.server.closed, what="the server's end of it")
    assert chat.server.closed[-1] == 1000


def test_websocket_many_at_once(chat):
    async def talk(ws):
        async def send():
            for i in range(2000):
                await ws.send(f"message {i}")

        async def recv():
            for i in range(2000):
                assert await ws.recv() == f"message {i}"

        await asyncio.gather(send(), recv())

    websocket_client(chat.port, talk)


def test_websocket_closed_by_the_server(chat):
    async def talk(ws):
        await ws.send("bye")
        with pytest.raises(websockets.ConnectionClosed) as e:
            await ws.recv()
        assert e.value.code == 4001

    websocket_client(chat.port, talk)


def test_websocket_outlives_a_reload(chat):
    async def talk(ws):
        await ws.send("before")
        assert await ws.recv() == "before"
        loop = asyncio.get_running_loop()
        for _ in range(3):
            assert await loop.run_in_executor(None, chat.reload)
            await ws.send("after")
            assert await ws.recv() == "after"

    websocket_client(chat.port, talk)


@pytest.mark.parametrize("peer,config", [(Nginx, """
server {{
    listen {port};
    location / {{
        proxy_pass http://{edge}; proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
}}
"""), (HAProxy, HAPROXY_FRONT)])
def test_websocket_through_two_proxies(chat, peer, config):
    async def talk(ws):
        for size in (10, 100_000):
            await ws.send("x" * size)
            assert await ws.recv() == "x" * size

    with peer(config, edge=f"127.0.0.1:{chat.port}") as proxy:
        websocket_client(proxy.port, talk)


# ---- curl ----


@pytest.fixture(scope="module")
def echoed():
    with Origin(reply=echo) as origin, Edge(BEHIND, origin=origin.address) as edge:
        edge.origin = origin
        yield edge


def test_curl_keeps_its_connection(echoed):
    url = f"http://127.0.0.1:{echoed.port}"
    again = []
    for path in ("/a", "/fixed", "/b", "/fixed"):
        again += ["--next", "-s", "-o", "/dev/null", "-w", "%{num_connects} %{http_code}\n", f"{url}{path}"]
    lines = curl("-o", "/dev/null", "-w", "%{num_connects} %{http_code}\n", f"{url}/first", *again).decode().splitlines()
    assert lines == ["1 200"] + ["0 200"] * 4


def test_curl_of_http_10(echoed):
    url = f"http://127.0.0.1:{echoed.port}"
    assert curl("--http1.0", f"{url}/fixed") == b"fixed"
    assert curl("-0", "-d", "abc", f"{url}/echo") == b"abc"
    # curl asks for nothing, so the connection is closed after each.
    lines = curl("--http1.0", "-o", "/dev/null", "-w", "%{num_connects}\n", f"{url}/fixed", "--next", "-s", "--http1.0",
                 "-o", "/dev/null", "-w", "%{num_connects}\n", f"{url}/fixed").split()
    assert lines == [b"1", b"1"]


@pytest.mark.parametrize("length", [1, 5000, 2_000_000])
def test_curl_upload_with_expect(echoed, tmp_path, length):
    (tmp_path / "body").write_bytes(BIG[:length])
    done = subprocess.run(["curl", "-s", "-v", "-H", "Expect: 100-continue", "--expect100-timeout", "30", "--max-time", "20",
                           "-T", tmp_path / "body", f"http://127.0.0.1:{echoed.port}/echo"], capture_output=True, timeout=40)
    assert done.returncode == 0 and done.stdout == BIG[:length]
    assert b"HTTP/1.1 100 Continue" in done.stderr
    assert echoed.origin.requests[-1].get("Expect") is None


def test_curl_form_and_odd_methods(echoed, tmp_path):
    url = f"http://127.0.0.1:{echoed.port}/echo"
    (tmp_path / "file").write_bytes(TEXT)
    assert TEXT in curl("-F", f"f=@{tmp_path}/file", "-F", "a=b", url)
    for method in ("PATCH", "DELETE", "PROPFIND", "OPTIONS"):
        assert f"X-Method: {method}".encode() in curl("-i", "-X", method, url)


def test_curl_over_a_unix_socket(echoed):
    socket_path = echoed.folder / "http.sock"
    assert curl("--unix-socket", socket_path, "http://a/fixed") == b"fixed"
    lines = curl("--unix-socket", socket_path, "-d", "abc", "-w", "\n%{num_connects}\n", "http://a/echo", "--next", "-s",
                 "--unix-socket", socket_path, "-d", "def", "-w", "\n%{num_connects}\n", "http://a/echo").split()
    assert lines == [b"abc", b"1", b"def", b"0"]
    assert echoed.origin.requests[-1].all("X-Forwarded-For") == ["unix:"]
    eventually(lambda: "client=unix:" in echoed.access_log(), what="a line in the log")


def test_curl_many_at_once(echoed):
    url = f"http://127.0.0.1:{echoed.port}/echo?[1-200]"
    out = curl("--parallel", "--parallel-max", "20", "-o", "/dev/null", "-w", "%{http_code}\n", url)
    assert out.split() == [b"200"] * 200


# ---- clients as libraries ----


def test_http_client_of_python(echoed):
    c = http.client.HTTPConnection("127.0.0.1", echoed.port, timeout=20)
    c.connect()
    first = c.sock
    for i in range(20):
        c.request("POST", "/echo", body=BIG[:i * 1000])
        a = c.getresponse()
        assert a.status == 200 and a.read() == BIG[:i * 1000]
        c.request("PUT", "/echo", body=iter([b"abc", b"", b"def" * 10000]), encode_chunked=True,
                  headers={"Transfer-Encoding": "chunked"})
        a = c.getresponse()
        assert a.read() == b"abc" + b"def" * 10000 and a.getheader("X-Framing") == "chunked"
        c.request("HEAD", "/echo")
        a = c.getresponse()
        assert a.status == 200 and a.read() == b""
    assert c.sock is first
    c.close()


def test_node(echoed):
    done = subprocess.run(["node", str(FETCH), f"http://127.0.0.1:{echoed.port}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["fetched"] == 160 and seen["posted"] == 10 and seen["streamed"] == 5 and seen["agent"] == 30
    assert set(seen["statuses"]) == {"200"}
    assert seen["sockets"] <= 2


# ---- load by others' tools ----


@pytest.fixture(scope="module")
def busy(nginx):
    with Edge(BEHIND, origin=nginx.nginx.address) as edge:
        yield edge


@pytest.mark.load
@pytest.mark.parametrize("path", ["/fixed", "/small.txt", "/big.bin", "/chunked/text.txt", "/close/small.txt", "/few/small.txt"])
def test_wrk(busy, path):
    out = subprocess.run(["wrk", "-t1", "-c32", "-d2s", "--timeout", "20s", f"http://127.0.0.1:{busy.port}{path}"],
                         capture_output=True, text=True, timeout=60).stdout
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    assert int(re.search(r"(\d+) requests in", out).group(1)) > 10, out


@pytest.mark.load
@pytest.mark.parametrize("path,pipelined", [("/fixed", 1), ("/small.txt", 1), ("/text.txt", 1), ("/fixed", 8), ("/small.txt", 8)])
def test_h2load(busy, path, pipelined):
    total = 4000
    out = subprocess.run(["h2load", "--h1", "-n", str(total), "-c", "20", "-m", str(pipelined), f"http://127.0.0.1:{busy.port}{path}"],
                         capture_output=True, text=True, timeout=60).stdout
    assert f"{total} succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    assert re.search(rf"status codes: {total} 2xx, 0 3xx, 0 4xx, 0 5xx", out), out
