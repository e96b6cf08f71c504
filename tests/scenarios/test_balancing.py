"""Which server takes a request: every policy through real requests."""

import collections
import json
import subprocess
import threading
import time

import pytest

from support.edge import WEIR, Edge, eventually
from support.load import Load
from support.raw import Client, Origin, answer, get

CONFIG = """
runtime: {{threads: {threads}}}
trust: [127.0.0.0/8]
limits: {{body_timeout: 20s}}
sites:
  - listen: ["127.0.0.1:{port}"]
    routes: [{{path: /, reverse: p}}]
pools:
  p:
    {policy}
    servers: [{servers}]
"""


class Named:
    """Origins a, b, c...: each answers its name, holds what it is told to,
    and counts what it has at a time."""

    def __init__(self, names):
        self.gates = {name: threading.Event() for name in names}
        self.delays = collections.Counter()
        self.lock = threading.Lock()
        self.now, self.most = collections.Counter(), collections.Counter()
        self.origins = {}
        for name in names:
            self.gates[name].set()
            self.origins[name] = Origin(reply=lambda request, name=name: self.reply(name, request))

    def reply(self, name, request):
        with self.lock:
            self.now[name] += 1
            self.most[name] = max(self.most[name], self.now[name])
        time.sleep(self.delays[name])
        self.gates[name].wait(20)
        with self.lock:
            self.now[name] -= 1
        return answer(name)

    def servers(self, **more):
        """As in the configuration; more: name="weight: 2"."""
        return ", ".join("{name: %s, address: '%s'%s}" % (n, o.address, f", {more[n]}" if n in more else "")
                         for n, o in self.origins.items())

    def __getitem__(self, name):
        return self.origins[name]

    def hold(self, *names):
        for name in names:
            self.gates[name].clear()

    def free(self):
        for gate in self.gates.values():
            gate.set()

    def stop(self):
        self.free()
        for origin in self.origins.values():
            origin.stop()


@pytest.fixture(scope="module")
def named():
    n = Named("abc")
    yield n
    n.stop()


@pytest.fixture(autouse=True)
def fresh(named):
    named.free()
    named.delays.clear()
    eventually(lambda: not +named.now, what="the end of what was held")
    named.most.clear()
    yield
    named.free()


def edge_with(named, policy, threads=1, **more):
    return Edge(CONFIG, policy=policy, threads=threads, servers=named.servers(**more))


def ask(edge, count, request=lambda i: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
    """The names that answered, one after the other, on one connection."""
    with Client(edge.port, timeout=20) as c:
        names = []
        for i in range(count):
            a = c.ask(request(i))
            assert a.status == 200, (i, a.status)
            names.append(a.body.decode())
        return names


def weir(edge, *arguments):
    done = subprocess.run([WEIR, *arguments, "--socket", str(edge.admin)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


def counters(edge):
    return {s["server"]: s for s in json.loads(weir(edge, "servers", "p", "--json"))["servers"]}


# ---- turns ----


@pytest.mark.parametrize("policy", ["", "balance: round_robin", "balance: weighted_round_robin"])
def test_round_robin_by_weight(named, policy):
    with edge_with(named, policy, a="weight: 5") as edge:
        names = ask(edge, 70)
        assert collections.Counter(names) == {"a": 50, "b": 10, "c": 10}
        assert "aaaaaa" not in "".join(names)  # spread, not in a block
        assert counters(edge)["a"]["requests"] == 50


def test_round_robin_of_several_workers(named):
    with edge_with(named, "balance: round_robin", threads=2, a="weight: 5") as edge:
        seen = collections.Counter()
        for _ in range(10):
            seen.update(ask(edge, 7))  # a connection stays with its worker
        assert seen == {"a": 50, "b": 10, "c": 10}


def test_random_by_weight(named):
    with edge_with(named, "balance: random", a="weight: 2", b="weight: 3") as edge:
        seen = collections.Counter(ask(edge, 1200))
        # Standard deviations are 16.3, 17.3 and 12.9: more than 5 of them.
        assert abs(seen["a"] - 400) < 90 and abs(seen["b"] - 600) < 95 and abs(seen["c"] - 200) < 70, seen


@pytest.mark.parametrize("policy", ["least_requests", "two_choices"])
def test_busy_server_is_spared(named, policy):
    with edge_with(named, f"balance: {policy}", c="weight: 0") as edge:
        named.hold("a")
        clients = []
        while not named.now["a"]:
            assert len(clients) < 60
            clients.append(Client(edge.port, timeout=20))
            clients[-1].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually(lambda: named.now["a"] or len(named["b"].requests), what="a request at a server")
            time.sleep(0.02)
        assert set(ask(edge, 60)) == {"b"}
        named.free()
        for c in clients:
            assert c.read().status == 200
            c.close()
        seen = collections.Counter(ask(edge, 200))
        assert seen["a"] > 60 and seen["b"] > 60 and not seen["c"]


def test_slow_server_gets_less(named):
    with edge_with(named, "balance: least_requests", threads=2, c="weight: 0") as edge:
        named.delays["a"] = 0.25
        with Load(edge.port, connections=6) as load:
            time.sleep(2.5)
        assert not load.failures
        c = counters(edge)
        assert c["b"]["requests"] > 5 * c["a"]["requests"] > 0


# ---- hashing ----

KEYS = 60
ON = {
    "client": lambda i: f"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.{i}\r\n\r\n",
    "uri": lambda i: f"GET /same?{i} HTTP/1.1\r\nHost: a\r\n\r\n",
    "path": lambda i: f"GET /{i}?{time.time()} HTTP/1.1\r\nHost: a\r\n\r\n",
    "header:X-Key": lambda i: f"GET / HTTP/1.1\r\nHost: a\r\nx-key: {i}\r\n\r\n",
    "cookie:key": lambda i: f"GET / HTTP/1.1\r\nHost: a\r\nCookie: other=1; key={i}; more={time.time()}\r\n\r\n",
}


@pytest.mark.parametrize("on", ON)
@pytest.mark.parametrize("policy", ["hash", "hash_ring"])
def test_same_key_same_server(named, policy, on):
    with edge_with(named, f"balance: {policy}\n    hash: {{on: '{on}', bound: 0}}", threads=2) as edge:
        before = ask(edge, KEYS, ON[on])
        assert set(before) == {"a", "b", "c"}
        assert ask(edge, KEYS, ON[on]) == before

        # Losing a server moves its keys alone, and they come back.
        weir(edge, "down", "p/b")
        without = ask(edge, KEYS, ON[on])
        assert "b" not in without
        assert [n for n, old in zip(without, before) if old != "b"] == [n for n in before if n != "b"]
        weir(edge, "ready", "p/b")
        assert ask(edge, KEYS, ON[on]) == before

        # Weight 0 is as good as lost; a ring is then laid out anew.
        weir(edge, "weight", "p/b", "0")
        weightless = ask(edge, KEYS, ON[on])
        assert weightless == without if policy == "hash" else "b" not in weightless
        weir(edge, "weight", "p/b", "default")
        assert ask(edge, KEYS, ON[on]) == before

        # The same after a reload and in the next worker.
        assert edge.reload()
        assert ask(edge, KEYS, ON[on]) == before
        old = edge.kill_role("worker")
        eventually(lambda: edge.role("worker") not in (None, old), what="another worker")
        assert ask(edge, KEYS, ON[on]) == before


def test_hash_follows_the_weights(named):
    with edge_with(named, "balance: hash\n    hash: uri", a="weight: 8") as edge:
        seen = collections.Counter(ask(edge, 500, ON["uri"]))
        assert seen["a"] > 320 and seen["b"] > 20 and seen["c"] > 20, seen


def test_key_that_is_not_there_is_the_client(named):
    with edge_with(named, "balance: hash\n    hash: cookie:key") as edge:
        assert len(set(ask(edge, 20))) == 1
        assert len(set(ask(edge, 30, ON["client"]))) == 3


@pytest.mark.parametrize("policy", ["hash", "hash_ring"])
def test_hot_key_is_bounded(named, policy):
    with edge_with(named, f"balance: {policy}\n    hash: {{on: path, bound: 125%}}") as edge:
        named.hold("a", "b", "c")
        clients = [Client(edge.port, timeout=20) for _ in range(12)]
        for n, c in enumerate(clients, 1):
            c.send("GET /hot HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually(lambda: sum(named.now.values()) == n, what=f"request {n} at a server")
        assert max(named.now.values()) == 5  # 12 / 3 * 1.25
        named.free()
        assert [c.read().status for c in clients] == [200] * 12
        for c in clients:
            c.close()


# ---- who takes part ----


def test_backup_only_when_the_others_are_down(named):
    with edge_with(named, "", c="backup: true") as edge:
        assert set(ask(edge, 20)) == {"a", "b"}
        weir(edge, "down", "p/a")
        assert set(ask(edge, 20)) == {"b"}
        weir(edge, "drain", "p/b")
        assert set(ask(edge, 20)) == {"c"}
        weir(edge, "ready", "p/a")
        assert set(ask(edge, 20)) == {"a"}


def test_backup_takes_over_from_dead_servers():
    """No check and no operator: the failures themselves tell."""
    n = Named("abc")
    try:
        with edge_with(n, "passive: {failures: 2, hold: 60s}", c="backup: true") as edge:
            with Load(edge.port, connections=3) as load:
                eventually(lambda: load.answered > 20, what="some answers")
                n["a"].stop()
                n["b"].stop()
                at = len(n["c"].requests)
                eventually(lambda: len(n["c"].requests) > at + 50, what="answers of the backup")
            assert not load.failures, load.failures[:3]
    finally:
        n.stop()


def test_backup_before_a_second_try():
    """Who has tried every other server goes to the backup, not round again."""
    n = Named("abc")
    try:
        with edge_with(n, "passive: {failures: 0}\n    retry: {attempts: 2, budget: 100%}", c="backup: true") as edge:
            n["a"].stop()
            n["b"].stop()
            assert set(ask(edge, 10)) == {"c"}
            n["a"].start()
            assert "a" in ask(edge, 10)
    finally:
        n.stop()


def test_limit_of_requests_at_a_time(named):
    """Over all workers; who finds no place waits, and nobody is left."""
    with edge_with(named, "max_requests: 2\n    queue: {max: 100, timeout: 20s}", threads=2) as edge:
        named.delays.update(a=0.02, b=0.02, c=0.02)
        with Load(edge.port, connections=24) as load:
            eventually(lambda: load.answered > 400, seconds=30, what="400 answers")
        assert not load.failures, load.failures[:3]
        assert max(named.most.values()) == 2


@pytest.mark.parametrize("back", ["ready", "weight"])
def test_server_that_comes_back_takes_from_the_queue(named, back):
    """Who waits goes to it at once, not one after the other as the server
    that stayed finishes."""
    with edge_with(named, "max_requests: 2\n    queue: {max: 100, timeout: 20s}", c="weight: 0") as edge:
        weir(edge, "weight" if back == "weight" else "drain", "p/b", *(["0"] if back == "weight" else []))
        named.hold("a", "b")
        clients = [Client(edge.port, timeout=20) for _ in range(6)]
        for c in clients[:5]:
            c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: named.now["a"] == 2, what="a full server")
        weir(edge, back, "p/b", *(["1"] if back == "weight" else []))
        clients[5].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        eventually(lambda: named.now["b"] == 2, what="requests at the one that came back")
        named.free()
        assert [c.read().status for c in clients] == [200] * 6
        for c in clients:
            c.close()


def test_weight_of_the_operator(named):
    with edge_with(named, "", c="weight: 2") as edge:
        weir(edge, "weight", "p/a", "5")
        assert collections.Counter(ask(edge, 80)) == {"a": 50, "b": 10, "c": 20}
        assert edge.reload()
        assert collections.Counter(ask(edge, 80)) == {"a": 50, "b": 10, "c": 20}
        weir(edge, "weight", "p", "default")
        assert collections.Counter(ask(edge, 80)) == {"a": 20, "b": 20, "c": 40}


def test_no_server_has_a_weight(named):
    """Refused at once: nothing will become free."""
    with edge_with(named, "queue: {timeout: 20s}") as edge:
        weir(edge, "weight", "p", "0")
        began = time.monotonic()
        a = get(edge.port, "/")
        assert a.status == 503 and a.get("Retry-After") == "5"
        assert time.monotonic() - began < 5
        weir(edge, "weight", "p/b", "3")
        assert set(ask(edge, 10)) == {"b"}


def test_drain_and_ready_under_load(named):
    with edge_with(named, "balance: least_requests", threads=2) as edge, Load(edge.port, connections=6) as load:
        for name in "abc":
            origin = named[name]
            at = len(origin.requests)
            eventually(lambda: len(origin.requests) > at, what=f"requests at {name}")
            weir(edge, "drain", f"p/{name}")
            eventually(lambda: counters(edge)[name]["in_flight"] == 0, what="an end of what is in flight")
            at, answered = len(origin.requests), load.answered
            eventually(lambda: load.answered > answered + 50, what="answers of the others")
            assert len(origin.requests) == at
            weir(edge, "ready", f"p/{name}")
            eventually(lambda: len(origin.requests) > at + 5, what=f"requests at {name} again")
        load.stop()
        assert not load.failures and load.closed == 0


def test_slow_start():
    sick = threading.Event()

    def reply(name):
        return lambda request: answer(name, "500 No" if name == "b" and sick.is_set() and request.target == "/healthz" else "200 OK")

    origins = {name: Origin(reply=reply(name)) for name in "ab"}
    try:
        with Edge(CONFIG, threads=1, policy="slow_start: 5s\n    health: {http: /healthz, every: 100ms, fall: 1, rise: 1}",
                  servers=", ".join(f"{{name: {n}, address: '{o.address}'}}" for n, o in origins.items())) as edge:
            eventually(lambda: get(edge.port).status == 200, what="a first verdict")
            eventually(lambda: (counters(edge)["a"]["since_seconds"] or 0) > 5, what="a past its own slow start")
            sick.set()
            eventually(lambda: counters(edge)["b"]["health"] == "down", what="b down")
            assert set(ask(edge, 20)) == {"a"}
            sick.clear()
            eventually(lambda: counters(edge)["b"]["health"] == "up", what="b up")
            early = collections.Counter(ask(edge, 60))
            assert 0 < early["b"] < 25, early
            eventually(lambda: 28 <= collections.Counter(ask(edge, 60))["b"] <= 32, seconds=15, what="its whole share")
    finally:
        for o in origins.values():
            o.stop()


# ---- names ----


def test_name_is_looked_up(named):
    with Edge(CONFIG, threads=2, policy="resolve_every: 1s\n    idle_timeout: 100ms",
              servers=f"'localhost:{named['a'].port}'") as edge, Load(edge.port, connections=2) as load:
        for _ in range(3):
            time.sleep(0.8)
            at = load.answered
            eventually(lambda: load.answered > at, what="more answers")
        load.stop()
        assert not load.failures
        assert edge.log().count("looking the name up again failed") == 0


def test_name_that_nobody_has(named):
    with Edge(CONFIG, threads=1, policy="retry: {attempts: 1}", servers="'weir-test.invalid:80'") as edge:
        for _ in range(3):
            assert get(edge.port).status in (502, 503)
    with Edge(CONFIG, threads=1, policy="", servers=f"'weir-test.invalid:80', '127.0.0.1:{named['a'].port}'") as edge:
        assert set(ask(edge, 10)) == {"a"}
