"""The ways from step to step: those that no instance ever comes to, and loops that none ever leaves."""

from collections.abc import Iterable, Iterator, Sequence

from workflow.definition import Definition
from workflow.findings import Finding, Level, at_row, at_step
from workflow.language import gettext as _
from workflow.routes import Cause, Route, reachable, traps

FIELDS_OF = {Cause.FINISHED: "then", Cause.REJECTED: "on_reject", Cause.FAILED: "on_error"}


def findings(definition: Definition, ways: Sequence[Route]) -> Iterator[Finding]:
    yield from _never_reached(definition, ways)
    yield from _loops(definition, ways)


def _never_reached(definition: Definition, ways: Sequence[Route]) -> Iterator[Finding]:
    found = reachable(definition, ways)
    for sequence in definition.sequences:
        if sequence not in found:
            message = _(
                "No instance ever comes to this step: %(why_not)s. Have a row of another step go to it, or delete it."
            )
            yield at_step(definition, sequence, message % {"why_not": _why_not(definition, sequence, ways)})


def _why_not(definition: Definition, sequence: int, ways: Sequence[Route]) -> str:
    sources = {way.source for way in ways if way.target == sequence and way.source != sequence}
    if sources:
        return _("none comes to %(steps)s either, and nothing else leads here") % {"steps": _steps(sources)}
    before = definition.sequences[definition.sequences.index(sequence) - 1]
    finished = [way for way in ways if way.source == before and way.cause is Cause.FINISHED]
    onward = {way.target for way in finished if way.target is not None}
    return _("step %(before)s always goes to %(steps)s when finished, and nothing else leads here") % {
        "before": before,
        "steps": _steps(onward, _("or")),
    }


def _loops(definition: Definition, ways: Sequence[Route]) -> Iterator[Finding]:
    """Steps that lead only to each other. That a failure ends the instance is not meant as a way out of them; where
    the row says which step a failure goes to, it may be.
    """
    among = reachable(definition, ways)
    meant = [way for way in ways if way.cause is not Cause.FAILED or way.target is not None]
    endless = traps(definition, meant, among=among)
    for loop in endless:
        yield _loop(definition, loop, meant, "error")
    unfailing = [way for way in ways if way.cause is not Cause.FAILED]
    for loop in traps(definition, unfailing, among=among):
        if not any(loop & other for other in endless):
            yield _loop(definition, loop, unfailing, "warning")


def _loop(definition: Definition, loop: frozenset[int], ways: Sequence[Route], level: Level) -> Finding:
    row, field = next(
        (way.row, FIELDS_OF[way.cause])
        for way in ways
        if way.row is not None and way.source in loop and way.target is not None and way.target <= way.source
    )
    only = _("leads only back to itself") if len(loop) == 1 else _("lead only to each other")
    unless = "" if level == "error" else _(", unless something fails")
    message = _(
        "%(steps)s %(only)s: an instance that comes here never ends%(unless)s. Put a "
        "condition on this row, which goes back, or have a row there go elsewhere."
    ) % {"steps": _at_first(_steps(loop)), "only": only, "unless": unless}
    return at_row(definition, row, field, message, level)


def _at_first(words: str) -> str:
    return words[:1].upper() + words[1:]


def _steps(numbers: Iterable[int], last: str = "") -> str:
    *others, final = map(str, sorted(numbers))
    if not others:
        return _("step %(number)s") % {"number": final}
    return _("steps %(numbers)s") % {"numbers": ", ".join(others) + " " + (last or _("and")) + f" {final}"}
