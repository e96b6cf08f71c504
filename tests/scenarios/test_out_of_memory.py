"""Each allocation of the worker fails once: the request at hand may be lost,
the worker, its neighbours and its memory may not."""

import subprocess
import time

import pytest

from support.edge import WEIR, Edge, eventually
from support.failmalloc import FailMalloc
from support.raw import Client, Closed, Origin, answer

CONFIG = """
runtime: {{threads: 1}}
limits: {{header_bytes: 64KiB, header_timeout: 2s, body_timeout: 2s}}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{exact: /here, respond: here}}
      - {{path: /files/, files: {folder}}}
      - {{path: /kept, reverse: kept}}
      - {{path: /, reverse: fresh}}
pools:
  fresh: {{servers: ["{origin}"], keepalive: 0, passive: {{failures: 1}}, response_timeout: 2s}}
  kept: {{servers: ["{origin}"], passive: {{failures: 1}}, response_timeout: 2s}}
"""
ALLOCATIONS_MAX = 200

REQUESTS = {
    "respond": b"GET /here HTTP/1.1\r\nHost: a\r\n\r\n",
    "reverse": b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "kept": b"GET /kept HTTP/1.1\r\nHost: a\r\n\r\n",
    "long strings": b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "large head": b"GET /a HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 900) for i in range(30)) + b"\r\n",
    "head beyond a buffer": b"GET /here HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 900) for i in range(50)) + b"\r\n",
    "small body": b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000,
    "chunked body": b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\nX-T: 1\r\n\r\n",
    "large body": b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400000,
    "large answer": b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
    "refused": b"GET / HTTP/1.1\r\n\r\n",
    "file": b"GET /files/one.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    "two pipelined": b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n" * 2,
}


def sanitized():
    libraries = subprocess.run(["ldd", WEIR], capture_output=True).stdout
    return any(name in libraries for name in (b"libasan", b"libtsan"))


pytestmark = pytest.mark.skipif(sanitized(), reason="the sanitizer has an allocator of its own")


def reply(request):
    return answer(b"x" * 400000 if request.target == "/large" else b"ok")


def ask(port, data):
    """Statuses of what was answered; a connection may be closed instead."""
    try:
        with Client(port, timeout=10) as c:
            c.send(data)
            return [c.read().status for _ in range(data.count(b" HTTP/1.1\r\n"))]
    except (Closed, ConnectionError):
        return []


@pytest.fixture(scope="module")
def world():
    with FailMalloc() as failing, Origin(reply=reply) as origin, Edge(CONFIG, origin=origin.address) as edge:
        (edge.folder / "one.txt").write_text("one")
        yield failing, edge


@pytest.mark.parametrize("name", REQUESTS)
def test_any_allocation_of_a_request_may_fail(world, name):
    failing, edge = world
    worker = eventually(lambda: edge.role("worker"))
    data = REQUESTS[name]
    assert ask(edge.port, data)  # warm
    with Client(edge.port) as neighbour:
        assert neighbour.ask("GET /here HTTP/1.1\r\nHost: a\r\n\r\n").body == b"here"
        for n in range(1, ALLOCATIONS_MAX):
            if n == 2:
                failing["live"] = 0
            failing.arm(worker, n)
            statuses = ask(edge.port, data)
            failed = failing.disarm()
            assert all(status in (200, 400, 500, 502, 503) for status in statuses), (n, statuses)
            assert neighbour.ask("GET /here HTTP/1.1\r\nHost: a\r\n\r\n").body == b"here"
            if not failed:
                break
        else:
            pytest.fail("no end of allocations")
        wanted = [400] if name == "refused" else [200] * data.count(b" HTTP/1.1\r\n")
        assert ask(edge.port, data) == wanted
    assert edge.role("worker") == worker
    if n > 2:
        eventually(lambda: failing["live"] < 8, 5, f"as much memory as before: {failing['live']} blocks more")


@pytest.mark.parametrize("name", ["reverse", "large body", "file"])
def test_all_memory_may_be_gone_for_a_while(world, name):
    failing, edge = world
    worker = edge.role("worker")
    with Client(edge.port) as neighbour:
        assert neighbour.ask("GET /here HTTP/1.1\r\nHost: a\r\n\r\n").body == b"here"
        failing.arm(worker, 1, 1 << 40)
        for _ in range(20):
            ask(edge.port, REQUESTS[name])
        failing.disarm()
        assert neighbour.ask("GET /here HTTP/1.1\r\nHost: a\r\n\r\n").body == b"here"
    assert ask(edge.port, REQUESTS[name]) == [200]
    assert edge.role("worker") == worker


COLD = ["reverse", "small body", "chunked body", "large body", "large answer", "head beyond a buffer", "file"]


@pytest.mark.parametrize("name", COLD)
def test_any_allocation_of_the_first_request_of_a_worker_may_fail(name):
    """Nothing is in stock yet: pools, sessions and buffers are made. What a
    worker holds after the same requests is the same, whatever failed."""
    data, live = REQUESTS[name], []
    with FailMalloc() as failing, Origin(reply=reply) as origin:
        for n in range(1, ALLOCATIONS_MAX):
            with Edge(CONFIG, origin=origin.address) as edge:
                (edge.folder / "one.txt").write_text("one")
                worker = eventually(lambda: edge.role("worker"))
                failing.arm(worker, n)
                ask(edge.port, data)
                failed = failing.disarm()
                for _ in range(3):
                    assert ask(edge.port, data) == [200], n
                assert edge.role("worker") == worker
                live.append(settled(failing))
            if not failed:
                break
        assert n > 3
        # A refused head is lingered on, with a buffer that is then in stock;
        # a large body is spliced, with a pipe that is then in stock, or it
        # came so early that it was not.
        assert max(live) <= live[-1] + (name in ("head beyond a buffer", "large body", "large answer")), live


def settled(failing):
    """The count of blocks, once nothing has changed it for a while."""
    before = None
    while before != (before := failing["live"]):
        time.sleep(0.02)
    return before


def test_any_allocation_of_a_reload_may_fail(world):
    """It is refused, or taken; never half."""
    failing, edge = world
    worker = edge.role("worker")
    for n in list(range(1, 40)) + list(range(40, 400, 23)):
        failing.arm(worker, n)
        edge.reload()
        failed = failing.disarm()
        assert edge.role("worker") == worker, n
        assert ask(edge.port, REQUESTS["reverse"]) == [200]
        if not failed:
            break
    assert edge.reload()
