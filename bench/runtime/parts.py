"""What is measured, a function each. Each returns a plain dict that goes into
the JSON file; goals.py and pages.py read it."""
import time
from statistics import median

from rig import BACKENDS, FAST, Missing, Server, progress, rounds

# Roughly what one takes, in ns: how many of them make a window.
COSTS = {
    "yield": {"weir": 15, "bare stacks": 5, "Go": 50, "State Threads": 400, "gevent": 2000, "thread": 2000, "process": 2000},
    "yield-1000": {"weir": 20, "bare stacks": 8, "Go": 60, "State Threads": 200, "gevent": 2000},
    "spawn": {"weir": 60, "bare stacks": 10, "Go": 300, "State Threads": 150, "gevent": 15000, "thread": 30000, "fork": 150000,
              "vfork": 40000},
    "channel": {"weir": 60, "Go": 110, "gevent": 6000},
    "channel-1024": {"weir": 25, "Go": 30, "gevent": 2500},
    "generator": {"weir": 40, "gevent": 50},
    "timer": {"weir": 9},
    "switch": {"weir": 2},
    "start": {"weir": 5e6, "fork": 50e6},
}
# How the programs call what differs between them.
SYSTEM = {("yield", "thread"): "thread-yield", ("yield", "process"): "process-yield",
          ("spawn", "thread"): "thread-spawn", ("spawn", "fork"): "fork", ("spawn", "vfork"): "vfork",
          ("start", "fork"): "start"}


def cost_once(rig, operation, name, count):
    if (operation, name) in SYSTEM:
        words = rig.cost("system", SYSTEM[operation, name], count)
    elif operation == "switch":
        words = rig.cost("bare stacks", operation, count)
    else:
        words = rig.cost(name, operation, count)
    return float(words[0])


def cost(rig, plan):
    """CPU ns of an operation: {operation: {contender: [ns, a round each]}}"""
    results = {}
    for operation, names in COSTS.items():
        least = 1000 if operation.endswith("-1000") else 2
        progress(f"cost: {operation}")
        results[operation] = rounds(
            names, plan.rounds, lambda name: cost_once(rig, operation, name, max(least, int(plan.window_ns / names[name]))),
            plan.warner(f"cost of {operation}"))
    return results


def parked(rig, plan):
    """Bytes of each of many that wait: {name: {count, rss, tables, mappings, rss_kb}}"""
    results = {}
    for name, program, operation in (("weir", "weir", "parked"), ("Go", "Go", "parked"), ("gevent", "gevent", "parked"),
                                     ("thread", "system", "thread-parked"), ("process", "system", "process-parked")):
        progress(f"parked: {name}")
        try:
            words = [float(w) for w in rig.cost(program, operation, plan.parked[name])]
        except Missing as e:
            plan.warner("parked")(name, str(e))
            continue
        results[name] = dict(zip(("count", "rss", "tables", "mappings", "rss_kb"), words))
    return results


def window(server, what, ms):
    count, ns = server.ask(f"{what} {ms}")
    return ns / count


def served(rig, plan, what, connections, servers, title):
    """CPU ns of the server for each message; all servers stay up, windows of
    them take turns."""
    progress(f"{title}: {connections} connections")
    up, warn = {}, plan.warner(title)
    try:
        for name, command in servers.items():
            try:
                up[name] = Server(rig, command, connections)
                window(up[name], what, plan.echo_ms // 2 + 1)
            except Missing as e:
                warn(name, str(e))
                if name in up:
                    up.pop(name).close()
        return rounds(up, plan.echo_rounds, lambda name: window(up[name], what, plan.echo_ms), warn)
    finally:
        for server in up.values():
            server.close()


def echo(rig, plan):
    """{connections: {server: [ns, ...]}}"""
    servers = {**rig.echo_servers(), "weir io_uring lend": rig.echo_server("io_uring", "lend")}
    return {str(n): served(rig, plan, "echo", n, servers, "echo") for n in plan.echo_connections}


def churn(rig, plan):
    """Connect, 64 bytes each way, reset; 16 at a time: {server: [ns, ...]}"""
    return served(rig, plan, "churn", 16, rig.echo_servers(), "churn")


def settled_kb(server, plan):
    """When it has not changed for a while: what a server gives back, it does
    by then."""
    last, quiet = server.memory_kb(), 0
    for _ in range(plan.settle_steps):
        time.sleep(0.5)
        now = server.memory_kb()
        quiet = quiet + 1 if now == last else 0
        last = now
        if quiet == 6:
            break
    return last


def idle(rig, plan):
    """Bytes that a server allocated for each idle connection, after two
    messages on each: {server: bytes}"""
    results, warn = {}, plan.warner("idle")
    servers = rig.echo_servers(backends=FAST, forms=("watch", "task"))
    for backend in FAST:
        for form, title in (("lend", "task, lent buffer"), ("shrunk", "task, shrunk")):
            servers[f"weir {backend} {title}"] = rig.echo_server(backend, form)
    for name, command in servers.items():
        progress(f"idle: {name}")
        try:
            server = Server(rig, command, plan.idle_connections, client_cpu=rig.cpu_other)
        except Missing as e:
            warn(name, str(e))
            continue
        results[name] = (settled_kb(server, plan) - server.before_kb) * 1024 / plan.idle_connections
        server.close()
    return results


def wake(rig, plan):
    """CPU ns of a wake-up beside idle descriptors: {backend: {idle: [ns, ...]}}"""
    results = {name: {} for name in BACKENDS}
    for idle_count in plan.wake_idle:
        progress(f"wake: {idle_count} idle descriptors")

        def measure(name):
            scans = name in ("select", "poll")
            count = max(100, int(plan.window_ns / (1000 + (100 * idle_count if scans else 0))))
            return float(rig.output([rig.tool("weir-wake"), BACKENDS[name], str(idle_count), str(count)])[0])

        for name, values in rounds(list(results), plan.rounds, measure, plan.warner("wake")).items():
            results[name][str(idle_count)] = values
    return {name: values for name, values in results.items() if values}


def firehose(rig, plan):
    """A neighbour of a flood, its round trips in us: {server: {p50, p99}}"""
    results, warn = {}, plan.warner("firehose")
    for name, command in rig.echo_servers(backends=FAST).items():
        progress(f"firehose: {name}")
        try:
            server = Server(rig, command, 1, client_cpu=rig.cpu_other)
        except Missing as e:
            warn(name, str(e))
            continue
        try:
            values = [server.ask(f"firehose {plan.firehose_ms}") for _ in range(3)]
            results[name] = {"p50": median(v[0] for v in values), "p99": median(v[1] for v in values),
                             "round_trips": sum(v[2] for v in values)}
        except Missing as e:
            warn(name, str(e))
        finally:
            server.close()
    return results


def busy(rig, plan):
    """How much too long a task sleeps beside 1,000 busy ones, in ms, on their
    worker and on one of its own on the same CPU: {load: {place: [p50, p99, most]}}"""
    results, warn = {}, plan.warner("busy")
    for load in ("cpu", "io", "requests"):
        progress(f"busy: {load}")
        runs = rounds(("same", "own"), plan.busy_rounds, lambda place: [
            float(w) for w in rig.output([rig.tool("weir-busy"), load, place, str(plan.busy_ms)])], warn)
        results[load] = {place: [median(v) for v in zip(*values)] for place, values in runs.items()}
    return results


IPC_NS = {"ring": 200, "pipe": 1100, "fifo": 1100, "unix-stream": 1500, "unix-dgram": 2500, "unix-seqpacket": 2800, "posix-mq": 2500,
          "posix-sem": 500, "sysv-sem": 2000}


def ipc_once(rig, way, count):
    command = [rig.tool("weir-ring")] if way == "ring" else [rig.tool("ipc-cost"), way]
    return float(rig.output([*command, str(count)], {rig.cpu, rig.cpu_other})[0])


def ipc(rig, plan):
    """CPU ns of both sides for a message of 64 bytes: {way: [ns, ...]}"""
    progress("ipc")
    return rounds(IPC_NS, plan.rounds, lambda way: ipc_once(rig, way, max(100, int(2 * plan.window_ns / IPC_NS[way]))),
                  plan.warner("ipc"))


PARTS = {"cost": cost, "parked": parked, "echo": echo, "churn": churn, "idle": idle, "wake": wake,
         "firehose": firehose, "busy": busy, "ipc": ipc}
