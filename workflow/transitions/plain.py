"""Plain turns, a whole group by one statement of PostgreSQL's, which is a transaction of its own.

It does what `turns` does in five: lock, compare, update, insert, commit. Each of those is a message to the server and one
back, in which the thread that commits also lets another one have the interpreter, and has to wait for it again.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from workflow.models import RunningProcesses, TaskRun, bulk
from workflow.transitions.leases import Guard, Lease, among, locking
from workflow.transitions.turn import RUN_FIELDS, UNIQUE_RUN, Applied, Turn, alike, verdicts


def apply_plain(turns: Sequence[tuple[Lease, Turn]]) -> list[Applied]:
    """As `apply_all`, of turns that are plain."""
    statement, parameters = _statement(turns)
    found: dict[int, Guard] = {}
    keys: dict[tuple[Any, ...], int] = {}
    # A lone turn has somebody wait for it. In a large group, to plan is next to nothing, and few groups have the same text.
    for instance, state, owner, one, other, key in bulk.run(statement, parameters, is_kept=len(turns) == 1):
        if key:  # a new task run, by its visit and row
            keys[instance, one, other] = key
        else:  # an instance, with its fence and events
            found[instance] = (state, owner, one, other)
    applied = verdicts([lease for lease, _ in turns], found)
    for (_, turn), one in zip(turns, applied, strict=True):
        if one is Applied.DONE:
            bulk.give_keys(turn.created, keys, unique=UNIQUE_RUN)
    return applied


def _statement(turns: Sequence[tuple[Lease, Turn]]) -> tuple[str, list[Any]]:
    held, parameters = _held([lease for lease, _ in turns])
    parts, told = [held], _FOUND
    for number, (names, rows) in enumerate(alike(turns).items()):
        update, values = bulk.updating(RunningProcesses, rows, names, where="v.id IN (SELECT id FROM held)")
        parts.append(f"updated{number} AS ({update})")
        parameters += values
    if changed := [vars(run) for _, turn in turns for run in turn.changed if run.pk]:
        update, values = bulk.updating(TaskRun, changed, RUN_FIELDS, where=_OF_HELD, also=("instance_id",))
        parts.append(f"changed AS ({update})")
        parameters += values
    if created := [run for _, turn in turns for run in turn.created]:
        insert, values = bulk.inserting(created, unique=UNIQUE_RUN, where=_OF_HELD)
        parts.append(f"created AS ({insert})")
        parameters += values
        told += _CREATED
    return f"WITH {', '.join(parts)} {told}", parameters


def _held(leases: Sequence[Lease]) -> tuple[str, list[Any]]:
    """The instances `found`, locked in one order for all who lock several, and those `held`, which are as their leases say."""
    expected = [
        {"id": lease.instance, "owner": lease.owner, "fence": lease.fence, "events": lease.events} for lease in leases
    ]
    keys = [lease.instance for lease in leases]
    # One is a parameter, so that the text is always the same; hundreds take a driver long.
    which, parameters = ("= %s", keys) if len(keys) == 1 else (among(keys), [])
    parts = f"""
        wanted AS (SELECT * FROM jsonb_to_recordset(%s::jsonb) AS w(id bigint, owner text, fence integer, events integer)),
        found AS ({locking(which)}),
        held AS (SELECT id FROM found NATURAL JOIN wanted WHERE state = 'RUNNING')
    """
    return parts, [orjson.dumps(expected).decode(), *parameters]


_OF_HELD = "v.instance_id IN (SELECT id FROM held)"
_FOUND = "SELECT id, state, owner, fence, events, 0 FROM found"
_CREATED = " UNION ALL SELECT instance_id, '', '', visit, \"row\", id FROM created"
