"""The admin plane: API, command line, metrics."""

import http.client
import http.server
import json
import os
import re
import socket
import subprocess
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.edge import WEIR, Edge, eventually

TOKEN = "a-token-of-the-test"
CONFIG = """
sites:
  - listen: ["127.0.0.1:{port}"]
    hosts: ["*"]
    routes:
      - {{path: /fixed, respond: "fixed"}}
      - {{path: /, reverse: shop}}
pools:
  shop:
    balance: round_robin
    servers: ["127.0.0.1:{one}", "127.0.0.1:{two}"]
log: {{access: {folder}/access.log}}
admin: {{socket: {folder}/admin.sock, listen: "127.0.0.1:{port2}", token: %s}}
""" % TOKEN


class Origin:
    """An HTTP server whose every answer is its name."""

    def __init__(self, name):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(name)))
                self.end_headers()
                self.wfile.write(name.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def origins():
    pair = [Origin("one"), Origin("two")]
    yield pair
    for origin in pair:
        origin.close()


@pytest.fixture(scope="module")
def edge(origins):
    """Shared: a test leaves the servers as it found them."""
    with Edge(CONFIG, one=origins[0].port, two=origins[1].port) as e:
        yield e


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


def ask(edge, method, path, body=None, tcp=False, headers=None):
    """Returns status, fields, body (parsed when it is JSON)."""
    if tcp:
        connection = http.client.HTTPConnection("127.0.0.1", edge.ports["port2"], timeout=10)
    else:
        connection = UnixConnection(edge.admin)
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.getheader("Content-Type") == "application/json" and data:
        data = json.loads(data)
    return answer.status, answer.headers, data


def raw(edge, request, tcp=False):
    """Everything the admin server answers to these bytes."""
    if tcp:
        s = socket.create_connection(("127.0.0.1", edge.ports["port2"]), timeout=10)
    else:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        s.connect(str(edge.admin))
    with s:
        s.sendall(request)
        data = b""
        while piece := s.recv(65536):
            data += piece
    return data


def get(edge, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def weir(*arguments, edge=None):
    command = [WEIR, *arguments]
    if edge is not None:
        command += ["--socket", str(edge.admin)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


def name(origin):
    return f"shop/127.0.0.1:{origin.port}"


# ---- reports ----


def test_status(edge):
    get(edge)
    status, fields, answer = ask(edge, "GET", "/v1/status")
    assert status == 200
    assert fields["Cache-Control"] == "no-store"
    assert answer["version"] and not answer["draining"]
    assert answer["config"]["file"] == str(edge.path)
    assert answer["config"]["version"] >= 1
    roles = {role["name"]: role for role in answer["roles"]}
    assert roles["worker"]["pid"] == edge.role("worker")
    assert roles["control"]["restarts"] == 0
    assert answer["requests"]["total"] >= 1
    assert answer["pools"] == [{"name": "shop", "servers": 2, "usable": 2}]


def test_status_for_a_person(edge):
    done = weir("status", edge=edge)
    assert done.returncode == 0 and not done.stderr
    assert str(edge.path) in done.stdout
    assert re.search(r"^worker +\d+ +up \d+ \w+ +0 *$", done.stdout, re.M)
    assert re.search(r"^shop +2 of 2$", done.stdout, re.M)
    assert "\033" not in done.stdout
    assert not re.search(r" $", done.stdout, re.M)
    assert max(map(len, done.stdout.replace(str(edge.path), "").splitlines())) <= 80


def test_status_as_json(edge):
    assert json.loads(weir("status", "--json", edge=edge).stdout)["pools"][0]["name"] == "shop"


def test_restart_of_a_role_is_told(origins):
    with Edge(CONFIG, one=origins[0].port, two=origins[1].port) as edge:
        edge.kill_role("worker")
        answer = eventually(lambda: next(
            (r for r in ask(edge, "GET", "/v1/status")[2]["roles"] if r["name"] == "worker" and r["restarts"] == 1 and r["pid"]),
            None), what="a restart")
        assert "SIGKILL" in answer["last_exit"]
        assert "SIGKILL" in weir("status", edge=edge).stdout


def test_servers(edge, origins):
    get(edge)
    status, _, answer = ask(edge, "GET", "/v1/servers")
    assert status == 200
    servers = {s["server"]: s for s in answer["servers"]}
    assert set(servers) == {f"127.0.0.1:{o.port}" for o in origins}
    for server in servers.values():
        assert server["health"] == "unchecked" and server["admin"] == "ready" and server["usable"]
        assert server["weight"] == server["weight_configured"] == 1
    assert sum(s["requests"] for s in servers.values()) >= 1
    assert len(ask(edge, "GET", "/v1/servers?pool=shop")[2]["servers"]) == 2
    assert ask(edge, "GET", "/v1/servers?pool=nowhere")[0] == 404


def test_servers_for_a_person(edge, origins):
    done = weir("servers", edge=edge)
    assert re.search(rf"^{name(origins[0])} +unchecked +1 +0 ", done.stdout, re.M)
    assert weir("servers", "shop", "--names", edge=edge).stdout.split() == [name(o) for o in origins]
    done = weir("servers", "nowhere", edge=edge)
    assert done.returncode == 1 and "no such pool" in done.stderr


def test_config_without_secrets(edge):
    status, _, answer = ask(edge, "GET", "/v1/config")
    assert status == 200
    assert answer["pools"][0]["balance"] == "round_robin"
    assert answer["sites"][0]["routes"][0]["path"] == "/fixed"
    assert answer["admin"]["token_set"] is True
    for path in ("/v1/config", "/v1/status", "/v1/servers", "/v1/dump", "/metrics"):
        assert TOKEN not in str(ask(edge, "GET", path)[2])


def test_dump(edge):
    done = weir("dump", edge=edge)
    assert done.returncode == 0
    assert "task" in done.stdout or "worker" in done.stdout


def test_healthz(edge):
    assert ask(edge, "GET", "/healthz")[0::2] == (200, b"ok\n")


# ---- changes ----


def answers(edge, count=10):
    return {get(edge) for _ in range(count)}


@pytest.mark.parametrize("verb", ["drain", "down"])
def test_drained_server_gets_nothing(edge, origins, verb):
    assert answers(edge) == {"one", "two"}
    done = weir(verb, name(origins[0]), edge=edge)
    assert done.returncode == 0, done.stderr
    try:
        assert answers(edge) == {"two"}
        server = next(s for s in ask(edge, "GET", "/v1/servers")[2]["servers"] if str(origins[0].port) in s["server"])
        assert server["admin"] == {"drain": "drained", "down": "down"}[verb] and not server["usable"]
    finally:
        assert weir("ready", name(origins[0]), edge=edge).returncode == 0
    assert answers(edge) == {"one", "two"}


def test_whole_pool(edge):
    assert weir("drain", "shop", edge=edge).returncode == 0
    try:
        assert ask(edge, "GET", "/v1/status")[2]["pools"][0]["usable"] == 0
    finally:
        assert weir("ready", "shop", edge=edge).returncode == 0
    assert ask(edge, "GET", "/v1/status")[2]["pools"][0]["usable"] == 2


def test_weight(edge, origins):
    assert weir("weight", name(origins[1]), "0", edge=edge).returncode == 0
    try:
        assert answers(edge) == {"one"}
    finally:
        assert weir("weight", name(origins[1]), "default", edge=edge).returncode == 0
    assert answers(edge) == {"one", "two"}


@pytest.mark.parametrize("path", ["/v1/servers/nowhere/a", "/v1/servers/shop/a", "/v1/servers/", "/v1/servers/%zz"])
def test_unknown_server(edge, path):
    status, _, answer = ask(edge, "POST", path, {"state": "drain"})
    assert status in (400, 404)
    assert answer["error"] and answer["remedy"]


@pytest.mark.parametrize("body", ["", "{}", "[", '{"state":"off"}', '{"weight":65536}', '{"weight":1.5}',
                                  '{"state":"drain","x":1}', "[" * 3000])
def test_bad_body(edge, origins, body):
    status, _, answer = ask(edge, "POST", f"/v1/servers/{name(origins[0])}", body)
    assert status == 400
    assert answer["error"] and answer["remedy"]


def test_changes_leave_a_trace(edge, origins):
    ask(edge, "POST", f"/v1/servers/{name(origins[0])}", {"state": "ready"})
    assert re.search(rf"admin: uid {os.getuid()} \(pid {os.getpid()}\) asked: {name(origins[0])} state ready; done",
                     edge.log())
    ask(edge, "POST", "/v1/servers/shop/x%22y", {"state": "ready"})
    assert re.search(r"admin: uid .* asked: shop/x\\x22y state ready; ", edge.log())


def test_reload(origins):
    with Edge(CONFIG, one=origins[0].port, two=origins[1].port) as edge:
        before = ask(edge, "GET", "/v1/status")[2]["config"]["version"]
        edge.write(CONFIG.replace('respond: "fixed"', 'respond: "changed"'))
        done = weir("reload", edge=edge)
        assert done.returncode == 0, done.stderr
        assert get(edge, "/fixed") == "changed"
        assert ask(edge, "GET", "/v1/status")[2]["config"]["version"] == before + 1
        edge.write(CONFIG.replace("respond:", "repsond:"))
        done = weir("reload", edge=edge)
        assert done.returncode == 1
        assert "weir.yaml:6:" in done.stderr and "respond" in done.stderr
        status, _, answer = ask(edge, "POST", "/v1/reload")
        assert status == 422
        assert "repsond" in answer["details"] and answer["remedy"]
        assert get(edge, "/fixed") == "changed"
        config = ask(edge, "GET", "/v1/status")[2]["config"]
        assert (config["reloads_loaded"], config["reloads_refused"]) == (1, 2)


def test_admin_state_outlives_reload_and_worker(origins):
    with Edge(CONFIG, one=origins[0].port, two=origins[1].port) as edge:
        assert weir("drain", name(origins[0]), edge=edge).returncode == 0
        assert weir("reload", edge=edge).returncode == 0
        assert answers(edge) == {"two"}
        old = edge.kill_role("worker")
        eventually(lambda: edge.role("worker") not in (None, old), what="another worker")
        assert answers(edge) == {"two"}


def test_stop(origins):
    with Edge(CONFIG, one=origins[0].port, two=origins[1].port) as edge:
        assert weir("stop", edge=edge).returncode == 0
        assert edge.process.wait(30) == 0
        assert re.search(r"admin: uid .* asked: stop; ", edge.log())


# ---- metrics ----


def test_metrics(edge, origins):
    get(edge)
    status, fields, data = ask(edge, "GET", "/metrics")
    assert status == 200
    assert fields["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = data.decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    value = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families.values() for s in f.samples}
    assert len(value) == sum(1 for line in text.splitlines() if line and line[0] != "#")
    assert value["weir_requests_total", ()] >= 1
    assert value["weir_request_duration_seconds_count", ()] >= 1
    assert families["weir_request_duration_seconds"].type == "histogram"
    labels = (("pool", "shop"), ("server", f"127.0.0.1:{origins[0].port}"))
    assert value["weir_server_up", labels] == 1
    assert value["weir_role_up", (("role", "worker"),)] == 1
    assert weir("metrics", edge=edge).stdout.splitlines()[0] == text.splitlines()[0]


def test_metrics_obey_promtools_rules(edge):
    text = ask(edge, "GET", "/metrics")[2].decode()
    for family in text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert re.fullmatch(r"weir_[a-z]+(_[a-z]+)*", family.name), family.name
        assert not re.search(r"_(ms|us|sec|milliseconds|kilobytes|mb|kb|percent|minutes|count|sum|bucket|gauge|counter)(_|$)",
                             family.name), family.name
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name == family.name + "_total"
            if family.type == "gauge":
                assert sample.name == family.name and not sample.name.endswith("_total")
            if family.type != "histogram":
                assert "le" not in sample.labels and "quantile" not in sample.labels
    # Samples of a family stand together, below their HELP and TYPE.
    seen, current = set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            assert current not in seen
            seen.add(current)
        elif line.startswith("# TYPE "):
            assert line.split()[2] == current
        else:
            assert re.match(rf"{current}(_bucket|_sum|_count)?[{{ ]", line), line


def test_metrics_for_http_1_0(edge):
    answer = raw(edge, b"GET /metrics HTTP/1.0\r\n\r\n")
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b"chunked" not in head
    assert body.startswith(b"# HELP ") and body.endswith(b"\n")


# ---- access log ----


LINE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^ "]+)(?: |$)')


def lines(edge, count):
    text = eventually(lambda: edge.access_log().count("\n") >= count and edge.access_log(), what=f"{count} lines")
    assert text.endswith("\n")
    return text.splitlines()


def test_access_log(edge):
    time.sleep(0.5)  # lines of the tests before may still be on their way
    before = edge.access_log().count("\n")
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
    connection.request("GET", "/fixed?a=%22b", headers={"User-Agent": 'x" status=500'})
    assert connection.getresponse().status == 200
    connection.close()
    get(edge, "/proxied")
    fixed, proxied = (dict(LINE.findall(line)) for line in lines(edge, before + 2)[before:])
    if fixed["route"] != "0":  # two threads
        fixed, proxied = proxied, fixed
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fixed["time"])
    assert fixed["client"] == "127.0.0.1" and "peer" not in fixed
    assert fixed["path"] == '"/fixed?a=%22b"' and fixed["status"] == "200" and fixed["out"] == "5"
    assert json.loads(fixed["agent"]) == 'x" status=500'
    assert "pool" not in fixed
    assert proxied["pool"] == "shop" and proxied["attempts"] == "1"
    assert float(proxied["wait_ms"]) <= float(proxied["total_ms"])


@pytest.mark.parametrize("form", ["json", "combined"])
def test_access_log_formats(form):
    config = """
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{path: /, respond: "fixed"}}
log: {{access: {folder}/access.log, format: %s}}
""" % form
    with Edge(config) as edge:
        get(edge, "/a?b=c")
        raw_edge(edge, b"GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: \"\\\xff\r\nConnection: close\r\n\r\n")
        raw_edge(edge, b"nonsense\r\n\r\n")
        found = lines(edge, 3)
        if form == "json":
            rows = [json.loads(line) for line in found]
            assert {row["status"] for row in rows} == {200, 400}
            assert {row.get("agent") for row in rows} == {None, '"\\\xff'}
        else:
            pattern = r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "[^"]*" (200|400) \d+ "-" "[^"]*"'
            assert all(re.fullmatch(pattern, line) for line in found), found
            assert any(line.endswith(r'"\x22\x5C\xFF"') for line in found)


def raw_edge(edge, request):
    with socket.create_connection(("127.0.0.1", edge.port), timeout=10) as s:
        s.sendall(request)
        while s.recv(65536):
            pass


# ---- who may ask ----


def bearer(token=TOKEN):
    return {"Authorization": f"Bearer {token}"}


def test_token(edge):
    assert ask(edge, "GET", "/v1/status", tcp=True, headers=bearer())[0] == 200
    for headers in ({}, bearer("wrong"), bearer(TOKEN[:-1]), bearer(TOKEN + "x"), bearer(""), {"Authorization": TOKEN}):
        status, fields, answer = ask(edge, "GET", "/v1/status", tcp=True, headers=headers)
        assert status == 401
        assert fields["WWW-Authenticate"].startswith("Bearer")
        assert "version" not in answer
    assert ask(edge, "POST", "/v1/reload", tcp=True)[0] == 401
    assert ask(edge, "GET", "/v1/nothing", tcp=True)[0] == 401
    assert ask(edge, "GET", "/healthz", tcp=True)[0] == 200
    assert re.search(r"admin: 127\.0\.0\.1 port \d+ was refused: token missing or wrong", edge.log())


def test_token_from_a_file(origins, tmp_path):
    """Only the manager can read it, also when a reload or a restart needs it again."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    config = CONFIG.replace(f"token: {TOKEN}", f"token_file: {path}")
    with Edge(config, one=origins[0].port, two=origins[1].port) as edge:
        def status(token):
            return ask(edge, "GET", "/v1/status", tcp=True, headers=bearer(token))[0]

        assert (status(TOKEN), status("")) == (200, 401)
        assert weir("reload", edge=edge).returncode == 0
        assert (status(TOKEN), status("")) == (200, 401)
        old = edge.kill_role("control")
        eventually(lambda: edge.role("control") not in (None, old) and reachable(edge), what="another control")
        assert (status(TOKEN), status("")) == (200, 401)


@pytest.mark.parametrize("host, status", [("localhost", 200), ("localhost:9000", 200), ("127.0.0.1:1", 200),
                                          ("[::1]:1", 200), ("evil.example", 403), ("localhost.evil.example", 403),
                                          ("10.0.0.1", 403)])
def test_host(edge, host, status):
    assert ask(edge, "GET", "/v1/status", tcp=True, headers={**bearer(), "Host": host})[0] == status


@pytest.mark.parametrize("origin, status", [("http://localhost:1234", 200), ("http://localhost", 403),
                                            ("https://localhost:1234", 403), ("http://evil.example", 403), ("null", 403)])
def test_origin(edge, origin, status):
    headers = {**bearer(), "Host": "localhost:1234", "Origin": origin}
    code, fields, _ = ask(edge, "GET", "/v1/status", tcp=True, headers=headers)
    assert code == status
    assert not any(field.lower().startswith("access-control") for field in fields)


def test_strangers_do_not_lock_out_the_operator(edge):
    held = [socket.create_connection(("127.0.0.1", edge.ports["port2"])) for _ in range(60)]
    try:
        assert ask(edge, "GET", "/healthz")[0] == 200
    finally:
        for s in held:
            s.close()
    eventually(lambda: reachable(edge), what="the loopback address again")


def reachable(edge):
    try:
        return ask(edge, "GET", "/healthz", tcp=True)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


# ---- the server itself ----


@pytest.mark.parametrize("request_bytes, status", [
    (b"nonsense\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    (b"GET /healthz HTTP/1.1\nHost: a\n\n", 400),
    (b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 431),
    (b"POST /v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", 413),
    (b"POST /v1/reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    (b"POST /v1/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
])
def test_malformed(edge, request_bytes, status):
    answer = raw(edge, request_bytes)
    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in head
    assert json.loads(body)["error"]


@pytest.mark.parametrize("method, path, status", [("GET", "/", 404), ("GET", "/v1/status/", 404), ("GET", "/v1/reload", 405),
                                                  ("POST", "/v1/status", 405), ("DELETE", "/metrics", 405),
                                                  ("OPTIONS", "/v1/reload", 405)])
def test_wrong_endpoint(edge, method, path, status):
    code, _, answer = ask(edge, method, path)
    assert code == status and answer["error"] and answer["remedy"]


def test_head_and_pipelining(edge):
    answer = raw(edge, b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                       b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
                       b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert answer.count(b"ok\n") == 1 and b"# HELP" not in answer
    assert answer.endswith(b"\r\n\r\nok\n")


def test_split_at_every_byte(edge):
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(edge.admin))
        for at in range(len(request)):
            s.sendall(request[at:at + 1])
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")


# ---- the command line ----


def test_unreachable(tmp_path):
    done = weir("status", "--socket", str(tmp_path / "none.sock"))
    assert done.returncode == 1
    assert "cannot reach weir at" in done.stderr and "weir run" in done.stderr


def test_socket_of_the_configuration(edge):
    done = weir("servers", "--names", "--config", str(edge.path))
    assert done.returncode == 0 and done.stdout.startswith("shop/")


@pytest.mark.parametrize("arguments", [["drain"], ["drain", "a", "b"], ["weight", "shop/a", "many"], ["weight", "shop/a", "-1"],
                                       ["status", "--names"], ["servers", "--nonsense"], ["reload", "now"],
                                       ["status", "--socket"], ["drain", "/a"]])
def test_wrong_usage(arguments):
    done = weir(*arguments)
    assert done.returncode == 2
    assert f"Try: weir help {arguments[0]}" in done.stderr and not done.stdout


@pytest.mark.parametrize("verb", ["status", "servers", "drain", "ready", "down", "weight", "reload", "stop", "dump", "metrics"])
def test_help(verb):
    done = weir(verb, "--help")
    assert done.returncode == 0 and f"Usage: weir {verb}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
