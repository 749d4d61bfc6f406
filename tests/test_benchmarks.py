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
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "names",
    [["steps", "mixed", "memory", "dbos"], ["raw", "start", "latency", "sleepers", "pages"]],
)
def test_each_runs_and_writes_its_numbers(names: list[str], tmp_path: Path) -> None:
    """Several at once, as each run begins and ends with the raw loop."""
    output = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks", *names, "--tiny", "--database", "sqlite", "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=280, check=False)
    assert not done.returncode, done.stderr
    found = json.loads(output.read_text())["results"]["SQLite"]
    assert found[0]["name"] == RAW
    assert found[0]["value"] > 0
    first = {FIRST[name] for name in names if name in FIRST}
    assert first <= {measure["name"] for measure in found}
    assert all(f"| {name} " in done.stdout for name in first)
    assert done.stdout.count("measured on PostgreSQL only") == len(names) - len(first)


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
