"""What a definition can come to, by walking every way.

The walk knows nothing of `routes`: it plays every step through `flow` itself, with every verdict on its conditions and every order
in which its rows could come to every outcome.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product

from workflow import flow
from workflow.definition import Definition
from workflow.flow import End, Ending, Failed, Finished, Go, Limits, Position, Rejected
from workflow.routes import Cause

LIMITS = Limits(max_steps=10, max_data_bytes=1000)


@cache
def ways(definition: Definition, sequence: int) -> set[tuple[Cause, int | Ending]]:
    """What a step can lead to, and by what."""
    rows = definition.step(sequence)
    return {
        way
        for verdicts in product(*(_verdicts(definition, index) for index in rows))
        for way in _played(
            definition, flow.enter(definition, Position(sequence=sequence), dict(zip(rows, verdicts, strict=True)))
        )
    }


def _verdicts(definition: Definition, index: int) -> list[bool | Failed]:
    task = definition.task_of(index)
    conditions: list[bool | Failed] = [True]
    if definition.rows[index].condition:
        conditions += [False, Failed(error={})]
    if task.manual and task.approver:
        conditions += [Failed(error={})]
    return conditions


def _played(definition: Definition, position: Position) -> Iterator[tuple[Cause, int | Ending]]:
    match flow.decide(definition, position, LIMITS):
        case Go(position=after):
            yield _cause(position), after.sequence
        case End(ending=ending):
            yield _cause(position), ending
        case _:
            for index in position.having(flow.RowStatus.OPEN):
                worse = Rejected() if definition.task_of(index).manual else Failed(error={})
                for outcome in (Finished(), worse):
                    yield from _played(definition, flow.record(position, index, outcome))


def _cause(position: Position) -> Cause:
    if position.having(flow.RowStatus.REJECTED):
        return Cause.REJECTED
    return Cause.FAILED if position.having(flow.RowStatus.FAILED) else Cause.FINISHED


def walked(definition: Definition, starts: set[int], causes: set[Cause]) -> set[int | Ending]:
    """Everything that can be come to from `starts`, playing on as long as something new turns up."""
    found: set[int | Ending] = set(starts)
    size = -1
    while size != len(found):
        size = len(found)
        steps = [step for step in found if isinstance(step, int)]
        found |= {target for step in steps for cause, target in ways(definition, step) if cause in causes}
    return found
