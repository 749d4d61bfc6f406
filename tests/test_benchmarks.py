"""The benchmarks run: tiny ones, on SQLite. What they find here is nobody's business."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measures import RAW, Measure, ratios
from benchmarks.table import as_markdown

ROOT = Path(__file__).parent.parent
FIRST = {
    "raw": "raw loop",
    "steps": "steps, 1 engine",
    "start": "start, one by one",
    "latency": "latency, p50",
    "sleepers": "idle CPU, empty",
    "mixed": "mixed, sequence",
    "memory": "memory, engine",
    "pages": "page inbox, p50",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST)
def test_each_runs_and_writes_its_numbers(name: str, tmp_path: Path) -> None:
    output = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks", name, "--tiny", "--database", "sqlite", "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=100, check=False)
    assert not done.returncode, done.stderr
    found = json.loads(output.read_text())["results"]["SQLite"]
    assert found[0]["name"] == RAW
    assert found[0]["value"] > 0
    assert FIRST[name] in [measure["name"] for measure in found]
    assert f"| {FIRST[name]} " in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dbos", "absurd"])
def test_others_are_left_out_on_sqlite(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks", name, "--tiny", "--database", "sqlite"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert "measured on PostgreSQL only" in done.stdout, done.stderr


def test_numbers_are_divided_by_those_that_were_measured() -> None:
    raw = Measure(benchmark="raw", name=RAW, value=2_000.0, unit="steps/s")
    steps = Measure(benchmark="steps", name="steps", value=3_000.0, unit="steps/s", against=(RAW, "DBOS, steps"))
    assert ratios(steps, [raw, steps]) == {RAW: 1.5}
    assert as_markdown({"PostgreSQL": [raw, steps]}, ["here"]) == (
        "- here\n"
        "\n"
        "| Measure  | Database   | Number        | × raw loop | × others | How |\n"
        "| -------- | ---------- | ------------- | ---------- | -------- | --- |\n"
        "| raw loop | PostgreSQL | 2,000 steps/s |            |          |     |\n"
        "| steps    | PostgreSQL | 3,000 steps/s | 1.50       |          |     |\n"
    )
