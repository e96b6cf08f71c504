"""Verdicts: how they come about, and what traffic makes of them."""

import json
import socket
import subprocess
import threading
import time

import pytest

from support.edge import WEIR, Edge, eventually, free_port
from support.load import Load
from support.peers import HAProxy
from support.raw import Client, Origin, answer, get

CONFIG = """
sites:
  - listen: ["127.0.0.1:{port}"]
    routes: [{{exact: /here, respond: "here"}}, {{path: /, reverse: p}}]
pools:
  p:
    {policy}
    servers: [{servers}]
"""


class Patient:
    """An origin whose answer to checks a test chooses; its other answers are
    its name."""

    def __init__(self, name):
        self.name, self.health, self.checks = name, answer("well"), []
        self.good = True  # else real requests are cut off
        self.origin = Origin(reply=self.reply)
        self.origin.serve = self.serve

    def serve(self, conversation):
        while True:
            request = conversation.request()
            if request.target.startswith("/healthz"):
                self.checks.append(request)
            else:
                self.origin.requests.append(request)
                if not self.good:
                    return
            conversation.send(self.reply(request))

    def reply(self, request):
        return self.health if request.target.startswith("/healthz") else answer(self.name)

    @property
    def served(self):
        return len(self.origin.requests)

    @property
    def entry(self):
        return "{name: %s, address: '%s'}" % (self.name, self.origin.address)

    def fall_ill(self, status="500 Internal Server Error"):
        self.health = answer("ill", status)

    def recover(self):
        self.health = answer("well")

    def stop(self):
        self.origin.stop()


@pytest.fixture
def pair():
    patients = Patient("a"), Patient("b")
    yield patients
    for patient in patients:
        patient.stop()


def edge_with(patients, policy, **more):
    return Edge(CONFIG, policy=policy, servers=", ".join(p.entry if isinstance(p, Patient) else p for p in patients), **more)


def weir(edge, *arguments):
    done = subprocess.run([WEIR, *arguments, "--socket", str(edge.admin)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def servers(edge):
    return {s["server"]: s for s in json.loads(weir(edge, "servers", "--json"))["servers"]}


def await_health(edge, **wanted):
    eventually(lambda: {name: servers(edge)[name]["health"] for name in wanted} == wanted, seconds=15, what=str(wanted))


def ask(edge, count=20):
    with Client(edge.port) as c:
        answers = [c.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(count)]
    assert {a.status for a in answers} == {200}
    return {a.body.decode() for a in answers}


def closed_port():
    """Bound and not listening: connections are refused."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s


# ---- checks ----


def test_traffic_follows_the_verdict(pair):
    a, b = pair
    with edge_with(pair, "health: {http: /healthz, every: 100ms, fall: 2, rise: 2}") as edge:
        await_health(edge, a="up", b="up")
        assert ask(edge) == {"a", "b"}
        assert a.checks[0].line == "GET /healthz HTTP/1.1" and a.checks[0].get("Host") == a.origin.address
        with Load(edge.port, connections=2) as load:
            b.fall_ill()
            await_health(edge, a="up", b="down")
            assert "status 500" in servers(edge)["b"]["reason"]
            eventually(lambda: servers(edge)["b"]["in_flight"] == 0, what="the end of what was under way")
            at = b.served
            assert ask(edge) == {"a"} and b.served == at
            b.recover()
            await_health(edge, a="up", b="up")
            eventually(lambda: b.served > at + 10, what="requests at b")
        assert not load.failures and load.closed == 0
        assert "p/b is down: status 500, expected 200-399" in edge.log() and "p/b is up: status 200" in edge.log()
        text = weir(edge, "servers")
        assert text.count(" up") == 2, text


def test_fall_and_rise_are_counted(pair):
    a, b = pair
    with edge_with(pair, "health: {http: /healthz, every: 100ms, fall: 4, rise: 4}") as edge:
        await_health(edge, a="up", b="up")
        at = len(b.checks)
        b.fall_ill()
        await_health(edge, b="down")
        assert len(b.checks) - at >= 4
        b.recover()
        at = len(b.checks)
        await_health(edge, b="up")
        assert len(b.checks) - at >= 4
        assert servers(edge)["b"]["check_failures"] >= 4


CHECKS = [
    ("tcp: true", None, True),
    ("http: /healthz, expect: {status: 204}", answer("", "204 No Content"), True),
    ("http: /healthz, expect: {status: 204}", answer("fine"), False),
    ("http: /healthz, expect: {status: 200-299}", answer("", "301 Moved", "Location: /\r\n"), False),
    ("http: /healthz, expect: {body: all is well}", answer("today all is well here"), True),
    ("http: /healthz, expect: {body: all is well}", answer("today all is bad here"), False),
    ("http: /healthz, expect: {body: end}", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nth e\r\n3\r\nend\r\n0\r\n\r\n", True),
    ("http: /healthz, method: HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", True),
    ("http: /healthz", b"220 smtp.example ready\r\n", False),
    ("http: '/healthz?from=weir', host: shop.example", answer("fine"), True),
]


@pytest.mark.parametrize("check,reply,good", CHECKS, ids=[str(i) for i in range(len(CHECKS))])
def test_what_is_asked_and_expected(check, reply, good):
    patient = Patient("a")
    if reply is not None:
        patient.health = reply
    try:
        with edge_with([patient], "health: {%s, every: 200ms, timeout: 200ms, fall: 1, rise: 1}" % check) as edge:
            await_health(edge, a="up" if good else "down")
            if "host" in check:
                assert patient.checks[0].get("Host") == "shop.example" and patient.checks[0].target == "/healthz?from=weir"
            if "HEAD" in check:
                assert patient.checks[0].method == "HEAD"
    finally:
        patient.stop()


def test_refused_and_silent_servers_are_down(pair):
    dead, silent = closed_port(), socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(1024)  # accepted by the kernel, answered by nobody
    with edge_with([pair[0], "{name: dead, address: '127.0.0.1:%d'}" % dead.getsockname()[1],
                    "{name: silent, address: '127.0.0.1:%d'}" % silent.getsockname()[1]],
                   "health: {http: /healthz, every: 300ms, timeout: 200ms, fall: 2}") as edge:
        await_health(edge, a="up", dead="down", silent="down")
        assert "refused" in servers(edge)["dead"]["reason"].lower(), servers(edge)["dead"]
        assert servers(edge)["silent"]["reason"], servers(edge)["silent"]
        assert ask(edge) == {"a"}
    dead.close()
    silent.close()


def test_checks_of_another_port(pair):
    """An agent beside the server speaks for it."""
    a, agent = pair
    with edge_with([a], "health: {http: /healthz, every: 100ms, port: %d, fall: 1, rise: 1}" % agent.origin.port) as edge:
        await_health(edge, a="up")
        agent.fall_ill()
        await_health(edge, a="down")
        assert not a.checks and get(edge.port).status == 503


def test_haproxy_whose_servers_are_down_is_down():
    """monitor-uri with monitor fail: what HAProxy offers to be checked by."""
    with HAProxy("""
frontend f
    bind 127.0.0.1:{port}
    monitor-uri /healthz
    monitor fail if {{ nbsrv(b) lt 1 }}
    default_backend b
backend b
    server s 127.0.0.1:{dead} check inter 100ms fall 1
""", dead=free_port()) as peer, Edge(CONFIG, policy="health: {http: /healthz, every: 100ms, fall: 1}",
                                     servers="{name: a, address: '%s'}" % peer.address) as edge:
        eventually(lambda: servers(edge)["a"]["health"] == "down" and "503" in servers(edge)["a"]["reason"], what="the verdict")


# ---- at the start ----


def test_first_check_decides():
    """One good check is enough at first, one bad one too: nobody waits for
    `rise` or `fall`."""
    well, ill = Patient("well"), Patient("ill")
    ill.fall_ill()
    try:
        with edge_with([well, ill], "health: {http: /healthz, every: 60s, timeout: 5s, fall: 10, rise: 10}") as edge:
            await_health(edge, well="up", ill="down")
            assert ask(edge) == {"well"} and ill.served == 0
    finally:
        well.stop()
        ill.stop()


def test_requests_right_after_the_start_are_served():
    """READY=1 is what a service manager waits for before it sends clients:
    none of them may find a pool of which nothing is known yet."""
    a, b = Patient("a"), Patient("b")
    try:
        for _ in range(5):
            with edge_with([a, b], "health: {http: /healthz, every: 2s, timeout: 1s}") as edge:
                assert get(edge.port).status == 200
    finally:
        a.stop()
        b.stop()


def test_new_pool_of_a_reload_is_served(pair):
    """A pool that comes with a reload, at the moment of the reload."""
    a, b = pair
    policy = "health: {http: /healthz, every: 2s, timeout: 1s}"
    with edge_with([a], policy) as edge:
        await_health(edge, a="up")
        edge.config = CONFIG.replace("  p:", "  other:").replace("reverse: p", "reverse: other")
        edge.values["servers"] = b.entry
        edge.write()
        with Load(edge.port, connections=2) as load:
            assert edge.reload()
            eventually(lambda: b.served > 10, what="requests at the new pool")
        assert not load.failures, load.failures[:3]


# ---- nothing is up ----


def test_all_down_is_refused_at_once_and_recovers(pair):
    a, b = pair
    with edge_with(pair, "retry_after: 7s\n    health: {http: /healthz, every: 100ms, fall: 1, rise: 1}") as edge:
        await_health(edge, a="up", b="up")
        a.fall_ill()
        b.fall_ill()
        await_health(edge, a="down", b="down")
        began = time.monotonic()
        with Client(edge.port) as c:
            for i in range(50):
                body = "hello" if i % 2 else ""
                reply = c.ask(f"{'POST' if body else 'GET'} / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}")
                assert reply.status == 503 and reply.get("Retry-After") == "7"
            assert c.ask("GET /here HTTP/1.1\r\nHost: a\r\n\r\n").body == b"here"
        assert time.monotonic() - began < 5
        assert json.loads(weir(edge, "status", "--json"))["pools"] == [{"name": "p", "servers": 2, "usable": 0}]
        b.recover()
        await_health(edge, a="down", b="up")
        assert ask(edge) == {"b"}


@pytest.mark.parametrize("panic,statuses", [("34%", {200}), ("33%", {503}), ("0%", {503})])
def test_panic_rule(panic, statuses):
    """Fewer than that share is up: the checks are not believed."""
    patients = [Patient(name) for name in "abc"]
    try:
        with edge_with(patients, "panic: %s\n    health: {http: /healthz, every: 100ms, fall: 1, rise: 1}" % panic) as edge:
            await_health(edge, a="up", b="up", c="up")
            for p in patients[:2]:
                p.fall_ill()
            await_health(edge, a="down", b="down", c="up")
            # One third is up: 33 % is not undercut, 34 % is.
            assert ask(edge) == ({"a", "b", "c"} if panic == "34%" else {"c"})
            patients[2].fall_ill()
            await_health(edge, c="down")
            expected = {503} if panic == "0%" else {200}
            with Client(edge.port) as client:
                assert {client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status for _ in range(12)} == expected
            # What the operator took out stays out.
            weir(edge, "down", "p/a")
            if panic != "0%":
                assert ask(edge) == {"b", "c"}
    finally:
        for p in patients:
            p.stop()


# ---- what real requests tell ----


def test_ejection_and_return(pair):
    a, b = pair
    with edge_with(pair, "passive: {failures: 3, hold: 1s}\n    retry: {attempts: 2, budget: 100%}") as edge:
        assert ask(edge) == {"a", "b"}
        b.good = False
        assert ask(edge, 40) == {"a"}  # each failure is made good by the other
        assert servers(edge)["b"]["ejected"] is True
        at = b.served
        assert ask(edge, 10) == {"a"} or b.served <= at + 1
        b.good = True
        eventually(lambda: servers(edge)["b"]["ejected"] is False, what="the end of the ejection")
        eventually(lambda: ask(edge) == {"a", "b"}, what="b among the servers")


def test_one_request_at_a_time_tries_an_ejected_server(pair):
    """After the hold, and not all that are waiting."""
    a, b = pair
    with edge_with(pair, "passive: {failures: 1, hold: 1s}\n    retry: {attempts: 2, budget: 100%}") as edge:
        b.good = False
        with Load(edge.port, connections=8) as load:
            eventually(lambda: b.served >= 1, what="a first failure")
            began = time.monotonic()
            time.sleep(0.3)
            at = b.served
            while time.monotonic() - began < 4:
                time.sleep(0.05)
        assert not load.failures
        # Holds grow (1 s, 2 s, ...), one trial after each; the first failures
        # may have been under way together.
        assert at <= 8 and b.served - at <= 6, (at, b.served)


def test_only_server_is_tried_before_its_time():
    """Leaving it out for a minute would only prolong its absence of a moment;
    trying it with every request would keep clients waiting for a dead one."""
    a = Patient("a")
    try:
        with edge_with([a], "passive: {failures: 2, hold: 60s}\n    retry: {attempts: 0}") as edge:
            assert ask(edge) == {"a"}
            a.good = False
            statuses = [get(edge.port).status for _ in range(60)]
            assert servers(edge)["a"]["ejected"] is True
            assert set(statuses) == {502, 503} and statuses.count(502) < 20
            a.good = True
            eventually(lambda: get(edge.port).status == 200, what="an answer")
            assert ask(edge) == {"a"}
            assert servers(edge)["a"]["ejected"] is False
    finally:
        a.stop()


def test_dead_server_costs_no_request(pair):
    a, b = pair
    with edge_with(pair, "passive: {failures: 2, hold: 500ms}", ) as edge, Load(edge.port, connections=4) as load:
        eventually(lambda: b.served > 20, what="requests at b")
        b.stop()
        answered = load.answered
        eventually(lambda: load.answered > answered + 200, seconds=20, what="more answers")
        b.origin.start()
        at = b.served
        eventually(lambda: b.served > at + 20, what="requests at b again")
        load.stop()
        assert not load.failures, load.failures[:3]


# ---- the process ----


def test_health_process_dies_and_verdicts_stay(pair):
    a, b = pair
    with edge_with(pair, "health: {http: /healthz, every: 200ms, fall: 2, rise: 2}") as edge:
        await_health(edge, a="up", b="up")
        b.fall_ill()
        await_health(edge, a="up", b="down")
        worker = edge.role("worker")
        with Load(edge.port, connections=2) as load:
            at = b.served
            old = edge.kill_role("health")
            for _ in range(30):
                now = servers(edge)
                assert now["a"]["health"] == "up" and now["b"]["health"] == "down"
            eventually(lambda: edge.role("health") not in (None, old), what="another health process")
            assert b.served == at
            b.recover()
            await_health(edge, a="up", b="up")
        assert not load.failures and edge.role("worker") == worker
        assert ask(edge) == {"a", "b"}


def test_worker_dies_and_finds_the_verdicts(pair):
    a, b = pair
    b.fall_ill()
    with edge_with(pair, "health: {http: /healthz, every: 60s, timeout: 5s}") as edge:
        await_health(edge, a="up", b="down")
        checks = len(a.checks), len(b.checks)
        old = edge.kill_role("worker")
        eventually(lambda: edge.role("worker") not in (None, old), what="another worker")
        assert ask(edge) == {"a"}
        assert (len(a.checks), len(b.checks)) == checks


def test_removed_server_is_not_checked(pair):
    a, b = pair
    with edge_with(pair, "health: {http: /healthz, every: 100ms}") as edge:
        await_health(edge, a="up", b="up")
        edge.values["servers"] = a.entry
        edge.write()
        assert edge.reload()
        time.sleep(0.3)  # one may be under way
        at_a, at_b = len(a.checks), len(b.checks)
        eventually(lambda: len(a.checks) > at_a + 5, what="more checks of a")
        assert len(b.checks) == at_b
        assert set(servers(edge)) == {"a"}
