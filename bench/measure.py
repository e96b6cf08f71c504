"""The measurements: one slot of load, memory of idle connections, reloads,
system calls, profiles. Each returns a plain dict."""
import http.client, json, os, re, signal, subprocess, time

from lab import Noise
from scenarios import IDLE_CONNECTIONS, RELOADS

QUIET = 0.10  # others may use this share of a core
RELOAD_GAP = 0.35
READY_SECONDS = 15


def wait_ready(server):
    """Until the answer has the right body; or say why not."""
    end = time.monotonic() + READY_SECONDS
    why = "no answer"
    while time.monotonic() < end and server.group.process.poll() is None:
        try:
            c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
            c.request("GET", server.scenario.path, headers={"Host": "bench.test", "Connection": "close"})
            answer = c.getresponse()
            length = len(answer.read())
            c.close()
            if answer.status == 200 and length == server.scenario.body:
                return None
            why = f"status {answer.status}, {length} bytes instead of {server.scenario.body}"
        except (OSError, http.client.HTTPException) as e:
            why = f"{type(e).__name__}: {e}"
        time.sleep(0.05)
    with open(server.group.log) as log:
        return why + "\n" + "".join(log.readlines()[-12:])


def load_command(server, seconds, extra=()):
    s = server.scenario
    return ["taskset", "-c", str(server.lab.core_load), f"{server.tools}/bench-load", "--port", str(server.port), "--path",
            s.path, "--connections", str(s.connections), "--seconds", str(seconds), *s.load, *extra]


def slot(server, origin, seconds):
    """Load for some seconds: CPU a request, requests a second, latency."""
    groups = [server.group] + ([origin] if origin else [])
    noise = Noise(server.lab, groups)
    done = subprocess.run(load_command(server, seconds, server.group.cpu_arguments()), stdout=subprocess.PIPE, text=True,
                          timeout=seconds + 60)
    r = json.loads(done.stdout)
    n = max(1, r["answers"])
    total, user, system = r["cpu_us"][0]
    r["failed"] = {k: v for k, v in r["failed"].items() if v}
    r.update(cpu=total / n, user=user / n, system=system / n, per_second=r["answers"] / r["seconds"],
             core=total / (r["seconds"] * 1e6), foreign=noise.share())
    return r


def quietest_slot(server, origin, seconds, retries):
    """Again, a few times, while others use the cores: the quietest counts."""
    best = None
    for _ in range(retries + 1):
        r = slot(server, origin, seconds)
        if best is None or max(r["foreign"]) < max(best["foreign"]):
            best = r
        if max(best["foreign"]) < QUIET:
            break
        time.sleep(0.3)
    return best


def idle(server, connections):
    """Memory of all its processes before and with idle connections."""
    before = server.group.memory_kb()
    command = ["taskset", "-c", str(server.lab.core_load), f"{server.tools}/bench-load", "--port", str(server.port),
               "--path", server.scenario.path, "--idle", "--connections", str(connections)]
    load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ready = load.stdout.readline().split()
    time.sleep(2)  # what a server gives back, it gives back by now
    full = server.group.memory_kb()
    rest = load.communicate("")[0]
    open_count = int(ready[1]) - json.loads(rest)["closed_idle"] if len(ready) == 2 else 0
    n = max(1, open_count)
    return dict(connections=open_count, asked=connections, rss_kb=(full[0] - before[0]) / n,
                pss_kb=(full[1] - before[1]) / n, before_mb=before[0] / 1024, full_mb=full[0] / 1024)


def idle_connections(limit):
    """A proxy needs at most two descriptors for each, and some of its own."""
    return min(IDLE_CONNECTIONS, (limit - 1000) // 2)


def reloads(server, origin):
    noise = Noise(server.lab, [server.group, origin])
    seconds = RELOADS * RELOAD_GAP + 2
    load = subprocess.Popen(load_command(server, seconds), stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    for _ in range(RELOADS):
        server.reload()
        time.sleep(RELOAD_GAP)
    r = json.loads(load.communicate()[0])
    failed = sum(r["failed"].values())
    return dict(answers=r["answers"], reconnected=r["opened"], announced=r["announced"], closed_idle=r["closed_idle"],
                failed=failed, how={k: v for k, v in r["failed"].items() if v}, p99_us=r["latency_us"]["p99"],
                max_us=r["latency_us"]["max"], foreign=noise.share())


def pid_list(server):
    return ",".join(str(p) for p in server.group.pids())


EVENTS = "/sys/kernel/tracing/events/syscalls"


def syscalls(server):
    """System calls for each request, by name, of all its processes."""
    if not os.path.isdir(EVENTS):
        return None
    names = ["epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "recvfrom", "sendto", "read", "write", "readv",
             "writev", "sendmsg", "recvmsg", "sendfile64", "splice", "pread64", "accept4", "socket", "connect", "close",
             "bind", "shutdown", "setsockopt", "getsockopt", "getsockname", "getpeername", "openat", "openat2",
             "newfstat", "newfstatat", "statx", "futex", "ioctl", "fcntl", "clock_gettime", "madvise", "mmap", "munmap",
             "mprotect", "brk", "timerfd_settime", "eventfd2", "pipe2", "rt_sigprocmask", "getrandom"]
    events = ["raw_syscalls:sys_enter", "context-switches"]
    events += [f"syscalls:sys_enter_{n}" for n in names if os.path.isdir(f"{EVENTS}/sys_enter_{n}")]
    perf = subprocess.Popen(["perf", "stat", "-x", ";", "-e", ",".join(events), "-p", pid_list(server)],
                            stderr=subprocess.PIPE, text=True)
    time.sleep(0.6)
    done = subprocess.run(load_command(server, 2), stdout=subprocess.PIPE, text=True)
    perf.send_signal(signal.SIGINT)
    r = json.loads(done.stdout)
    answers = r["answers"] + r["answers_before"]
    counts = {}
    for line in perf.communicate()[1].splitlines():
        fields = line.split(";")
        if len(fields) > 2 and fields[0].isdigit():
            counts[re.sub(r".*:(sys_enter_)?", "", fields[2])] = int(fields[0]) / max(1, answers)
    counts["all"] = counts.pop("sys_enter", 0)
    return {k: v for k, v in sorted(counts.items(), key=lambda x: -x[1]) if v >= 0.004}


def profile(server, call_graph):
    """perf record of all its processes under load, as perf's own text."""
    data = f"{server.folder}/perf.data"
    load = subprocess.Popen(load_command(server, 4), stdout=subprocess.DEVNULL)
    time.sleep(0.8)
    graph = ["--call-graph", "fp"] if call_graph else []
    subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", *graph, "-o", data, "-p", pid_list(server),
                    "--", "sleep", "3"], stderr=subprocess.DEVNULL)
    load.wait()

    def report(*how):
        done = subprocess.run(["perf", "report", "-i", data, "--stdio", "-q", *how], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        return "\n".join(line for line in done.stdout.splitlines() if line.strip())

    text = report("--no-children", "-g", "none", "--sort", "dso", "--percent-limit", "1") + "\n\n"
    text += report("--no-children", "-g", "none", "--sort", "dso,sym", "--percent-limit", "0.7")
    if call_graph:
        text += "\n\n" + report("--children", "-g", "none", "--sort", "sym", "--percent-limit", "3")
    return text
