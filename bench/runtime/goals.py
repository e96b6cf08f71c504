"""The goals, and whether they were met. A goal of what was not measured is
shown as such."""
from dataclasses import dataclass
from statistics import median


@dataclass
class Goal:
    title: str
    bound: float
    least: bool  # the bound is the least, not the most
    measured: object  # results -> a number, or {where: number}, or None
    unit: str = ""

    def judge(self, results):
        """(bound, measured, verdict) as text"""
        sign = ">=" if self.least else "<="
        bound = f"{sign} {number(self.bound)}{self.unit}"
        try:
            got = self.measured(results)
        except (KeyError, ZeroDivisionError):
            got = None
        if not got:
            return bound, "-", "not measured"
        values = got if isinstance(got, dict) else {"": got}
        met = all(v >= self.bound if self.least else v <= self.bound for v in values.values())
        text = ", ".join((f"{where}: " if where else "") + number(v) + self.unit for where, v in values.items())
        return bound, text, "met" if met else "**not met**"


def number(x):
    if x >= 1000:
        return f"{x:,.0f}"
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def ratio(values, names):
    """Median of the paired ratios a / b of the rounds."""
    a, b = names
    return median(x / y for x, y in zip(values[a], values[b]))


def cost(operation):
    return lambda r: median(r["cost"][operation]["weir"])


def cost_ratio(operation, other):
    return lambda r: ratio(r["cost"][operation], ("weir", other))


def faster(backend, other, least=1, most=1 << 30):
    """Messages for the same CPU time, by connections: other's ns / ours."""
    return lambda r: {n: ratio(values, (other, f"weir {backend}")) for n, values in r["echo"].items()
                      if least <= int(n) <= most and other in values and f"weir {backend}" in values}


def wake(backend):
    def measured(r):
        values = r["wake"][backend]
        few, many = min(values, key=int), max(values, key=int)
        return {f"{few} to {int(many):,}": median(values[many]) / median(values[few])}
    return measured


def churn(other):
    return lambda r: ratio(r["churn"], (other, "weir epoll"))


def idle_ratio(other, kind="watch"):
    return lambda r: r["idle"][f"weir epoll {kind}"] / r["idle"][other]


def firehose(r):
    return {name: r["firehose"][name]["p50"] / 1000 for name in r["firehose"] if name.startswith("weir")}


def parked_gb(r):
    p = r["parked"]["weir"]
    return {f"{int(p['count']):,} tasks": (p["rss"] + p["tables"]) * 1e6 / 1e9}


GOALS = [
    Goal("bare switch", 3, False, cost("switch"), " ns"),
    Goal("yield, two tasks", 6, False, cost("yield"), " ns"),
    Goal("yield / Go", 0.15, False, cost_ratio("yield", "Go")),
    Goal("spawn and join", 30, False, cost("spawn"), " ns"),
    Goal("spawn and join / Go", 0.12, False, cost_ratio("spawn", "Go")),
    Goal("channel, hand-off / Go", 0.3, False, cost_ratio("channel", "Go")),
    Goal("channel, buffer of 1,024 / Go", 0.5, False, cost_ratio("channel-1024", "Go")),
    Goal("worker stands still to start a child beside 1 GiB", 1, False,
         lambda r: cost("start")(r) / 1e6, " ms"),
    Goal("timer moved", 8, False, cost("timer"), " ns"),
    Goal("parked guarded tasks: GB for a million", 4.4, False, parked_gb),
    Goal("parked guarded tasks: mappings", 100, False, lambda r: r["parked"]["weir"]["mappings"]),
    Goal("idle connection, bytes", 400, False,
         lambda r: {n: max(1, r["idle"][n]) for n in r["idle"] if n.startswith("weir") and n.endswith("watch")}),
    Goal("idle connection / Go", 0.06, False, idle_ratio("Go")),
    Goal("idle connection / gevent", 0.04, False, idle_ratio("gevent")),
    Goal("idle connection of a task that blocks, shrunk, bytes", 1024, False,
         lambda r: {n: r["idle"][n] for n in r["idle"] if n.endswith("task, shrunk")}),
    Goal("idle connection of a task that blocks, shrunk / Go", 0.3, False, idle_ratio("Go", "task, shrunk")),
    Goal("idle connection of a task that blocks, shrunk / gevent", 0.1, False, idle_ratio("gevent", "task, shrunk")),
    Goal("echo on epoll, x raw loop", 0.97, True, faster("epoll", "raw epoll")),
    Goal("echo on epoll, x libuv", 1.1, True, faster("epoll", "libuv")),
    Goal("echo on epoll, x Go", 1.3, True, faster("epoll", "Go")),
    Goal("echo on epoll, x gevent", 2.4, True, faster("epoll", "gevent", 16)),
    Goal("echo on io_uring, x raw loop", 1.15, True, faster("io_uring", "raw epoll", 16)),
    Goal("echo on io_uring, lent buffers, x raw loop", 1.15, True, faster("io_uring lend", "raw epoll", 16)),
    Goal("echo on io_uring, one connection, x raw loop", 0.9, True, faster("io_uring", "raw epoll", 1, 1)),
    Goal("echo on io_uring, x libuv", 1.35, True, faster("io_uring", "libuv", 16)),
    Goal("echo on io_uring, x Go", 1.6, True, faster("io_uring", "Go", 16)),
    Goal("echo on io_uring, x gevent", 2.8, True, faster("io_uring", "gevent", 16)),
    Goal("connection churn, x libuv", 1.1, True, churn("libuv")),
    Goal("connection churn, x Go", 1.6, True, churn("Go")),
    Goal("wake-up beside idle descriptors, epoll", 1.6, False, wake("epoll")),
    Goal("wake-up beside idle descriptors, io_uring", 1.6, False, wake("io_uring")),
    Goal("neighbour of a flood, p50", 0.5, False, firehose, " ms"),
    Goal("shared-memory ring, x pipe", 5, True, lambda r: ratio(r["ipc"], ("pipe", "ring"))),
]


def judged(results):
    return [(g.title, *g.judge(results)) for g in GOALS]
