"""The runtime's benchmark: that its programs are built and run, that a goal
which is missed is shown, and that the plots are SVG. No figure is checked."""
import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("WEIR", ROOT / "build/weir")).parent
RUN = ROOT / "bench/runtime/run"
sys.path.insert(0, str(RUN.parent))

import goals  # noqa: E402
import pages  # noqa: E402

SAMPLE = {
    "cost": {"yield": {"weir": [10.0, 12.0], "Go": [50.0, 50.0], "thread": [2000.0], "process": [2500.0]},
             "spawn": {"weir": [20.0], "thread": [3e4], "fork": [1e5], "vfork": [4e4]}},
    "parked": {name: dict(count=10, rss=rss, tables=8, mappings=30, rss_kb=100)
               for name, rss in (("weir", 4096), ("thread", 8000), ("process", 30000))},
    "echo": {"1": {"weir epoll": [8000.0, 8000.0], "raw epoll": [8000.0, 7000.0]},
             "16": {"weir epoll": [5000.0, 5000.0], "raw epoll": [6000.0, 6000.0]}},
    "wake": {"epoll": {"10": [1000.0], "1000": [1100.0]}, "select": {"10": [1500.0], "1000": [90000.0]}},
    "ipc": {"pipe": [1000.0], "sysv-sem": [9000.0]},
}


def verdicts(results):
    return {title: (measured, verdict) for title, _, measured, verdict in goals.judged(results)}


def test_missed_goal_is_shown():
    got = verdicts(SAMPLE)
    assert got["yield, two tasks"] == ("11.0 ns", "**not met**")
    assert got["spawn and join"] == ("20.0 ns", "met")
    # The median of the ratios of a round, at each number of connections.
    assert got["echo on epoll, x raw loop"] == ("1: 0.94, 16: 1.20", "**not met**")
    assert got["wake-up beside idle descriptors, epoll"] == ("10 to 1,000: 1.10", "met")
    assert got["echo on io_uring, x raw loop"] == ("-", "not measured")
    text = pages.markdown(SAMPLE, ["about"])
    assert "**not met**" in text and "not measured" in text


def test_plots_are_svg(tmp_path):
    written = pages.write_plots(SAMPLE, tmp_path)
    assert len(written) == len(pages.PLOTS)
    for file, _ in written:
        root = ET.parse(tmp_path / file).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        width, height = float(root.get("width")), float(root.get("height"))
        for text in root.iter("{http://www.w3.org/2000/svg}text"):
            assert 0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height, text.text


def test_page_is_written_between_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{pages.BEGIN}\nold\n{pages.END}\nafter\n")
    pages.write_page(page, "new")
    assert page.read_text() == f"before\n{pages.BEGIN}\n\nnew\n\n{pages.END}\nafter\n"


@pytest.mark.load
def test_every_program_runs(tmp_path):
    if not (BUILD / "bench/runtime/bench-weir-cost").exists():
        pytest.skip("built without tests")
    out = tmp_path / "out.json"
    done = subprocess.run([str(RUN), "--smoke", "--no-build", "--build", str(BUILD), "--json", str(out), "--nice", "0"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    results = json.loads(out.read_text())
    ours = {"cost": "yield", "parked": "weir", "churn": "weir epoll", "idle": "weir epoll watch", "wake": "epoll",
            "firehose": "weir epoll", "ipc": "ring"}
    for part, name in ours.items():
        assert results[part].get(name), (part, results["notes"])
    for operation, values in results["cost"].items():
        assert values["weir"], (operation, results["notes"])
    for values in results["echo"].values():
        assert {"weir epoll", "weir poll", "weir select", "raw epoll"} <= values.keys(), results["notes"]
    assert "### Operations" in done.stdout
