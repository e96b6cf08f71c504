"""Static files: what is served, in which form, and what never is."""

import contextlib
import email.parser
import email.policy
import gzip
import http.client
import json
import os
import random
import socket
import stat
import subprocess
import threading
import time

import pytest

from support.edge import Edge, proc_status

CONFIG = """
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{path: /coded/, files: {{root: {folder}/www, precompressed: [br, zstd, gzip]}}}}
      - {{path: /list/, files: {{root: {folder}/www, listing: true, index: []}}}}
      - {{path: /links/, files: {{root: {folder}/www, symlinks: true}}}}
      - {{path: /hidden/, files: {{root: {folder}/www, hidden: true}}}}
      - {{path: /page/, files: {{root: {folder}/www, not_found: 404.html, cache_control: "max-age=60"}}}}
      - {{path: /current/, files: {folder}/current}}
      - {{path: /, files: {folder}/www}}
"""

SECRET = b"root:secret"
SMALL = b"hello\n"
MEDIUM = bytes(random.Random(1).randbytes(100_000))  # answered from memory
LARGE = bytes(random.Random(2).randbytes(1_000_000))  # by sendfile
SPARSE = 3 << 30


def names(value):
    """For test ids: bodies are left out."""
    return value if isinstance(value, str) else ""


def fill(folder):
    www = folder / "www"
    (www / "dir").mkdir(parents=True)
    (www / ".git").mkdir()
    (folder / "outside").mkdir()
    (folder / "outside" / "secret").write_bytes(SECRET)
    (folder / "secret").write_bytes(SECRET)
    (www / "small.txt").write_bytes(SMALL)
    (www / "medium.bin").write_bytes(MEDIUM)
    (www / "large.bin").write_bytes(LARGE)
    (www / "empty").write_bytes(b"")
    (www / "dir" / "index.html").write_bytes(b"<p>index")
    (www / "404.html").write_bytes(b"not here")
    (www / ".git" / "config").write_bytes(SECRET)
    (www / "a b&<c>.txt").write_bytes(b"odd")
    (www / "app.js").write_bytes(b"plain " * 100)
    (www / "app.js.gz").write_bytes(gzip.compress(b"plain " * 100))
    (www / "app.js.br").write_bytes(b"stands for brotli")
    with open(www / "sparse", "wb") as f:
        f.truncate(SPARSE)
    (www / "inside").symlink_to("small.txt")
    (www / "climbs").symlink_to("../outside/secret")
    (www / "climbs-dir").symlink_to("../outside")
    (www / "absolute").symlink_to("/etc/passwd")
    (www / "absolute-inside").symlink_to(www / "small.txt")
    (www / "magic").symlink_to("/proc/self/root/etc/passwd")
    (www / "loop").symlink_to("loop")
    (www / "dangling").symlink_to("nothing")
    os.mkfifo(www / "fifo")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(www / "socket"))
    if os.getuid() == 0:
        with contextlib.suppress(PermissionError):
            os.mknod(www / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    (folder / "v1").mkdir()
    (folder / "v2").mkdir()
    (folder / "v1" / "f").write_bytes(b"one")
    (folder / "v2" / "f").write_bytes(b"two")
    (folder / "current").symlink_to("v1")


@pytest.fixture(scope="module")
def edge():
    e = Edge(CONFIG)
    fill(e.folder)
    with e:
        yield e


def ask(edge, path, method="GET", **headers):
    """Status, fields and body; x_y in @headers is X-Y."""
    c = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=20)
    try:
        c.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            c.putheader(name.replace("_", "-"), value)
        c.endheaders()
        r = c.getresponse()
        return r.status, r.headers, r.read()
    finally:
        c.close()


def raw(edge, target):
    """The whole answer to a target that no client library would send."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=20) as s:
        s.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := s.recv(65536):
            data += piece
    return int(data[9:12]), data


# ---- what is served ----


@pytest.mark.parametrize("name,body,kind", ids=names, argvalues=[
    ("small.txt", SMALL, "text/plain; charset=utf-8"),
    ("medium.bin", MEDIUM, "application/octet-stream"),
    ("large.bin", LARGE, "application/octet-stream"),
    ("empty", b"", "application/octet-stream"),
    ("a%20b&%3Cc%3E.txt", b"odd", "text/plain; charset=utf-8"),
    ("dir/", b"<p>index", "text/html; charset=utf-8"),
])
def test_get_and_head(edge, name, body, kind):
    for _ in range(3):  # from the disk, then from the cache
        status, fields, got = ask(edge, f"/{name}")
        assert (status, got) == (200, body)
        assert fields["Content-Type"] == kind
        assert fields["Content-Length"] == str(len(body))
        assert fields["Accept-Ranges"] == "bytes"
        assert fields["ETag"].startswith('"') and fields["Last-Modified"].endswith(" GMT")
        head_status, head_fields, nothing = ask(edge, f"/{name}", "HEAD")
        assert (head_status, nothing) == (200, b"")
        for field in ("Content-Length", "Content-Type", "ETag", "Last-Modified"):
            assert head_fields[field] == fields[field]


def test_methods(edge):
    for method in ("POST", "PUT", "DELETE", "PATCH", "PROPFIND"):
        status, fields, _ = ask(edge, "/small.txt", method)
        assert status == 405
        assert fields["Allow"] == "GET, HEAD, OPTIONS"
    status, fields, body = ask(edge, "/small.txt", "OPTIONS")
    assert (status, body) == (204, b"")
    assert fields["Allow"] == "GET, HEAD, OPTIONS"


def test_directory_gets_its_slash(edge):
    status, fields, _ = ask(edge, "/dir?a=b")
    assert (status, fields["Location"]) == (301, "/dir/?a=b")
    status, fields, _ = ask(edge, "/page/dir")
    assert (status, fields["Location"]) == (301, "/page/dir/")


def test_own_page_for_what_is_absent(edge):
    status, fields, body = ask(edge, "/page/nothing")
    assert (status, body) == (404, b"not here")
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert "ETag" not in fields and "Cache-Control" not in fields
    assert ask(edge, "/page/small.txt")[1]["Cache-Control"] == "max-age=60"


def test_hidden_names_when_allowed(edge):
    assert ask(edge, "/hidden/.git/config")[2] == SECRET


def test_links_when_followed(edge):
    assert ask(edge, "/inside")[0] == 404
    assert ask(edge, "/links/inside")[2] == SMALL


# ---- what never is ----

CLIMBS = [
    b"/../secret", b"/..", b"/../", b"/dir/../../secret", b"/dir/../../../etc/passwd", b"/./../secret",
    b"/%2e%2e/secret", b"/.%2e/secret", b"/%2E%2E%2Fsecret", b"/..%2fsecret", b"/..%2Fsecret", b"/dir%2f..%2f..%2fsecret",
    b"/%252e%252e/secret", b"/%252e%252e%252fsecret", b"/..\\secret", b"/..%5csecret", b"/dir\\..\\..\\secret",
    b"/%c0%ae%c0%ae/secret", b"/%c0%ae%c0%ae%c0%afsecret", b"/%e0%80%ae%e0%80%ae/secret",
    b"/....//secret", b"//../secret", b"/..;/secret", b"/..%00/secret", b"/secret%00.txt", b"/small.txt%00", b"/..%0d%0a/secret",
    b"//etc/passwd", b"///etc/passwd", b"/%2fetc/passwd", b"/file:///etc/passwd", b"file:///etc/passwd",
    b"/climbs", b"/climbs-dir/secret", b"/climbs-dir/", b"/absolute", b"/absolute-inside", b"/magic", b"/loop", b"/dangling",
    b"/.git/config", b"/.git/", b"/%2egit/config", b"/%2Egit/config", b"/dir/../.git/config", b"/small.txt/", b"/small.txt/../../secret",
    b"/fifo", b"/socket", b"/device", b"/dir/fifo", b"/nothing", b"/small.txt%20", b"/small.txt.", b"/SMALL.TXT",
    b"http://a/../secret", b"/" + b"../" * 400 + b"etc/passwd", b"/" + b"a" * 3000, b"/" + b"a/" * 2000,
]


@pytest.mark.parametrize("prefix", [b"", b"/links", b"/list", b"/hidden", b"/coded", b"/page"])
def test_nothing_outside_the_root(edge, prefix):
    for target in CLIMBS:
        if prefix and not target.startswith(b"/"):
            continue
        status, answer = raw(edge, prefix + target)
        served = prefix == b"/hidden" and b"git/config" in target
        served = served or (prefix == b"/list" and status == 200 and b"Content-Security-Policy" in answer)
        assert served or status in (301, 400, 404, 414), (prefix + target, status)
        assert served or (SECRET not in answer and b"root:x:" not in answer), prefix + target


def test_special_files_do_not_hold_us_up(edge):
    """Nobody writes to the FIFO: an open that waits for one would hang."""
    for name in ("fifo", "socket", "device"):
        began = time.monotonic()
        for _ in range(5):
            assert ask(edge, f"/{name}")[0] == 404
        assert time.monotonic() - began < 2


def test_unreadable_file(edge):
    path = edge.folder / "www" / "unreadable"
    path.write_bytes(SECRET)
    path.chmod(0)
    status, answer = raw(edge, b"/unreadable")
    assert status == 403 and SECRET not in answer


# ---- conditions ----


def test_conditions(edge):
    _, fields, _ = ask(edge, "/small.txt")
    etag, date = fields["ETag"], fields["Last-Modified"]
    for headers, expected in [
        ({"If_None_Match": etag}, 304), ({"If_None_Match": f'"x", W/{etag}'}, 304), ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"x"'}, 200), ({"If_Modified_Since": date}, 304),
        ({"If_Modified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 200),
        ({"If_None_Match": '"x"', "If_Modified_Since": date}, 200),
        ({"If_Match": etag}, 200), ({"If_Match": '"x"'}, 412), ({"If_Match": f"W/{etag}"}, 412),
        ({"If_Unmodified_Since": date}, 200), ({"If_Unmodified_Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 412),
    ]:
        for method in ("GET", "HEAD"):
            status, got, body = ask(edge, "/small.txt", method, **headers)
            assert status == expected, headers
            if status == 304:
                assert body == b"" and got["ETag"] == etag and "Content-Type" not in got
            if status == 200 and method == "GET":
                assert body == SMALL


def test_curl_agrees(edge):
    url = f"http://127.0.0.1:{edge.port}"
    folder = edge.folder / "curl"
    folder.mkdir()

    def curl(*args):
        return subprocess.run(["curl", "-sS", "--max-time", "20", *args], check=True, capture_output=True).stdout

    assert curl(f"{url}/large.bin") == LARGE
    assert curl("-r", "1000-1999", f"{url}/large.bin") == LARGE[1000:2000]
    half = folder / "half"
    half.write_bytes(LARGE[:400_000])
    curl("-C", "-", "-o", str(half), f"{url}/large.bin")
    assert half.read_bytes() == LARGE
    saved = folder / "etag"
    curl("--etag-save", str(saved), "-o", "/dev/null", f"{url}/small.txt")
    code = curl("--etag-compare", str(saved), "-o", "/dev/null", "-w", "%{http_code}", f"{url}/small.txt")
    assert code == b"304"
    assert curl("--compressed", "-H", "Accept-Encoding: gzip", f"{url}/coded/app.js") == b"plain " * 100


# ---- ranges ----


@pytest.mark.parametrize("name,body", [("small.txt", SMALL), ("medium.bin", MEDIUM), ("large.bin", LARGE)], ids=names)
def test_single_ranges(edge, name, body):
    size = len(body)
    some = random.Random(3)
    cases = [(0, 0), (0, size - 1), (size - 1, size - 1)]
    cases += [tuple(sorted((some.randrange(size), some.randrange(size)))) for _ in range(20)]
    for first, last in cases:
        status, fields, got = ask(edge, f"/{name}", Range=f"bytes={first}-{last}")
        assert status == 206 and got == body[first:last + 1]
        assert fields["Content-Range"] == f"bytes {first}-{last}/{size}"
    for count in (1, 3, size, size + 5):
        status, _, got = ask(edge, f"/{name}", Range=f"bytes=-{count}")
        assert status == 206 and got == body[-count:]
    assert ask(edge, f"/{name}", Range="bytes=3-")[2] == body[3:]


def parts(fields, body):
    """[(Content-Range, bytes)] of a multipart/byteranges answer."""
    text = b"Content-Type: " + fields["Content-Type"].encode() + b"\r\n\r\n" + body
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text)
    assert message.get_content_type() == "multipart/byteranges" and not message.defects
    boundary = b"--" + message.get_boundary().encode()
    pieces = body.split(b"\r\n" + boundary if not body.startswith(boundary) else boundary)
    assert pieces[-1] == b"--\r\n"
    found = []
    for piece in pieces[1:-1]:
        head, _, data = piece.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        found.append((lines["Content-Range"], lines["Content-Type"], data.removesuffix(b"\r\n")))
    return found


@pytest.mark.parametrize("name,body", [("medium.bin", MEDIUM), ("large.bin", LARGE)], ids=names)
def test_several_ranges(edge, name, body):
    size = len(body)
    some = random.Random(4)
    for count in (2, 3, 16):
        cuts = sorted(some.sample(range(size), 2 * count))
        wanted = [(cuts[2 * i], cuts[2 * i + 1]) for i in range(count)]
        some.shuffle(wanted)
        status, fields, got = ask(edge, f"/{name}", Range="bytes=" + ", ".join(f"{a}-{b}" for a, b in wanted))
        assert status == 206 and int(fields["Content-Length"]) == len(got)
        # Random bytes do not hold the boundary, so a split is safe.
        assert [(r, data) for r, _, data in parts(fields, got)] == \
            [(f"bytes {a}-{b}/{size}", body[a:b + 1]) for a, b in wanted]


def test_ranges_that_are_not_served(edge):
    size = len(SMALL)
    for value in ("bytes=6-", "bytes=100-200", "bytes=-0"):
        status, fields, _ = ask(edge, "/small.txt", Range=value)
        assert (status, fields["Content-Range"]) == (416, f"bytes */{size}")
    for value in ("bytes=3-1", "bytes=a-b", "lines=1-2", "bytes=0-1,1-2", "bytes=" + "0-0," * 100, "bytes=0-1,x"):
        status, fields, got = ask(edge, "/small.txt", Range=value)
        assert (status, got) == (200, SMALL) and "Content-Range" not in fields
    assert ask(edge, "/empty", Range="bytes=0-")[0] == 200
    assert ask(edge, "/small.txt", "HEAD", Range="bytes=0-1")[0] == 200


def test_if_range(edge):
    _, fields, _ = ask(edge, "/small.txt")
    time.sleep(max(0, 2.1 - (time.time() - (edge.folder / "www/small.txt").stat().st_mtime)))
    for validator, expected in [(fields["ETag"], 206), (fields["Last-Modified"], 206), ('"x"', 200),
                                ("W/" + fields["ETag"], 200), ("Sun, 06 Nov 1994 08:49:37 GMT", 200)]:
        assert ask(edge, "/small.txt", Range="bytes=0-1", If_Range=validator)[0] == expected, validator


# ---- forms ----


def test_precompressed(edge):
    etags = set()
    for accept, coding in [(None, None), ("gzip", "gzip"), ("gzip, br", "br"), ("gzip;q=1, br;q=0.5", "gzip"),
                           ("br;q=0, gzip", "gzip"), ("*", "br"), ("zstd", None), ("identity", None), ("gzip;q=0", None)]:
        headers = {"Accept_Encoding": accept} if accept else {}
        status, fields, body = ask(edge, "/coded/app.js", **headers)
        assert (status, fields["Content-Encoding"], fields["Vary"]) == (200, coding, "Accept-Encoding"), accept
        assert fields["Content-Type"] == "text/javascript; charset=utf-8"
        suffix = {None: "", "gzip": ".gz", "br": ".br"}[coding]
        assert body == (edge.folder / "www" / f"app.js{suffix}").read_bytes()
        etags.add((coding, fields["ETag"]))
    assert len(etags) == 3 and len({tag for _, tag in etags}) == 3
    # Ranges and conditions are those of the form that was chosen.
    whole = (edge.folder / "www" / "app.js.gz").read_bytes()
    tag = dict(etags)["gzip"]
    status, fields, body = ask(edge, "/coded/app.js", Accept_Encoding="gzip", Range="bytes=2-5", If_Range=tag)
    assert (status, body, fields["Content-Encoding"]) == (206, whole[2:6], "gzip")
    assert ask(edge, "/coded/app.js", Accept_Encoding="gzip", If_None_Match=tag)[0] == 304
    assert ask(edge, "/coded/app.js", Accept_Encoding="br", If_None_Match=tag)[0] == 200
    assert "Vary" not in ask(edge, "/app.js")[1]


def test_listing(edge):
    status, fields, body = ask(edge, "/list/", Accept="application/json")
    assert (status, fields["Content-Type"]) == (200, "application/json")
    listing = json.loads(body)
    names = [entry["name"] for entry in listing["entries"]]
    assert listing["path"] == "/list/" and not listing["cut"]
    assert names[0] == "dir" and names[1:] == sorted(names[1:])
    assert "small.txt" in names and "a b&<c>.txt" in names
    for absent in (".git", "fifo", "socket", "device", "inside", "climbs", "absolute", "magic"):
        assert absent not in names
    for entry in listing["entries"]:
        if entry["type"] == "file" and entry["name"] not in ("sparse", "unreadable"):
            assert ask(edge, "/list/" + entry["link"], "HEAD")[1]["Content-Length"] == str(entry["size"])
    status, fields, body = ask(edge, "/list/")
    page = body.decode()
    assert fields["Content-Type"] == "text/html; charset=utf-8" and fields["Vary"] == "Accept"
    assert '<a href="a%20b%26%3Cc%3E.txt">a b&amp;&lt;c&gt;.txt</a>' in page
    assert '<a href="dir/">dir/</a>' in page
    assert ask(edge, "/list/", "HEAD")[2] == b""
    assert ask(edge, "/")[0] == 404  # no index, no listing


def test_listing_is_bounded(edge):
    folder = edge.folder / "www" / "many"
    folder.mkdir()
    (folder / "f0").touch()
    for i in range(1, 10_050):
        os.link(folder / "f0", folder / f"f{i}")
    listing = json.loads(ask(edge, "/list/many/", Accept="application/json")[2])
    assert listing["cut"] and len(listing["entries"]) == 10_000
    assert b"only 10000 entries are shown" in ask(edge, "/list/many/")[2]


# ---- files that change ----


def test_a_change_is_seen_within_a_second(edge):
    path = edge.folder / "www" / "changes"
    path.write_bytes(b"one")
    time.sleep(0.3)
    assert ask(edge, "/changes")[2] == b"one"
    first = ask(edge, "/changes")[1]["ETag"]
    path.write_bytes(b"two")
    time.sleep(1)
    assert ask(edge, "/changes")[2] == b"two"
    assert ask(edge, "/changes", If_None_Match=first)[0] == 200
    path.unlink()
    time.sleep(1)
    assert ask(edge, "/changes")[0] == 404


def test_a_root_that_moves(edge):
    assert ask(edge, "/current/f")[2] == b"one"
    link = edge.folder / "next"
    link.symlink_to("v2")
    link.rename(edge.folder / "current")
    time.sleep(1.1)
    assert ask(edge, "/current/f")[2] == b"two"


def test_replaced_under_load(edge):
    """Every answer is one version of the file, whole, with its own tag."""
    for size in (5_000, 300_000):
        path = edge.folder / "www" / "busy"
        stop = threading.Event()
        tags, failures, answers = {}, [], [0]

        def replace(path=path, size=size, stop=stop):
            number = 0
            while not stop.is_set():
                new = path.with_name("busy.new")
                new.write_bytes(bytes([number % 256]) * (size + number))
                new.rename(path)
                number += 1
                time.sleep(0.02)

        def read(stop=stop, tags=tags, failures=failures, answers=answers):
            c = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=20)
            while not stop.is_set():
                c.request("GET", "/busy")
                r = c.getresponse()
                body = r.read()
                if r.status != 200 or len(set(body)) != 1 or tags.setdefault(r.headers["ETag"], body) != body:
                    failures.append((r.status, len(body), r.headers["ETag"]))
                answers[0] += 1
            c.close()

        path.write_bytes(b"\xff" * size)
        threads = [threading.Thread(target=replace)] + [threading.Thread(target=read) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(3)
        stop.set()
        for t in threads:
            t.join()
        assert not failures and answers[0] > 50
        assert len(tags) >= 3  # it was seen to change


def test_truncated_while_it_is_sent(edge):
    """What was promised cannot be kept: the connection is cut, no byte is invented.

    To nothing, that is: of a folio that is cut itself the kernel clears the
    rest, also in what sendfile() has queued.
    """
    path = edge.folder / "www" / "shrinks"
    path.write_bytes(b"x" * 50_000_000)
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.settimeout(20)
        s.connect(("127.0.0.1", edge.port))
        s.sendall(b"GET /shrinks HTTP/1.1\r\nHost: a\r\n\r\n")
        data = s.recv(65536)
        assert b"Content-Length: 50000000\r\n" in data
        os.truncate(path, 0)
        total = len(data)
        with contextlib.suppress(ConnectionResetError):
            while piece := s.recv(1 << 20):
                total += len(piece)
                assert set(piece) <= set(b"x")
    assert total < 50_000_000
    path.unlink()


@pytest.mark.load
def test_a_very_large_file_costs_no_memory(edge):
    def resident():
        return int(proc_status(edge.role("worker"))["VmRSS"].split()[0])

    ask(edge, "/large.bin")
    before = resident()
    with socket.create_connection(("127.0.0.1", edge.port), timeout=20) as s:
        s.sendall(b"GET /sparse HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        buffer = bytearray(4 << 20)
        total, peak, head = 0, before, None
        while n := s.recv_into(buffer):
            if head is None:
                head = bytes(buffer[:n]).partition(b"\r\n\r\n")
                assert b"Content-Length: %d" % SPARSE in head[0]
                n = len(head[2])
            total += n
            if total % 97 == 0:
                peak = max(peak, resident())
        peak = max(peak, resident())
    assert total == SPARSE
    assert peak - before < 4096  # KB
    status, fields, got = ask(edge, "/sparse", Range=f"bytes={SPARSE - 5}-")
    assert (status, got) == (206, bytes(5))
    assert fields["Content-Range"] == f"bytes {SPARSE - 5}-{SPARSE - 1}/{SPARSE}"


def test_open_files_are_bounded():
    """More large files than the cache of a thread may hold open."""
    e = Edge(CONFIG + "runtime: {{threads: 1}}\n")
    fill(e.folder)
    for i in range(400):
        with open(e.folder / "www" / f"fd{i}", "wb") as f:
            f.truncate(200_000)
    time.sleep(0.2)  # what has just changed is not kept open
    with e:
        before = e.fd_count(e.role("worker"))
        for i in range(400):
            assert len(ask(e, f"/fd{i}", Range="bytes=0-9")[2]) == 10
        assert 200 < e.fd_count(e.role("worker")) - before < 256 + 10
