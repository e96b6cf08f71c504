"""What is measured, and what weir has set itself as a goal.

kind     proxy: to the origin over kept connections; static: a file
load     arguments of bench-load
goal     at most this multiple of the better peer's figure
"""
from dataclasses import dataclass, field


@dataclass
class Scenario:
    name: str
    title: str
    kind: str
    body: int
    load: list = field(default_factory=list)
    measure: str = "cpu"  # cpu, rate, idle, reload
    goal: float = None
    floors: tuple = ()
    connections: int = 64

    @property
    def path(self):
        return f"/s{self.body}"


IDLE_CONNECTIONS = 9000
RATE = 12000
RELOADS = 20
# Bytes of our memory for an idle connection.
IDLE_GOAL_KB = 0.8

PROXY, STATIC = ("floor-proxy",), ("floor-memory", "floor-sendfile")
SCENARIOS = [
    Scenario("proxy-200-c8", "proxy, 200 bytes, 8 connections", "proxy", 200, floors=PROXY, connections=8),
    Scenario("proxy-200-c64", "proxy, 200 bytes, 64 connections", "proxy", 200, goal=0.78, floors=PROXY),
    Scenario("proxy-200-c512", "proxy, 200 bytes, 512 connections", "proxy", 200, goal=0.72, floors=PROXY,
             connections=512),
    Scenario("proxy-16k-c64", "proxy, 16 KB, 64 connections", "proxy", 16384, floors=PROXY),
    Scenario("proxy-16k-c512", "proxy, 16 KB, 512 connections", "proxy", 16384, floors=PROXY, connections=512),
    Scenario("proxy-200-close", "proxy, 200 bytes, a connection for each request", "proxy", 200, ["--close"],
             floors=PROXY),
    Scenario("proxy-200-rate", f"proxy, 200 bytes, {RATE} requests a second", "proxy", 200, ["--rate", str(RATE)],
             measure="rate", goal=0.85, floors=PROXY, connections=256),
    Scenario("static-1k", "static file, 1 KB, 64 connections", "static", 1024, goal=0.78, floors=STATIC),
    Scenario("static-100k", "static file, 100 KB, 64 connections", "static", 102400, goal=0.78, floors=STATIC),
    Scenario("static-10m", "static file, 10 MB, 8 connections", "static", 10485760, goal=1.05, floors=STATIC,
             connections=8),
    Scenario("idle", f"memory of {IDLE_CONNECTIONS} idle kept connections", "proxy", 200, measure="idle"),
    Scenario("reload", f"{RELOADS} reloads under load, 64 connections", "proxy", 200, measure="reload"),
]
BY_NAME = {s.name: s for s in SCENARIOS}
FILES = sorted({s.body for s in SCENARIOS if s.kind == "static"})


def choose(names):
    """By name or by the beginning of names (proxy, static-1)."""
    chosen = []
    for name in names:
        found = [s for s in SCENARIOS if s.name == name] or [s for s in SCENARIOS if s.name.startswith(name)]
        if not found:
            raise SystemExit(f"bench: no scenario {name}; there are: {', '.join(BY_NAME)}")
        chosen += [s for s in found if s not in chosen]
    return chosen
