"""Manual pages and completion say what the program does."""

import pathlib
import re
import subprocess

import pytest

from support.edge import WEIR

ROOT = pathlib.Path(__file__).parents[2]
PAGE_1 = (ROOT / "docs/man/weir.1.scd").read_text()
PAGE_5 = (ROOT / "docs/man/weir.yaml.5.scd").read_text()
EXAMPLES = re.findall(r"^```\n(.*?)^```$", PAGE_5, re.S | re.M)


def verbs():
    text = subprocess.run([WEIR, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z]+) +\S", text.split("\n\n")[2], re.M)


def test_there_are_verbs():
    assert {"check", "status", "version"} <= set(verbs())


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_have_no_mistake(tmp_path, example):
    path = tmp_path / "weir.yaml"
    path.write_text(example)
    done = subprocess.run([WEIR, "check", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_page_names_every_verb():
    for verb in verbs():
        assert re.search(rf"^\*{verb}\*", PAGE_1, re.M), verb


def test_page_of_the_file_names_every_key():
    for key in re.findall(r'^    KEY[A-Z_]*\(.*?"(\w+)"|^    \{\.name = "(\w+)"|^\t\.name = "(\w+)"',
                          top_keys(), re.M):
        name = next(filter(None, key)).replace("_", r"\_")
        assert re.search(rf"\b{re.escape(name)}\b", PAGE_5), name


def top_keys():
    source = (ROOT / "src/config/table_top.c").read_text()
    return re.search(r"struct key top_keys\[\] = \{\n(.*?)^\};", source, re.S | re.M).group(1)


def test_completion_names_every_verb():
    bash = (ROOT / "tools/completion/weir.bash").read_text()
    zsh = (ROOT / "tools/completion/_weir").read_text()
    for verb in verbs():
        assert verb in re.search(r'local verbs="(.*?)"', bash, re.S).group(1).split(), verb
        assert f"'{verb}:" in zsh, verb


def complete(line, folder):
    """What bash offers at the end of the line."""
    script = f"""
        . {ROOT}/tools/completion/weir.bash
        shopt -s extglob
        COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:' COMP_LINE=$1 COMP_POINT=${{#1}}
        _weir
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", line], capture_output=True, text=True, cwd=folder)
    return done.stdout.split()


@pytest.fixture
def fake(tmp_path):
    """A weir that knows three servers and notes how it was asked."""
    weir = tmp_path / "weir"
    weir.write_text('#!/bin/sh\necho "$@" > asked\nprintf "shop/10.0.0.1:8080\\nshop/10.0.0.2:8080\\napi/a\\n"\n')
    weir.chmod(0o755)
    (tmp_path / "weir.yaml").touch()
    (tmp_path / "other.txt").touch()
    return tmp_path


@pytest.mark.parametrize("line, offers", [
    ("weir st", {"status", "stop"}),
    ("weir help rel", {"reload"}),
    ("weir status --", {"--socket", "--config", "--json", "--watch", "--help"}),
    ("./weir drain sh", {"shop", "shop/10.0.0.1:8080", "shop/10.0.0.2:8080"}),
    ("./weir drain shop/10.0.0.1:80", {"8080"}),
    ("./weir servers ", {"shop", "api"}),
    ("weir run --log-level w", {"warn"}),
    ("weir check w", {"weir.yaml"}),
    ("weir nonsense ", set()),
])
def test_bash_completion(fake, line, offers):
    assert set(complete(line, fake)) == offers


def test_completion_asks_the_socket_of_the_line(fake):
    complete("./weir drain --socket /tmp/a.sock sh", fake)
    assert (fake / "asked").read_text() == "servers --names --socket /tmp/a.sock\n"
