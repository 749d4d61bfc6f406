"""What a benchmark says: numbers, and what each is to be divided by."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number. `against` are the names of numbers of the same run and database: the table shows the ratios."""

    benchmark: str
    name: str
    value: float | None
    """`None`: there is no number, and `note` says why."""
    unit: str = ""
    against: tuple[str, ...] = ()
    note: str = ""


RAW = "raw loop"
"""The name of the number that all steps per second are compared with."""


def missing(name: str, why: str) -> list[Measure]:
    """The line of something that was not measured."""
    return [Measure(benchmark=name.lower(), name=name, value=None, note=why)]


def ratios(measure: Measure, among: Iterable[Measure]) -> dict[str, float]:
    """The measure divided by each that it is compared with, as far as those were measured."""
    known = {other.name: other.value for other in among}
    if measure.value is None:
        return {}
    return {name: measure.value / value for name in measure.against if (value := known.get(name))}
