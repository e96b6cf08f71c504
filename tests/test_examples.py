"""What a reader may copy is right: the examples, and the README's own."""
import pathlib
import re
import subprocess

import pytest

from support.edge import WEIR

ROOT = pathlib.Path(__file__).resolve().parent.parent
READMES = sorted(p.name for p in ROOT.glob("README*.md"))


def check(path):
    done = subprocess.run([WEIR, "check", path.name], cwd=path.parent, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def blocks(name, kind):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / name).read_text(), re.S | re.M)
    return [text for what, text in found if what == kind]


def test_there_are_examples():
    assert list((ROOT / "examples").glob("*.yaml")) and len(READMES) > 1


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "examples").glob("*.yaml")))
def test_example_has_no_mistake(name):
    code, said = check(ROOT / "examples" / name)
    assert code == 0, said


@pytest.mark.parametrize("readme", READMES)
def test_configuration_of_the_readme_has_no_mistake(readme, tmp_path):
    shown = blocks(readme, "yaml")
    assert len(shown) == 1
    path = tmp_path / "weir.yaml"
    path.write_text(shown[0])
    code, said = check(path)
    assert code == 0, said


@pytest.mark.parametrize("readme", READMES)
def test_mistake_of_the_readme_is_what_the_program_says(readme, tmp_path):
    """The readme shows the answer to its own configuration, misspelt."""
    shown = [b for b in blocks(readme, "") if "shpo" in b]
    assert len(shown) == 1
    path = tmp_path / "weir.yaml"
    right = blocks(readme, "yaml")[0]
    wrong = right.replace("{pool: shop,", "{pool: shpo,")
    assert wrong != right
    path.write_text(wrong)
    code, said = check(path)
    assert code != 0 and shown[0].strip("\n") in said, said
