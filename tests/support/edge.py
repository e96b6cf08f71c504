"""weir as its users start it: from a file, stopped by a signal.

    with Edge(CONFIG, origin="127.0.0.1:1234") as edge:
        ... edge.port ...

CONFIG is YAML with str.format fields (braces of YAML doubled): {port} and
{port2}...{port9} are free ports, {folder} the folder of this edge, the rest
comes from the keyword arguments. What a test does not say is added: an admin
socket, an access log in the folder.
"""

import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

WEIR = os.environ.get("WEIR") or str(pathlib.Path(__file__).parents[2] / "build" / "weir")
BACKEND = os.environ.get("WEIR_BACKEND")  # runtime.backend of every edge
BROKEN = re.compile(r"assertion failed|Sanitizer|runtime error:|weir: signal |stack overflow")
ROLES = ("worker", "health", "control")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(condition, seconds=10, what="the condition"):
    """The first true value of condition(); fails when it stays false."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def proc_status(pid):
    """/proc/PID/status as a dict of texts; empty when there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


class Edge:
    def __init__(self, config, *, user=None, args=(), start_seconds=20, **values):
        self.config = config
        self.user = user  # run as this user, not as root
        self.args = list(args)
        self.start_seconds = start_seconds
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-test-"))
        self.ports = {f"port{n if n > 1 else ''}": free_port() for n in range(1, 10)}
        self.values = values
        self.path = self.folder / "weir.yaml"
        self.admin = self.folder / "admin.sock"
        self.access_path = self.folder / "access.log"
        self.error_path = self.folder / "error.log"
        self.process = None
        self._notify = None

    @property
    def port(self):
        return self.ports["port"]

    @property
    def pid(self):
        """Of the manager."""
        return self.process.pid

    # ---- the file ----

    def render(self, config):
        text = config.format(folder=self.folder, **self.ports, **self.values)
        if not re.search(r"^admin:", text, re.M):
            text += f"\nadmin: {{socket: {self.admin}}}\n"
        if not re.search(r"^log:", text, re.M):
            text += f"\nlog: {{access: {self.access_path}}}\n"
        if BACKEND and not re.search(r"^runtime:.*backend", text, re.M):
            key = f"backend: {BACKEND}"
            text, found = re.subn(r"^runtime: \{", f"runtime: {{{key}, ", text, flags=re.M)
            if not found:
                text += f"\nruntime: {{{key}}}\n"
        return text

    def write(self, config=None):
        """Put another configuration in the file (whole at every moment)."""
        if config is not None:
            self.config = config
        new = self.path.with_suffix(".new")
        new.write_text(self.render(self.config))
        new.rename(self.path)

    # ---- start and stop ----

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        self.write()
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        else:
            self.folder.chmod(0o755)  # what it serves may lie here
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify_path = str(self.folder / "notify")
        self._notify.bind(notify_path)
        os.chmod(notify_path, 0o666)
        with open(self.error_path, "ab") as errors:
            self.process = subprocess.Popen(
                [WEIR, "run", *self.args, str(self.path)], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                env=dict(os.environ, NOTIFY_SOCKET=notify_path), user=self.user, group=self._group(),
                extra_groups=[] if self.user else None, start_new_session=True)
        self.wait_notified("READY=1", seconds=self.start_seconds)
        return self

    def _group(self):
        return pwd.getpwnam(self.user).pw_gid if self.user else None

    def stop(self, seconds=40):
        """SIGTERM, and wait. Returns the exit status. Fails when a process
        of it died of its own assertions or was found out by a sanitizer."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"weir did not stop\n{self.log()}") from None
        if self._notify is not None:
            self._notify.close()
            self._notify = None
        log = self.log()
        assert not BROKEN.search(log), log
        return self.process.returncode

    def wait_notified(self, *wanted, seconds=20):
        """The next message of sd_notify that holds one of these lines."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._notify.settimeout(0.05)
            try:
                lines = self._notify.recv(4096).decode().splitlines()
            except TimeoutError:
                if self.process.poll() is not None:
                    raise AssertionError(f"weir ended with {self.process.returncode}:\n{self.log()}") from None
                continue
            for line in wanted:
                if line in lines:
                    return lines
        raise AssertionError(f"no {' or '.join(wanted)} within {seconds} s:\n{self.log()}")

    # ---- while it runs ----

    def reload(self, config=None, seconds=20):
        """Write the file and send SIGHUP. Returns whether it was taken."""
        if config is not None:
            self.write(config)
        self.send(signal.SIGHUP)
        self.wait_notified("RELOADING=1", seconds=seconds)
        lines = self.wait_notified("READY=1", seconds=seconds)
        return not any(line.startswith("STATUS=reload failed") for line in lines)

    def send(self, number):
        """A signal to the manager."""
        self.process.send_signal(number)

    def role(self, name):
        """The pid of a role, or None while it does not run."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in children:
            try:
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == f"weir-{name}":
                    return int(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass
        return None

    def kill_role(self, name, number=signal.SIGKILL):
        """Returns the pid it had."""
        pid = eventually(lambda: self.role(name), what=f"a {name}")
        os.kill(pid, number)
        return pid

    def children(self):
        """Every child of the manager: pid -> state ("S", "Z", ...)."""
        text = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        states = {int(pid): proc_status(pid).get("State", "?")[:1] for pid in text.split()}
        return {pid: state for pid, state in states.items() if state != "?"}

    def fd_count(self, pid=None):
        return len(os.listdir(f"/proc/{pid or self.pid}/fd"))

    # ---- what it wrote ----

    def log(self):
        return self.error_path.read_text(errors="replace") if self.error_path.exists() else ""

    def access_log(self):
        return self.access_path.read_text(errors="replace") if self.access_path.exists() else ""
