"""Servers that are given by name: what becomes of requests when the name
servers say something else, deny, fail or are silent."""

import collections
import time

import pytest

from support.edge import Edge, eventually
from support.nameserver import NameServer
from support.raw import Origin, answer, get

CONFIG = """
runtime: {{threads: 1}}
resolver: {resolver}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes: [{{path: /, reverse: p}}]
pools:
  p:
    resolve_every: 1s
    connect_timeout: {connect_timeout}
    retry: {{attempts: 1}}
    keepalive: 0
    servers: ["{host}:{at}"]
"""


def edge_of(names, folder, at=9, host="site.test", connect_timeout="3s", resolver=None,
            options="timeout:1 attempts:1"):
    conf = names.resolv_conf(folder / "resolv.conf", options)
    return Edge(CONFIG, at=at, host=host, connect_timeout=connect_timeout,
                resolver=resolver or f"{{resolv_conf: {conf}}}")


@pytest.fixture
def folder(tmp_path_factory):
    """Where also the user of the roles may read."""
    path = tmp_path_factory.mktemp("names")
    for part in (path, *path.parents):
        if part.owner() == path.owner() and len(part.parts) > 2:
            part.chmod(0o755)
    return path


@pytest.fixture
def origin():
    with Origin(reply=lambda request: answer("here")) as o:
        yield o


def test_name_changes(origin, folder):
    port = int(origin.address.rsplit(":", 1)[1])
    with NameServer(site_test=["127.0.0.1"]) as names, edge_of(names, folder, port) as edge:
        assert get(edge.port).body == b"here"
        # Nobody listens there: the new address is what is used.
        names.names["site.test"] = ["127.0.0.77"]
        eventually(lambda: get(edge.port).status == 502, what="the new address")
        names.names["site.test"] = ["127.0.0.1"]
        eventually(lambda: get(edge.port).status == 200, what="the old one again")
        # What was known serves on while the name is denied or fails.
        for wrong in ("nxdomain", "silent"):
            names.names["site.test"] = wrong
            before = names.asked["site.test"]
            eventually(lambda: get(edge.port).status == 200 and names.asked["site.test"] > before + 1, what="more questions")
            assert get(edge.port).status == 200
        assert "the addresses known so far stay in use" in edge.log()


def test_no_look_up_for_each_request(origin, folder):
    port = int(origin.address.rsplit(":", 1)[1])
    with NameServer(ttl=300, site_test=["127.0.0.1"]) as names, edge_of(names, folder, port) as edge:
        assert collections.Counter(get(edge.port).status for _ in range(50)) == {200: 50}
        assert names.asked["site.test"] <= 2  # A and AAAA


@pytest.mark.parametrize("wrong, status, quick", [("nxdomain", 502, 1), ("servfail", 502, 3), ("silent", 504, 3), ([], 502, 1)])
def test_name_that_never_resolves(folder, wrong, status, quick):
    with NameServer(ttl=300, site_test=wrong) as names, edge_of(names, folder, connect_timeout="10s") as edge:
        start = time.monotonic()
        assert get(edge.port).status == status
        assert time.monotonic() - start < quick * 3
        # Known for a while: the others are told at once, without a question.
        asked, start = names.asked["site.test"], time.monotonic()
        for _ in range(30):
            assert get(edge.port).status in (status, 503)  # or the server is left out for a while
        assert time.monotonic() - start < 2
        assert names.asked["site.test"] == asked


def test_silence_is_told_at_the_time_limit_to_connect(folder):
    with NameServer(site_test="silent") as names, edge_of(names, folder, connect_timeout="300ms",
                                                            options="timeout:10 attempts:3") as edge:
        start = time.monotonic()
        assert get(edge.port).status == 504
        assert time.monotonic() - start < 4
        # The next ones do not wait for that long again.
        took = []
        for _ in range(3):
            start = time.monotonic()
            if get(edge.port).status == 504:
                took.append(time.monotonic() - start)
        assert min(took) < 0.2


def test_it_comes_back(origin, folder):
    port = int(origin.address.rsplit(":", 1)[1])
    with NameServer(site_test="nxdomain") as names, edge_of(names, folder, port) as edge:
        assert get(edge.port).status == 502
        names.names["site.test"] = ["127.0.0.1"]
        eventually(lambda: get(edge.port).status == 200, what="the name")


def test_reload_to_other_files(origin, folder):
    port = int(origin.address.rsplit(":", 1)[1])
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 site.test\n")
    with NameServer(site_test="nxdomain") as names, edge_of(names, folder, port) as edge:
        assert get(edge.port).status == 502
        edge.values["resolver"] = f"{{hosts: {hosts}}}"
        assert edge.reload(edge.config)
        assert "resolver.hosts" in edge.log()
        eventually(lambda: get(edge.port).status == 200, what="the hosts file")


def test_system_resolver(origin, folder):
    port = int(origin.address.rsplit(":", 1)[1])
    with NameServer() as names:
        # It asks nobody of ours, and knows this name without asking.
        with edge_of(names, folder, port, host="localhost", resolver="{use: system}") as edge:
            assert get(edge.port).status == 200
        assert not names.asked
    with NameServer() as names, edge_of(names, folder, host="weir-test.invalid", resolver="{use: system}") as edge:
        assert get(edge.port).status in (502, 504)
