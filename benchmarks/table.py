"""The one table: numbers, and their ratios."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.measures import RAW, Measure, ratios

Results = Mapping[str, Sequence[Measure]]
"""Measures by database."""

HEADINGS = ("Measure", "Database", "Number", "× raw loop", "× others", "How")


def as_markdown(results: Results, about: Sequence[str]) -> str:
    """What was measured on, then a line for each number."""
    rows = [_row(database, measure, measures) for database, measures in results.items() for measure in measures]
    widths = [max(len(row[column]) for row in [HEADINGS, *rows]) for column in range(len(HEADINGS))]
    lines = [_line(HEADINGS, widths), _line(["-" * width for width in widths], widths)]
    lines += [_line(row, widths) for row in rows]
    return "\n".join([*(f"- {line}" for line in about), "", *lines, ""])


def write(path: Path, results: Results, about: Sequence[str]) -> None:
    """As JSON if the file is named so, else as Markdown."""
    path.write_text(_as_json(results, about) if path.suffix == ".json" else as_markdown(results, about))


def _as_json(results: Results, about: Sequence[str]) -> str:
    found = {
        database: [{**asdict(measure), "ratios": ratios(measure, measures)} for measure in measures]
        for database, measures in results.items()
    }
    return json.dumps({"about": list(about), "results": found}, indent=2) + "\n"


def _row(database: str, measure: Measure, measures: Sequence[Measure]) -> tuple[str, ...]:
    compared = ratios(measure, measures)
    raw = compared.pop(RAW, None)
    others = "; ".join(f"{ratio:.3g} × {name}" for name, ratio in compared.items())
    return (
        measure.name,
        database,
        _number(measure),
        "" if raw is None else f"{raw:.2f}",
        others,
        measure.note,
    )


def _number(measure: Measure) -> str:
    if measure.value is None:
        return "–"
    digits = 0 if measure.value >= 100 else 2
    return f"{measure.value:,.{digits}f} {measure.unit}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
