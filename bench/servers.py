"""How each server is configured and started for a scenario.

The peers are tuned as well as we could: one worker or thread, no access log,
kept connections never retired, and per scenario what measured best (why is
said at each line). A server that loses gets its tuning looked at before its
figure is believed.
"""
import os, re, signal, subprocess

KEEP_SECONDS = 600  # longer than any measurement


class Server:
    name = role = ""
    kinds = ()

    def __init__(self, lab, scenario, origin_port, tools, weir):
        self.lab, self.scenario, self.origin_port, self.tools, self.weir = lab, scenario, origin_port, tools, weir
        self.port = lab.next_port()
        self.folder = f"{lab.folder}/{self.name}.{scenario.name}"
        os.mkdir(self.folder)
        self.edition = 0
        self.group = None

    def start(self):
        self.configure()
        self.group = self.lab.start(f"{self.name}.{self.scenario.name}", self.command(), self.lab.core_server)

    def file(self, name, text):
        with open(f"{self.folder}/{name}", "w") as f:
            f.write(text)

    @property
    def keep(self):
        """Differs between editions, so that a reload has something to change."""
        return KEEP_SECONDS + self.edition

    def configure(self):
        pass

    def command(self):
        raise NotImplementedError

    reload_signal = None

    def reload(self):
        self.edition += 1
        self.configure()
        os.kill(self.group.pid, self.reload_signal)

    @classmethod
    def version(cls, weir):
        return ""


class Nginx(Server):
    name, role, kinds = "nginx", "peer", ("proxy", "static")
    reload_signal = signal.SIGHUP

    def location(self):
        if self.scenario.kind == "static":
            return (f"root {self.lab.folder}/files; open_file_cache max=1000 inactive=600s; "
                    "open_file_cache_valid 600s; open_file_cache_min_uses 1;")
        # 20k: a 16 KB answer with its head fits one buffer
        return ("proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ''; "
                "proxy_set_header Host $host; proxy_buffer_size 20k; proxy_buffers 8 20k; "
                "proxy_busy_buffers_size 40k;")

    def upstream(self):
        if self.scenario.kind == "static":
            return ""
        return (f"upstream origin {{ server 127.0.0.1:{self.origin_port}; keepalive 1024; "
                "keepalive_requests 100000000; keepalive_timeout 600s; }")

    def configure(self):
        # 1 KB bodies cost less through pread and writev: 8.5 us against 10.6 us with sendfile and nopush
        bulk = "off" if self.scenario.name == "static-1k" else "on"
        temporary = "".join(f"{m}_temp_path {self.folder}/{m};" for m in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.file("nginx.conf", f"""
daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log crit;
{'user root;' if os.geteuid() == 0 else ''}
events {{ worker_connections 19000; use epoll; multi_accept on; accept_mutex off; }}
http {{
  access_log off; server_tokens off; {temporary}
  sendfile {bulk}; tcp_nopush {bulk}; tcp_nodelay on;
  keepalive_timeout {self.keep}s; keepalive_requests 100000000;
  default_type application/octet-stream;
  {self.upstream()}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location / {{ {self.location()} }}
  }}
}}
""")

    def command(self):
        return ["nginx", "-p", self.folder, "-e", f"{self.folder}/error.log", "-c", f"{self.folder}/nginx.conf"]

    @classmethod
    def version(cls, weir):
        return output(["nginx", "-v"], r"nginx/(\S+)")


class Haproxy(Server):
    name, role, kinds = "haproxy", "peer", ("proxy",)
    reload_signal = signal.SIGUSR2

    def configure(self):
        # With 16384 bytes, the default, an answer of 16 KB and its head take three recv and three send, not two
        buffers = "tune.bufsize 32768" if self.scenario.body >= 16384 else ""
        self.file("haproxy.cfg", f"""
global
  nbthread 1
  maxconn 9800
  stats socket {self.folder}/stats.sock mode 600 level admin expose-fd listeners
  {buffers}
defaults
  mode http
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive {self.keep}s
  option http-keep-alive
  maxconn 9800
frontend edge
  bind 127.0.0.1:{self.port} backlog 4096
  default_backend origin
backend origin
  http-reuse always
  server origin 127.0.0.1:{self.origin_port} pool-max-conn -1 pool-purge-delay 600s
""")

    def command(self):
        # -W: a master, so that a reload is the same signal that its service unit sends
        return ["haproxy", "-W", "-S", f"{self.folder}/master.sock", "-f", f"{self.folder}/haproxy.cfg"]

    @classmethod
    def version(cls, weir):
        return output(["haproxy", "-v"], r"version (\d+\.\d+\.\d+)")


class Weir(Server):
    name, role, kinds = "weir", "ours", ("proxy", "static")
    reload_signal = signal.SIGHUP
    backend, gather = "auto", "30us"

    def configure(self):
        if self.scenario.kind == "static":
            route, pools = f"{{path: /, files: {self.lab.folder}/files}}", ""
        else:
            route, pools = "{path: /, reverse: origin}", f"""
pools:
  origin:
    servers: [127.0.0.1:{self.origin_port}]
    keepalive: 1024
    idle_timeout: 600s
"""
        self.file("weir.yaml", f"""
runtime: {{threads: 1, backend: {self.backend}, gather: {self.gather}}}
log: {{access: off, error: stderr}}
limits: {{idle_timeout: {self.keep}s}}
admin: {{socket: {self.folder}/admin.sock}}
sites:
  - listen: [127.0.0.1:{self.port}]
    routes:
      - {route}
{pools}""")

    def command(self):
        return [self.weir, "run", f"{self.folder}/weir.yaml"]

    @classmethod
    def version(cls, weir):
        return output([weir, "version"], r"(\d+\.\d+\.\d+\S*)")


class WeirEpoll(Weir):
    name, backend = "weir-epoll", "epoll"


class WeirUring(Weir):
    name, backend = "weir-uring", "uring"


class WeirUngathered(Weir):
    name, backend, gather = "weir-ungathered", "uring", "0"


class Floor(Server):
    role = "floor"

    def command(self):
        return [f"{self.tools}/bench-floor", self.mode, str(self.port), *self.arguments()]

    def arguments(self):
        return []


class FloorProxy(Floor):
    name, kinds, mode = "floor-proxy", ("proxy",), "proxy"

    def arguments(self):
        return [str(self.origin_port)]


class FloorMemory(Floor):
    name, kinds, mode = "floor-memory", ("static",), "memory"


class FloorSendfile(Floor):
    name, kinds, mode = "floor-sendfile", ("static",), "sendfile"

    def arguments(self):
        return [f"{self.lab.folder}/files"]


SERVERS = {c.name: c for c in (Weir, Nginx, Haproxy, FloorProxy, FloorMemory, FloorSendfile, WeirEpoll, WeirUring,
                              WeirUngathered)}
# Left out unless they are asked for.
VARIANTS = ("weir-epoll", "weir-uring", "weir-ungathered")


def output(command, pattern):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return None
    found = re.search(pattern, done.stdout)
    return found.group(1) if found else None
