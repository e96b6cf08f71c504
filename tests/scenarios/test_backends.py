"""Every backend carries requests, and weir says which one runs."""

import json
import platform
import re
import subprocess

import pytest

from support.edge import WEIR, Edge
from support.raw import Client, Origin, answer, get

CONFIG = """
runtime: {{threads: 2, backend: {backend}}}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{exact: /here, respond: here}}
      - {{path: /, reverse: p}}
pools:
  p: {{servers: ["{origin}"]}}
"""


def said(edge, verb, *more):
    return subprocess.run([WEIR, verb, "--socket", str(edge.admin), *more], capture_output=True, text=True, check=True).stdout


# io_uring may be denied: then it is epoll that runs, and that is said too.
@pytest.mark.parametrize("backend, runs", [("epoll", {"epoll"}), ("poll", {"poll"}), ("select", {"select"}),
                                           ("uring", {"uring", "epoll"}), ("auto", {"uring", "epoll"})])
def test_backend(backend, runs):
    body = bytes(range(256)) * 4000
    with Origin(reply=lambda request: answer(body if request.line.startswith("GET") else str(len(request.body)))) as origin, \
            Edge(CONFIG, backend=backend, origin=origin.address) as edge:
        assert get(edge.port, "/here").body == b"here"
        clients = [Client(edge.port) for _ in range(40)]
        for c in clients:
            c.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert all(c.read().body == body for c in clients)
        for c in clients:
            c.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000)
        assert all(c.read().body == b"300000" for c in clients)
        for c in clients:
            c.close()
        name = json.loads(said(edge, "status", "--json"))["backend"]
        assert name in runs
        assert name in said(edge, "status")
        assert f'weir_worker_backend_info{{backend="{name}"}} 1' in said(edge, "metrics")


def runs_on(backend):
    with Origin() as origin, Edge(CONFIG, backend=backend, origin=origin.address) as edge:
        return json.loads(said(edge, "status", "--json"))["backend"], edge.log()


def test_auto_is_uring_where_its_waits_gather():
    version = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", platform.release()).groups())
    (auto, said_of_auto), (uring, said_of_uring) = runs_on("auto"), runs_on("uring")
    assert auto == (uring if version >= (6, 12) else "epoll")
    assert f"2 threads on {auto}" in said_of_auto
    # Who does not get it is told why.
    assert ("epoll: io_uring: " in said_of_uring) == (uring == "epoll")
