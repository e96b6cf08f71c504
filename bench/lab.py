"""The place where servers are measured: a network namespace of our own, a
control group for each program, pinned cores, and how much others disturb.

What cannot be had (no root, no control groups of version 2) is done without,
and `lab.missing` says what that costs.
"""
import ctypes, os, resource, shutil, signal, subprocess, tempfile, time

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
CONGESTION = "reno"
STOP_SECONDS = 4


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def set_priority(nice):
    """Of this process and, where the kernel groups sessions, of its session."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        write("/proc/self/autogroup", nice)
    except OSError:
        pass


class Lab:
    def __init__(self, core_server, core_load, nice):
        self.core_server, self.core_load, self.nice = core_server, core_load, nice
        self.missing = []
        self.groups = []
        self.folder = tempfile.mkdtemp(prefix="weir-bench.")
        os.chmod(self.folder, 0o755)
        self.cgroup = None
        self.port = 23100
        if os.geteuid() == 0:
            self.separate()
        else:
            self.nice = 0
            self.missing.append("not root: no network namespace of its own (congestion control as the system has it: "
                                f"{self.congestion()}), CPU from /proc/PID/stat in ticks of 10 ms")

    @staticmethod
    def congestion():
        return read("/proc/sys/net/ipv4/tcp_congestion_control").strip()

    def separate(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS | CLONE_NEWNET):
            self.missing.append(f"no namespaces ({os.strerror(ctypes.get_errno())}): congestion control as the system "
                                f"has it ({self.congestion()})")
        else:
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            write("/proc/sys/net/ipv4/tcp_congestion_control", CONGESTION)
            write("/proc/sys/net/core/somaxconn", 4096)
            if not os.path.isdir("/sys/kernel/tracing/events"):
                subprocess.run(["mount", "-t", "tracefs", "none", "/sys/kernel/tracing"], stderr=subprocess.DEVNULL)
        self.mount_cgroup()

    def mount_cgroup(self):
        """Where version 2 hangs differs between systems: we hang it up ourselves."""
        point = f"{self.folder}/cgroup"
        os.mkdir(point)
        done = subprocess.run(["mount", "-t", "cgroup2", "none", point], capture_output=True, text=True)
        try:
            if done.returncode:
                raise OSError(done.stderr.strip())
            top = f"{point}/weir-bench.{os.getpid()}"
            os.mkdir(top)
            self.cgroup = top
        except OSError as e:
            self.missing.append(f"no control groups of version 2 ({e}): CPU from /proc/PID/stat in ticks of 10 ms, and "
                                "processes that end are not counted")

    def next_port(self):
        self.port += 1
        return self.port

    def start(self, name, command, core):
        group = Group(self, name, command, core)
        self.groups.append(group)
        return group

    def close(self):
        for group in list(self.groups):
            group.stop()
        if self.cgroup:
            os.rmdir(self.cgroup)
        subprocess.run(["umount", f"{self.folder}/cgroup"], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)


class Group:
    """A program with all its processes, pinned to one core."""

    def __init__(self, lab, name, command, core):
        self.lab, self.name = lab, name
        self.log = f"{lab.folder}/{name}.log"
        self.cgroup = f"{lab.cgroup}/{name}" if lab.cgroup else None
        if self.cgroup:
            os.mkdir(self.cgroup)

        def prepare():
            if self.cgroup:
                write(f"{self.cgroup}/cgroup.procs", os.getpid())
            os.setsid()
            set_priority(lab.nice)
            os.sched_setaffinity(0, {core})
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, preexec_fn=prepare, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        self.pid = self.process.pid

    def pids(self):
        if self.cgroup:
            return [int(p) for p in read(f"{self.cgroup}/cgroup.procs").split()]
        return [pid for pid, session in sessions() if session == self.pid]

    def cpu_arguments(self):
        """For bench-load, which reads the time at the edges of its window."""
        if self.cgroup:
            return ["--cgroup", self.cgroup]
        return ["--pids", ",".join(str(p) for p in self.pids())]

    def cpu_us(self):
        if self.cgroup:
            fields = dict(line.split() for line in read(f"{self.cgroup}/cpu.stat").splitlines())
            return int(fields["usage_usec"])
        return sum(process_cpu_us(pid) for pid in self.pids())

    def memory_kb(self):
        """Resident and proportional, of all processes."""
        rss = pss = 0
        for pid in self.pids():
            try:
                for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
                    if line.startswith("Rss:"):
                        rss += int(line.split()[1])
                    elif line.startswith("Pss:"):
                        pss += int(line.split()[1])
            except OSError:
                pass
        return rss, pss

    def stop(self):
        """Only ever signals the processes of this group."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + STOP_SECONDS
            for pid in self.pids():
                try:
                    os.kill(pid, number)
                except OSError:
                    pass
            while self.pids() and time.monotonic() < end:
                self.process.poll()
                time.sleep(0.02)
        self.process.wait()
        if self.cgroup:
            os.rmdir(self.cgroup)
        self.lab.groups.remove(self)


def sessions():
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = read(f"/proc/{name}/stat").rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                yield int(name), int(fields[3])


def process_cpu_us(pid):
    try:
        fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) * 1000000 // os.sysconf("SC_CLK_TCK")


class Noise:
    """CPU that others used on our two cores between two moments."""

    def __init__(self, lab, groups):
        self.lab, self.groups = lab, groups
        self.start = self.state()

    def state(self):
        return (time.monotonic(), core_busy_us(self.lab.core_server), core_busy_us(self.lab.core_load),
                [g.cpu_us() for g in self.groups], children_cpu_us())

    def share(self):
        """Of the server's core and of the load's core, 0-1. The first group is
        the server; the others and our children run on the load's core."""
        a, b = self.start, self.state()
        wall = (b[0] - a[0]) * 1e6
        used = [y - x for x, y in zip(a[3], b[3])]
        server = b[1] - a[1] - used[0]
        load = b[2] - a[2] - sum(used[1:]) - (b[4] - a[4])
        if self.lab.core_server == self.lab.core_load:
            server = load = b[1] - a[1] - sum(used) - (b[4] - a[4])
        return max(0, server / wall), max(0, load / wall)


def core_busy_us(core):
    for line in read("/proc/stat").splitlines():
        if line.startswith(f"cpu{core} "):
            f = [int(x) for x in line.split()[1:]]
            # user nice system irq softirq steal: what the hypervisor took is a disturbance too
            return (f[0] + f[1] + f[2] + f[5] + f[6] + f[7]) * 1000000 // os.sysconf("SC_CLK_TCK")
    return 0


def children_cpu_us():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((r.ru_utime + r.ru_stime) * 1e6)
