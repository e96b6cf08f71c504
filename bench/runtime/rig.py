"""How things are run here: programs pinned to a CPU, echo servers with their
client, and rounds in which everybody takes a turn."""
import os, resource, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # Debian's gevent is for this one
# Our name of each, and the library's.
BACKENDS = {"epoll": "epoll", "io_uring": "uring", "poll": "poll", "select": "select"}
FAST = ["epoll", "io_uring"]


class Missing(Exception):
    """Not installed, or refused: it is left out, and the report says so."""


class Rig:
    def __init__(self, build, cpu, cpu_other):
        self.tools, self.cpu, self.cpu_other = f"{build}/bench/runtime", cpu, cpu_other
        self.missing = {}
        self.commands = self.find_commands(build)

    def tool(self, name):
        return f"{self.tools}/bench-{name}"

    def find_commands(self, build):
        """What each contender is called with: for costs, and as an echo server."""
        found = {"weir": ([self.tool("weir-cost")], [self.tool("weir-echo")]),
                 "system": ([self.tool("system-cost")], None),
                 "bare stacks": ([self.tool("switch-cost")], None),
                 "raw epoll": (None, [self.tool("raw-echo")]),
                 "raw io_uring": (None, [self.tool("raw-uring")])}
        for name, short in (("libuv", "uv"), ("libev", "ev"), ("State Threads", "st")):
            cost, echo = self.tool(f"{short}-cost"), self.tool(f"{short}-echo")
            if os.path.exists(echo):
                found[name] = ([cost] if os.path.exists(cost) else None, [echo])
            else:
                self.missing[name] = "not installed"
        try:
            go = self.build_go(build)
            found["Go"] = ([go], [go, "echo"])
        except Missing as e:
            self.missing["Go"] = str(e)
        if subprocess.run([PYTHON, "-c", "import gevent"], stderr=subprocess.DEVNULL).returncode == 0:
            program = [PYTHON, f"{HERE}/gevent_bench.py"]
            found["gevent"] = (program, [*program, "echo"])
        else:
            self.missing["gevent"] = "not installed"
        return found

    def build_go(self, build):
        if not shutil.which("go"):
            raise Missing("not installed")
        program = os.path.abspath(f"{self.tools}/bench-go")
        cache = os.path.abspath(f"{build}/go-cache")
        env = dict(os.environ, GO111MODULE="off", GOCACHE=cache, GOFLAGS="", GOTOOLCHAIN="local")
        done = subprocess.run(["go", "build", "-o", program, "main.go"], cwd=f"{HERE}/go", env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise Missing("does not build: " + done.stdout.strip())
        return program

    def prepare(self, cpus, batch):
        """For preexec_fn: pinned, with all descriptors the limit allows."""
        def run():
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            os.sched_setaffinity(0, cpus)
            if batch:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        return run

    def output(self, command, cpus=None, seconds=60):
        """The words that a program prints; Missing if it refuses."""
        called = f"{os.path.basename(command[0])} {' '.join(command[1:])}"
        try:
            done = subprocess.run(command, preexec_fn=self.prepare(cpus or {self.cpu}, False), text=True,
                                  timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except subprocess.TimeoutExpired as e:
            raise Missing(f"{called} did not end in {seconds} s") from e
        if done.returncode:
            why = done.stderr.strip().split("\n")[-1]
            raise Missing(f"{called} ended with {done.returncode}" + (f": {why}" if why else ""))
        return done.stdout.split()

    def cost(self, name, operation, count):
        if name not in self.commands or self.commands[name][0] is None:
            raise Missing(self.missing.get(name, "has no such thing"))
        return self.output([*self.commands[name][0], operation, str(count)])

    def echo_server(self, backend, form):
        return [*self.commands["weir"][1], BACKENDS[backend], form]

    def echo_servers(self, backends=tuple(BACKENDS), forms=("task",)):
        """Names and commands: weir on each backend, then the others."""
        servers = {}
        for form in forms:
            for backend in backends:
                name = f"weir {backend}" + (f" {form}" if len(forms) > 1 else "")
                servers[name] = self.echo_server(backend, form)
        for name, (_, echo) in self.commands.items():
            if echo and name != "weir":
                servers[name] = echo
        return servers


class Server:
    """An echo server and its client, which talks when it is told to."""

    def __init__(self, rig, command, connections, client_cpu=None):
        same = client_cpu is None or client_cpu == rig.cpu
        self.client = None
        self.process = subprocess.Popen(command, preexec_fn=rig.prepare({rig.cpu}, same), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            line = self.process.stdout.readline()
            if not line.strip():
                raise Missing("does not start")
            self.before_kb = self.memory_kb()
            self.client = subprocess.Popen(
                [rig.tool("echo-load"), line.strip(), str(connections), str(self.process.pid)],
                preexec_fn=rig.prepare({rig.cpu if same else client_cpu}, False), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if self.client.stdout.readline().strip() != "ready":
                raise Missing(f"does not serve {connections} connections")
        except BaseException:
            self.close()
            raise

    def ask(self, command):
        self.client.stdin.write(command + "\n")
        self.client.stdin.flush()
        words = self.client.stdout.readline().split()
        if not words:
            raise Missing(f"failed at: {command}")
        return [float(w) for w in words]

    def memory_kb(self):
        """Anonymous memory: what it allocated, not its program and libraries."""
        with open(f"/proc/{self.process.pid}/status") as status:
            kb = [int(line.split()[1]) for line in status if line.startswith("RssAnon:")]
        if not kb:
            raise Missing("has ended")
        return kb[0]

    def close(self):
        for p in (self.client, self.process):
            if p:
                p.terminate()
                p.wait()
                for pipe in (p.stdin, p.stdout):
                    if pipe:
                        pipe.close()


def rounds(names, count, measure, warn):
    """A B C, B C A, C A B: what measure(name) returned, by name; a list each.
    Who is Missing in any round is out, with the reason given to warn()."""
    names, results = list(names), {name: [] for name in names}
    for r in range(count):
        turn = names[r % len(names):] + names[:r % len(names)] if names else []
        for name in turn:
            if name not in results:
                continue
            try:
                results[name].append(measure(name))
            except Missing as e:
                warn(name, str(e))
                del results[name]
                names.remove(name)
    return results


def progress(text):
    print(text, file=sys.stderr, flush=True)
