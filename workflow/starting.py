"""From a draft to an instance: what is checked, what is frozen, and how an instance begins (DESIGN.md 3, Versions).

`prepare` checks, with the sandbox's help, so outside any transaction; `begin` writes, inside the caller's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from workflow import conf, flow, values
from workflow.code.check import check_code
from workflow.definition import Definition
from workflow.errors import BadData, NoSuchProcess, NotStartable
from workflow.lint import Finding, lint
from workflow.models import ActionCall, InstanceState, Process, ProcessVersion, RunningProcesses
from workflow.models.definitions import draft
from workflow.models.people import unknown_names


@dataclass(frozen=True, kw_only=True)
class Start:
    """An instance that can begin: the definition has no mistakes, and the data can be kept."""

    process: Process
    definition: Definition
    data: Mapping[str, Any]


def prepare(wanted: Iterable[tuple[str, Mapping[str, Any] | None]]) -> list[Start]:
    """What is to begin, by process name and data. Raises `NoSuchProcess`, `NotStartable`, `BadData`."""
    checked = [(name, _checked_data(data)) for name, data in wanted]
    names = list(dict.fromkeys(name for name, _ in checked))
    found = dict(zip(names, processes_named(names), strict=True))
    definitions = {name: _startable(process) for name, process in found.items()}
    return [Start(process=found[name], definition=definitions[name], data=data) for name, data in checked]


def begin(
    starts: Sequence[Start], *, user: Any, now: datetime, parent: ActionCall | None = None, depth: int = 0
) -> list[RunningProcesses]:
    """The instances, READY at once; as children of the call `parent` of an instance that is `depth` - 1 deep itself."""
    versions = {
        one.definition.digest: _freeze(one, now) for one in {one.definition.digest: one for one in starts}.values()
    }
    return RunningProcesses.objects.bulk_create(
        RunningProcesses(
            process=one.process,
            process_name=one.process.name,
            version=versions[one.definition.digest],
            state=InstanceState.READY,
            step=flow.first(one.definition, one.data).sequence,
            data=dict(one.data),
            started_by=user,
            started_at=now,
            due_at=now,
            parent=parent,
            place=place,
            depth=depth,
        )
        for place, one in enumerate(starts)
    )


def processes_named(names: Sequence[str]) -> list[Process]:
    """The processes of these names, in that order. Raises `NoSuchProcess`."""
    found = {process.name: process for process in Process.objects.filter(name__in=names)}
    for name in names:
        if name not in found:
            raise NoSuchProcess(name, Process.objects.values_list("name", flat=True))
    return [found[name] for name in names]


def findings(of: Process | Definition) -> list[Finding]:
    """What is wrong with a definition, or with the draft of a process, in reading order."""
    definition = draft(of) if isinstance(of, Process) else of
    return lint(definition, check_code=check_code, unknown_approvers=unknown_names)


def _startable(process: Process) -> Definition:
    definition = draft(process)
    newest = _newest(process.name)
    if newest is None or newest.digest != definition.digest:  # what is frozen was found good then
        mistakes = [str(finding) for finding in findings(definition) if finding.level == "error"]
        if mistakes:
            raise NotStartable(process.name, mistakes)
    return definition


def _newest(name: str) -> ProcessVersion | None:
    return ProcessVersion.objects.filter(name=name).order_by("-number").first()


def _freeze(start: Start, now: datetime) -> ProcessVersion:
    """The version of this very definition: the newest one if it is the same, or a new one."""
    definition = start.definition
    while True:
        newest = _newest(definition.name)
        if newest is not None and newest.digest == definition.digest:
            return newest
        try:
            with transaction.atomic():
                return ProcessVersion.objects.create(
                    process=start.process,
                    name=definition.name,
                    number=newest.number + 1 if newest else 1,
                    definition=definition.to_json(),
                    digest=definition.digest,
                    created_at=now,
                )
        except IntegrityError:
            # Another start froze a version at the same time: look at that one.
            if _newest(definition.name) == newest:
                raise


def _checked_data(data: Mapping[str, Any] | None) -> dict[str, Any]:
    if data is not None and not isinstance(data, Mapping):
        raise BadData(f'The data must be an object, such as {{"amount": 12}}, not {type(data).__name__}.')
    try:
        checked: dict[str, Any] = values.check(dict(data or {}), "data")
    except values.ValueProblem as problem:
        raise BadData(str(problem)) from problem
    size, limit = len(values.dumps(checked).encode()), conf.get("MAX_DATA_BYTES")
    if size > limit:
        raise BadData(f"The data takes {size:,} bytes; the limit (MAX_DATA_BYTES) is {limit:,}.")
    return checked
