"""Results as Markdown and as plots."""
import os
from statistics import median

import goals, svg

BEGIN, END = "<!-- bench-runtime: begin -->", "<!-- bench-runtime: end -->"
COST_TITLES = {"switch": "bare switch of stacks", "yield": "yield, two tasks", "yield-1000": "yield, 1,000 tasks",
               "spawn": "spawn, run, join", "channel": "channel, hand-off", "channel-1024": "channel, buffer of 1,024",
               "generator": "generator, next value", "timer": "timer moved",
               "start": "child started beside 1 GiB (time the caller stands still)"}
WAYS = {"ring": "shared-memory ring", "pipe": "pipe", "fifo": "FIFO", "unix-stream": "Unix stream",
        "unix-dgram": "Unix datagram", "unix-seqpacket": "Unix seqpacket", "posix-mq": "POSIX queue",
        "posix-sem": "POSIX semaphores", "sysv-sem": "System V semaphores"}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join("---" for _ in head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def spread(values):
    return f"{goals.number(median(values))} [{goals.number(min(values))}-{goals.number(max(values))}]"


def goal_table(results):
    return table(["goal", "target", "measured", ""], goals.judged(results))


def cost_table(results):
    names = list(dict.fromkeys(n for values in results.values() for n in values))
    rows = [[COST_TITLES[operation], *(spread(values[n]) if n in values else "" for n in names)]
            for operation, values in results.items()]
    return table(["CPU ns", *names], rows)


def parked_table(results):
    rows = [[name, f"{int(p['count']):,}", f"{p['rss']:,.0f}", f"{p['tables']:,.0f}", f"{int(p['mappings']):,}"]
            for name, p in results.items()]
    return table(["one that waits", "of them", "bytes", "bytes of page tables", "mappings"], rows)


def by_size(results, unit):
    """Rows are servers, columns sizes: the medians."""
    sizes = list(results)
    names = list(dict.fromkeys(n for values in results.values() for n in values))
    rows = [[name, *(goals.number(median(results[s][name])) if name in results[s] else "-" for s in sizes)]
            for name in names]
    return table([unit, *(f"{int(s):,}" for s in sizes)], rows)


def turned(results):
    sizes = list(dict.fromkeys(s for values in results.values() for s in values))
    return {s: {name: values[s] for name, values in results.items() if s in values} for s in sizes}


def sections(results):
    yield "", goal_table(results)
    if "cost" in results:
        yield "Operations", cost_table(results["cost"])
    if "parked" in results:
        yield "Memory of what waits", parked_table(results["parked"])
    if "echo" in results:
        yield "Echo of 64 bytes: CPU ns of the server for each message, by connections", \
            by_size(results["echo"], "server")
    if "churn" in results:
        yield "Connect, 64 bytes each way, reset", table(
            ["server", "CPU ns"], [[n, spread(v)] for n, v in results["churn"].items()])
    if "idle" in results:
        yield "Memory of an idle connection", table(
            ["server", "bytes"], [[n, goals.number(max(0, v))] for n, v in results["idle"].items()])
    if "wake" in results:
        yield "Wake-up beside idle descriptors: CPU ns, by their number", by_size(turned(results["wake"]), "backend")
    if "firehose" in results:
        yield "A neighbour of a flood: its round trip", table(
            ["server", "p50 us", "p99 us"],
            [[n, goals.number(v["p50"]), goals.number(v["p99"])] for n, v in results["firehose"].items()])
    if "busy" in results:
        yield "How much too long a task sleeps beside 1,000 busy ones: ms, p50 / p99", table(
            ["the others", "on the same worker", "on one of its own, same CPU"],
            [[load, *(" / ".join(goals.number(v) for v in places[p][:2]) if p in places else "-" for p in ("same", "own"))]
             for load, places in results["busy"].items()])
    if "ipc" in results:
        yield "A message of 64 bytes from process to process: CPU ns of both", table(
            ["way", "CPU ns"], [[WAYS[n], spread(v)] for n, v in results["ipc"].items()])


def markdown(results, about, images=()):
    parts = ["\n".join(about)]
    for title, body in sections(results):
        parts.append(f"### {title}\n\n{body}" if title else body)
    for file, title in images:
        parts.append(f"![{title}](images/{file})")
    return "\n\n".join(parts)


def plot_backends_idle(results):
    series = {name: {int(n): median(v) for n, v in values.items()} for name, values in results["wake"].items()}
    return svg.lines("One wake-up beside idle descriptors", "idle descriptors", "CPU ns of a wake-up", series)


def plot_backends_echo(results):
    names = [n for n in next(iter(results["echo"].values())) if n.startswith("weir ") or n.startswith("raw ")]
    series = {n.replace("weir ", ""): {int(c): median(v[n]) / 1000 for c, v in results["echo"].items() if n in v}
              for n in names}
    return svg.lines("Echo of 64 bytes as connections grow", "connections", "CPU us of the server for a message",
                     series, log_y=False)


def plot_tasks(results):
    costs, parked = results["cost"], results["parked"]
    kinds = {"process": 3, "process (vfork)": 3, "thread": 1, "task": 0}

    def row(process, thread, task, vfork=None):
        values = {"process": process, "process (vfork)": vfork, "thread": thread, "task": task}
        return {name: value for name, value in values.items() if value is not None}

    yields, spawns = costs["yield"], costs["spawn"]
    return svg.bars("A process, a thread, a task", [
        ("yield to another, two of them on one CPU: CPU ns",
         row(median(yields["process"]), median(yields["thread"]), median(yields["weir"])), kinds),
        ("start, run nothing, join: CPU ns",
         row(median(spawns["fork"]), median(spawns["thread"]), median(spawns["weir"]), median(spawns["vfork"])), kinds),
        ("memory of one that waits, with page tables, without the kernel's own: bytes",
         row(*(parked[n]["rss"] + parked[n]["tables"] for n in ("process", "thread", "weir"))), kinds)])


def plot_ipc(results):
    values = {WAYS[n]: median(v) for n, v in sorted(results["ipc"].items(), key=lambda item: median(item[1]))}
    return svg.bars("From process to process", [("a message of 64 bytes, both sides: CPU ns", values, {WAYS["ring"]: 0})])


PLOTS = [("bench-backends-idle.svg", "A wake-up beside idle descriptors, by backend", plot_backends_idle),
         ("bench-backends-echo.svg", "Echo as connections grow, by backend", plot_backends_echo),
         ("bench-tasks.svg", "Switch, start and memory of process, thread and task", plot_tasks),
         ("bench-ipc.svg", "Ways from process to process", plot_ipc)]


def write_plots(results, folder):
    """Those whose figures are there; [(file, title)]"""
    written = []
    os.makedirs(folder, exist_ok=True)
    for file, title, plot in PLOTS:
        try:
            text = plot(results)
        except (KeyError, StopIteration):
            continue
        with open(f"{folder}/{file}", "w") as f:
            f.write(text)
        written.append((file, title))
    return written


def write_page(path, text):
    """Between the markers, and nothing else of the page."""
    with open(path) as f:
        page = f.read()
    if BEGIN not in page or END not in page:
        raise SystemExit(f"bench-runtime: {path} has no markers {BEGIN} and {END}")
    before, rest = page.split(BEGIN, 1)
    with open(path, "w") as f:
        f.write(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}")
