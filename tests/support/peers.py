"""Servers and proxies of others, started from a configuration and stopped by
their process: nginx and HAProxy, in front of the edge or behind it.

CONFIG has str.format fields, braces doubled: {port} is a free port of the
peer's own, {folder} its folder, the rest comes from the keyword arguments.
"""

import pathlib
import shutil
import socket
import subprocess
import tempfile

from support.edge import eventually, free_port


class Peer:
    def __init__(self, config, **values):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-peer-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.log = self.folder / "log"
        self.path = self.folder / "config"
        self.text = self.frame(config.format(port=self.port, folder=self.folder, **values))
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def frame(self, text):
        return text

    def command(self):
        raise NotImplementedError

    def start(self):
        self.path.write_text(self.text)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(self._listens, what=f"{self.command()[0]} on its port")
        return self

    def _listens(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nginx(Peer):
    """CONFIG is what stands in `http {}`."""

    def frame(self, text):
        temp = "".join(f"{kind}_temp_path {self.folder}/{kind};\n"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return (f"daemon off; master_process off; pid {self.folder}/pid; error_log stderr;\n"
                f"events {{ worker_connections 1024; }}\n"
                f"http {{ access_log off; include /etc/nginx/mime.types;\n{temp}{text}\n}}\n")

    def command(self):
        return ["nginx", "-p", str(self.folder), "-e", "stderr", "-c", str(self.path)]


class HAProxy(Peer):
    def frame(self, text):
        return ("global\n    maxconn 1000\ndefaults\n    mode http\n    timeout connect 5s\n"
                "    timeout client 20s\n    timeout server 20s\n    timeout http-request 5s\n" + text)

    def command(self):
        return ["haproxy", "-db", "-f", str(self.path)]
