"""Fixed answers and redirects."""

import http.client

import pytest

from support.edge import Edge

CONFIG = """
sites:
  - listen: ["127.0.0.1:{port}"]
    routes:
      - {{exact: /short, respond: "short"}}
      - {{exact: /full, respond: {{status: 418, body: "<p>tea", type: text/html, headers: {{X-Kind: teapot}}}}}}
      - {{exact: /nothing, respond: 204}}
      - {{path: /to/, redirect: {{to: "https://{{host}}{{uri}}", status: 308}}}}
      - {{regex: "^/user/([^/]*)/(.*)$", redirect: {{to: "/u/{{1}}?rest={{2}}", status: 302}}}}
      - {{regex: "^/go(.*)$", redirect: "/{{1}}"}}
"""


@pytest.fixture(scope="module")
def edge():
    with Edge(CONFIG) as e:
        yield e


def ask(edge, path, method="GET"):
    c = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=20)
    try:
        c.request(method, path, headers={"Host": "example.com"})
        r = c.getresponse()
        return r.status, r.headers, r.read()
    finally:
        c.close()


def test_respond(edge):
    status, fields, body = ask(edge, "/short")
    assert (status, body, fields["Content-Type"]) == (200, b"short", "text/plain; charset=utf-8")
    for method in ("GET", "POST", "DELETE"):
        status, fields, body = ask(edge, "/full", method)
        assert (status, body, fields["Content-Type"], fields["X-Kind"]) == (418, b"<p>tea", "text/html", "teapot")
    status, fields, body = ask(edge, "/full", "HEAD")
    assert (status, body, fields["Content-Length"]) == (418, b"", "6")
    status, fields, body = ask(edge, "/nothing")
    assert (status, body) == (204, b"") and "Content-Length" not in fields


@pytest.mark.parametrize("path,status,location", [
    ("/to/a/b?c=d", 308, "https://example.com/to/a/b?c=d"),
    ("/to/%2e%2e/to/x", 308, "https://example.com/to/x"),
    ("/user/7/a/b", 302, "/u/7?rest=a/b"),
    ("/user/a%20b/", 302, "/u/a%20b?rest="),
    # a client does not choose the host
    ("/go/evil.example", 302, "/evil.example"),
    ("/go//evil.example", 302, "/evil.example"),
    ("/go%5cevil.example", 400, None),
])
def test_redirect(edge, path, status, location):
    got, fields, body = ask(edge, path)
    assert (got, fields["Location"]) == (status, location)
    if location:
        assert location.replace("&", "&amp;").encode() in body


def test_nothing_ends_the_field(edge):
    for path in ("/to/%0d%0aSet-Cookie:%20a", "/user/%0d%0aX:y/z", "/to/?%0d%0aSet-Cookie: a".replace(" ", "%20")):
        _, fields, _ = ask(edge, path)
        assert "Set-Cookie" not in fields and "X" not in fields


def test_too_long(edge):
    status, fields, _ = ask(edge, "/user/" + "a" * 4000 + "/" + "b" * 3900)
    assert status in (302, 414)
    assert len(fields.get("Location", "")) <= 8192
