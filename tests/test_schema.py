"""The JSON Schema of the configuration: valid itself, and neither too strict
for the examples nor too lax for what is wrong with them.

That docs/weir.schema.json is what the program prints is a unit test's matter.
"""
import json
import pathlib
import re

import pytest
import yaml

jsonschema = pytest.importorskip("jsonschema")

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "docs/weir.schema.json").read_text())


class Yaml12(yaml.SafeLoader):
    """PyYAML reads YAML 1.1, where the key `on` is a boolean."""


Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), "tf")


def errors(text):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return list(validator.iter_errors(yaml.load(text, Yaml12)))


def test_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "examples").glob("*.yaml")))
def test_example_validates(name):
    assert errors((ROOT / "examples" / name).read_text()) == []


SITE = "sites: [{listen: 80, routes: [%s]}]\n"


@pytest.mark.parametrize("text", [
    "user: x",
    "sites: []",
    "lmits: {}\n" + SITE % "{respond: x}",
    "limits: {idle_timeout: 10}\n" + SITE % "{respond: x}",
    "limits: {request_line: 8K}\n" + SITE % "{respond: x}",
    "limits: {header_count: 129}\n" + SITE % "{respond: x}",
    "log: {level: inof}\n" + SITE % "{respond: x}",
    SITE % "{path: /}",
    SITE % "{path: /, respond: x, redirect: /}",
    SITE % "{path: /, exact: /, respond: x}",
    SITE % "{path: x, respond: x}",
    "pools: {a: {balance: hash}}\n" + SITE % "{reverse: a}",
    "pools: {a: {servers: '10.0.0.1:1', panic: 20}}\n" + SITE % "{reverse: a}",
    "pools: {a: {servers: '10.0.0.1:1', health: {http: /a, tcp: true}}}\n" + SITE % "{reverse: a}",
])
def test_mistake_is_seen(text):
    assert errors(text)


def test_short_forms_validate():
    assert errors("limits: {body_bytes: 0, idle_timeout: 0}\nadmin: /a.sock\n"
                  "pools: {a: 10.0.0.1:1, b: [10.0.0.1:1], c: {servers: [{address: '10.0.0.1:1'}], panic: 0, health: tcp}}\n"
                  + SITE % "{path: /a, respond: 404}, {path: /b, methods: GET, files: ., headers: {X: 1}}, {reverse: a}") == []
