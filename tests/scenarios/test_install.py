"""`meson install` into a folder: what lands there is whole and works."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from support.edge import WEIR

BUILD = pathlib.Path(WEIR).resolve().parent
ROOT = pathlib.Path(__file__).parents[2]

pytestmark = pytest.mark.load

PROGRAM = r"""
#include <weir/weir.h>
#include <stdio.h>

static int done;

static int
child(void *arg)
{
	int r = weir_sleep(*(int64_t *)arg);

	done++;
	return r;
}

static int
root(void *arg)
{
	int64_t short_time = WEIR_MILLISECOND * *(int *)arg;
	struct weir_scope scope;
	int r = 0;

	weir_scope_init(&scope, weir_after(10 * WEIR_SECOND));
	for (int i = 0; i < 100 && r == 0; i++)
		r = weir_task_start(&scope, "child", child, &short_time);
	if (r == 0)
		r = weir_scope_wait(&scope);
	(void)weir_scope_fini(&scope);
	return r;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};
	int ms = 2;
	int r = weir_run(&options, root, &ms);

	printf("%d.%d.%d %d\n", WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR,
	    WEIR_VERSION_PATCH, done);
	return r < 0;
}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that stands for /."""
    folder = tmp_path_factory.mktemp("root")
    done = subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", str(folder)],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def only(folder, name):
    found = [p for p in folder.rglob(name)]
    assert len(found) == 1, (name, found)
    return found[0]


def version():
    return re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)


def test_program(installed, tmp_path):
    weir = next(p for p in installed.rglob("bin/weir"))
    assert subprocess.run([weir, "version"], capture_output=True, text=True, check=True).stdout.split() == ["weir", version()]
    config = tmp_path / "weir.yaml"
    config.write_text("sites: [{listen: [8080], routes: [{path: /, respond: hello}]}]\n")
    subprocess.run([weir, "check", config], check=True, env={"PATH": "/usr/bin:/bin"})
    assert subprocess.run([weir, "schema"], capture_output=True, check=True).stdout == \
        subprocess.run([WEIR, "schema"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("page,section", [("weir", 1), ("weir.yaml", 5)])
def test_manual_page(installed, page, section):
    path = only(installed, f"{page}.{section}")
    assert path.parent.name == f"man{section}"
    assert re.search(rf'^\.TH "?{re.escape(page)}"? "?{section}"?', path.read_text(), re.M)


def test_manual_pages_of_the_library(installed):
    """One of each public header; each function leads to its own."""
    page = only(installed, "weir_task.3").read_text()
    assert ".Nm weir_task\n" in page and "weir_scope_wait" in page
    assert only(installed, "weir_scope_wait.3").read_text() == ".so man3/weir_task.3\n"
    headers = {p.name for p in installed.rglob("include/weir/*.h")} - {"weir.h", "version.h"}
    pages = {p.name for p in installed.rglob("man3/*.3")}
    assert headers and {f"weir_{h[:-2]}.3" for h in headers} <= pages


def test_unit_starts_what_is_installed(installed):
    text = only(installed, "weir.service").read_text()
    programs = re.findall(r"^Exec\w+=(\S*/weir)\b", text, re.M)
    assert len(programs) >= 2 and not re.search(r"@\w+@", text)
    for program in programs:
        assert (installed / program.lstrip("/")).exists(), program


def test_completion(installed):
    bash = only(installed, "bash-completion") / "completions" / "weir"
    subprocess.run(["bash", "-n", bash], check=True)
    assert only(installed, "_weir").read_text().startswith("#compdef weir")


# ---- the library ----


@pytest.fixture(scope="module")
def library(installed):
    """Environment and flags for a program that uses it."""
    pc = only(installed, "weir.pc")
    env = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(installed),
               LD_LIBRARY_PATH=str(pc.parent.parent))

    def ask(*arguments):
        return subprocess.run(["pkg-config", *arguments, "weir"], env=env, capture_output=True, text=True, check=True).stdout.split()

    assert ask("--modversion") == [version()]
    return env, ask("--cflags"), ask("--libs")


def build(source, to, flags, env):
    done = subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", str(source), *map(str, flags), "-o", str(to)],
                          env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return to


@pytest.mark.parametrize("linked", ["shared", "static"])
def test_program_of_ones_own(installed, library, tmp_path, linked):
    env, cflags, libs = library
    if linked == "static":
        libs = [only(installed, "libweir.a"), "-pthread"]
    source = tmp_path / "own.c"
    source.write_text(PROGRAM)
    own = build(source, tmp_path / "own", [*cflags, *libs], env)
    done = subprocess.run([own], env=env, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and done.stdout.split() == [version(), "100"], done


def test_each_header_stands_alone(library, tmp_path):
    env, cflags, _ = library
    headers = [p.name for p in (ROOT / "include" / "weir").glob("*.h")]
    assert len(headers) > 3
    for name in headers:
        source = tmp_path / "one.c"
        source.write_text(f"#include <weir/{name}>\n#include <weir/{name}>\nint one;\n")
        build(source, tmp_path / "one.o", [*cflags, "-c"], env)


def test_library_shows_its_own_names_only(installed):
    out = subprocess.run(["nm", "-D", "--defined-only", only(installed, "libweir.so")], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1].split("@")[0] for line in out.splitlines()]
    assert "weir_run" in names
    assert [n for n in names if not n.startswith("weir_") and n not in ("_init", "_fini")] == []


def test_example_with_the_installed_library(library, tmp_path):
    env, cflags, libs = library
    echo = ROOT / "examples" / "echo"
    programs = []
    for name in ("echo-server", "echo-client"):
        shutil.copy(echo / f"{name}.c", tmp_path)
        done = subprocess.run(["cc", f"{name}.c", *cflags, *libs, "-o", name], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        programs.append(str(tmp_path / name))
    done = subprocess.run([sys.executable, str(echo / "check-echo"), *programs], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
