"""Results as text or as Markdown: medians with their range, and the ratio to
the better peer round by round, because rounds of one moment are comparable
when moments are not."""
from statistics import median

from scenarios import IDLE_GOAL_KB, RELOADS


def number(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def spread(values):
    return f"{number(median(values))} [{number(min(values))}-{number(max(values))}]"


def label(name, roles):
    return f"*{name}*" if roles[name] == "floor" else name


def best_peer(rounds, roles, key):
    peers = [s for s in rounds if roles[s] == "peer" and rounds[s]]
    return min(peers, key=lambda s: median(r[key] for r in rounds[s])) if peers else None


def ratios(rounds, server, peer, key):
    return [a[key] / b[key] for a, b in zip(rounds[server], rounds[peer]) if b[key]]


def failures(results):
    total = {}
    for r in results:
        for how, n in r["failed"].items():
            total[how] = total.get(how, 0) + n
    return ", ".join(f"{n} {how}" for how, n in total.items()) or "0"


def foreign(results):
    return [max(r["foreign"]) for r in results]


def verdict(met, text, disturbed=False):
    word = "met" if met else "NOT met"
    return f"goal {text}: {word}" + (" (disturbed)" if disturbed else "")


def load_table(scenario, rounds, roles):
    peer = best_peer(rounds, roles, "cpu")
    head = ["server", "CPU us/request", "x better peer", "user + system us", "requests/s", "core", "p50 us", "p99 us",
            "foreign", "failed"]
    rows = []
    for s, results in rounds.items():
        if not results:
            continue
        ratio = spread(ratios(rounds, s, peer, "cpu")) if peer else "-"
        rows.append([
            label(s, roles), spread([r["cpu"] for r in results]), ratio,
            f"{number(median(r['user'] for r in results))} + {number(median(r['system'] for r in results))}",
            spread([r["per_second"] for r in results]), f"{100 * median(r['core'] for r in results):.0f} %",
            number(median(r["latency_us"]["p50"] for r in results)),
            number(median(r["latency_us"]["p99"] for r in results)),
            f"{100 * median(foreign(results)):.0f} %", failures(results)])
    return head, rows, load_notes(scenario, rounds, roles, peer)


def load_notes(scenario, rounds, roles, peer):
    notes = []
    disturbed = [s for s, results in rounds.items() if results and median(foreign(results)) > 0.10]
    if disturbed:
        notes.append(("disturbed", f"DISTURBED: others used more than 10 % of a core beside {', '.join(disturbed)}"))
    for s, results in rounds.items():
        failed = failures(results)
        if failed != "0":
            notes.append(("failed", f"FAILED requests of {s}: {failed}: its figures do not count"))
        if roles[s] == "ours" and results and peer and scenario.goal:
            got = median(ratios(rounds, s, peer, "cpu"))
            notes.append(("goal", verdict(got <= scenario.goal and failed == "0",
                                          f"<= {scenario.goal:.2f} of {peer}, measured {got:.2f}", bool(disturbed))))
    return notes


def idle_table(scenario, rounds, roles):
    head = ["server", "connections", "KB each (RSS)", "KB each (PSS)", "RSS MB before", "RSS MB with them"]
    rows, notes = [], []
    for s, results in rounds.items():
        for r in results:
            rows.append([label(s, roles), str(r["connections"]), f"{r['rss_kb']:.2f}", f"{r['pss_kb']:.2f}",
                         f"{r['before_mb']:.1f}", f"{r['full_mb']:.1f}"])
            if r["connections"] < r["asked"]:
                notes.append(("warning", f"{s} kept {r['connections']} of {r['asked']} connections"))
            elif roles[s] == "ours":
                notes.append(("goal", verdict(r["rss_kb"] <= IDLE_GOAL_KB,
                                              f"<= {IDLE_GOAL_KB} KB, measured {r['rss_kb']:.2f}")))
    return head, rows, notes


def reload_table(scenario, rounds, roles):
    head = ["server", "reloads", "requests", "connections closed", "after an announcement", "requests failed", "p99 us",
            "max us"]
    rows, notes = [], []
    for s, results in rounds.items():
        for r in results:
            rows.append([label(s, roles), str(RELOADS), str(r["answers"]), str(r["reconnected"]), str(r["announced"]),
                         str(r["failed"]) + ("" if not r["how"] else " " + ", ".join(r["how"])), number(r["p99_us"]),
                         number(r["max_us"])])
            if roles[s] == "ours":
                notes.append(("goal", verdict(r["reconnected"] == 0 and r["failed"] == 0,
                                              f"no connection closed, no request failed, measured {r['reconnected']} "
                                              f"and {r['failed']}")))
    return head, rows, notes


TABLES = {"cpu": load_table, "rate": load_table, "idle": idle_table, "reload": reload_table}


def show(scenario, rounds, roles, markdown):
    """Print one scenario's table. Returns its lines about goals."""
    head, rows, notes = TABLES[scenario.measure](scenario, rounds, roles)
    if markdown:
        print(f"\n### {scenario.name}: {scenario.title}\n")
        print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
        for row in rows:
            print("| " + " | ".join(row) + " |")
        print()
        for _, note in notes:
            print(note + "  ")
    else:
        print(f"\n{scenario.name}: {scenario.title}")
        widths = [max(len(r[i]) for r in [head, *rows]) for i in range(len(head))]
        for row in [head, *rows]:
            print("  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip())
        for _, note in notes:
            print("  " + note)
    return [f"{scenario.name}: {note}" for what, note in notes if what == "goal"]
