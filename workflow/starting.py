"""From a draft to an instance: what is checked, what is frozen, and how an instance begins (DESIGN.md 3, Versions).

`prepare` checks, with the sandbox's help, so outside any transaction; `begin` writes, inside the caller's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, transaction
from django.db.models import Count, Model
from django.utils.translation import gettext as _

from workflow import clock, flow, health, keys, values
from workflow.abilities import Abilities, Needs
from workflow.announce import announce
from workflow.code.check import Checks
from workflow.definition import FORMAT, Definition
from workflow.errors import BadData, CannotDrive, DefinitionTooNew, NoSuchProcess, NotStartable
from workflow.lint import Finding, lint
from workflow.models import ActionCall, InstanceState, Priority, Process, ProcessVersion, RunningProcesses, bulk
from workflow.models.drafts import draft, drafts
from workflow.models.people import count_people, find
from workflow.models.states import ENDED
from workflow.origin import CODE, Origin, Via, name_of
from workflow.size import refuse_too_large


@dataclass(frozen=True, kw_only=True)
class Start:
    """An instance that can begin: the definition has no mistakes, and the data can be kept. `version` is the one of this
    very definition, if that is frozen already.
    """

    process: Process
    definition: Definition
    data: Mapping[str, Any]
    version: ProcessVersion | None = None


def prepare(wanted: Iterable[tuple[str, Mapping[str, Any] | None]]) -> list[Start]:
    """What is to begin, by process name and data. Raises `NoSuchProcess`, `NotStartable`, `BadData`."""
    checked = [(name, _checked_data(data)) for name, data in wanted]
    names = list(dict.fromkeys(name for name, _ in checked))
    found = dict(zip(names, processes_named(names), strict=True))
    frozen = {name: _startable(process) for name, process in found.items()}
    return [
        Start(process=found[name], definition=definition, data=data, version=version)
        for name, data in checked
        for definition, version in [frozen[name]]
    ]


def prepare_children(wanted: Iterable[tuple[str, Mapping[str, Any] | None]]) -> list[Start]:
    """What an instance starts, as `prepare` does it. Raises `CannotDrive` where a draft only calls functions that this engine lacks:
    while a release is being deployed, that says nothing about the draft, whether or not another engine is alive that has them.
    """
    try:
        return prepare(wanted)
    except NotStartable as error:
        if error.only_lacks_functions:
            raise CannotDrive(str(error)) from error
        raise


def begin(
    starts: Sequence[Start],
    *,
    user: Any,
    now: datetime,
    subject: Model | None = None,
    priority: Priority | None = None,
    above: tuple[RunningProcesses, ActionCall] | None = None,
    key: str = "",
    via: Via = CODE,
) -> list[RunningProcesses]:
    """The instances, READY at once, of that priority or their process's. `user` starts them, `via` says how; as children of an
    instance and its call `above`, they have the starter of that, and its subject.

    `key` names a start of one instance. Raises `IntegrityError` where there is one of that name.
    """
    inherited = _about(subject) if above is None else _inherited(*above)
    versions = {
        one.definition.digest: _freeze(one, now) for one in {one.definition.digest: one for one in starts}.values()
    }
    about = {**inherited, "started_at": now, "start_key": key}
    about |= _started_by(user, via) if above is None else _inherited_starter(above[0])
    about["due_at"] = clock.ask_database()  # the clock that engines go by
    instances = [
        _new(
            one,
            versions[one.definition.digest],
            place=place,
            priority=priority,
            token=keys.new_token() if above is None else _token_below(above[1], place),
            **about,
        )
        for place, one in enumerate(starts)
    ]
    bulk.insert(instances, unique=("place",), are_new=True)
    announce()
    return instances


def _new(start: Start, version: ProcessVersion, *, priority: Priority | None, **about: Any) -> RunningProcesses:
    instance = bulk.fresh(
        RunningProcesses,
        process_id=start.process.pk,
        process_name=start.process.name,
        version_id=version.pk,
        state=InstanceState.READY,
        step=flow.first(start.definition, start.data).sequence,
        data=dict(start.data),
        results={},
        priority=start.process.priority if priority is None else priority,
        **about,
    )
    instance._state.fields_cache.update(process=start.process, version=version)
    return instance


def _about(subject: Model | None) -> dict[str, Any]:
    if subject is None:
        return {}
    # Of the concrete model: a proxy is another way to look at the same rows.
    return {"subject_type_id": ContentType.objects.get_for_model(subject).pk, "subject_id": str(subject.pk)}


def _started_by(user: Any, via: Via) -> dict[str, Any]:
    origin = Origin(via=via, user=name_of(user))
    return {"started_by_id": user.pk if user else None, "start_origin": origin.to_json()}


def _inherited_starter(parent: RunningProcesses) -> dict[str, Any]:
    """As the starter was called when they started the first of them."""
    origin = Origin(via=CODE, user=parent.started.user)
    return {"started_by_id": parent.started_by_id, "start_origin": origin.to_json()}


def _inherited(parent: RunningProcesses, call: ActionCall) -> dict[str, Any]:
    return {
        "parent_id": call.pk,
        "depth": parent.depth + 1,
        "subject_type_id": parent.subject_type_id,
        "subject_id": parent.subject_id,
    }


def _token_below(call: ActionCall, place: int) -> str:
    run = call.run
    key = keys.call_key(run.external_key, first_attempt=run.first_attempt, number=call.number)
    return keys.child_token(key, attempt=call.attempt, place=place)


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
    once = cache(find)  # both questions are about the same names

    return lint(
        definition,
        check_code=Checks(),
        unknown_approvers=lambda names: once(tuple(names)).unknown,
        ambiguous_approvers=lambda names: once(tuple(names)).ambiguous,
        count_people=count_people,
        definition_of=cache(_draft_of),
    )


def _draft_of(name: str) -> Definition | None:
    process = Process.objects.filter(name=name).first()
    return draft(process) if process else None


def running_versions(names: Sequence[str] = ()) -> list[tuple[ProcessVersion, int]]:
    """The versions of these processes, or of all, that unfinished instances use, each with how many do. A process that was deleted
    is named by what it was called. Raises `NoSuchProcess`.
    """
    unfinished = RunningProcesses.objects.filter(state__in=set(InstanceState) - ENDED).order_by()
    counted = dict(unfinished.values_list("version").annotate(Count("pk")))
    versions = list(ProcessVersion.objects.filter(pk__in=counted))
    known = {*Process.objects.values_list("name", flat=True), *(version.name for version in versions)}
    for name in names:
        if name not in known:
            raise NoSuchProcess(name, known)
    return [(version, counted[version.pk]) for version in versions if not names or version.name in names]


def findings_of_version(version: ProcessVersion) -> list[Finding]:
    """What keeps the software as it is here from running a version, in reading order."""
    try:
        return findings(version.frozen)
    except DefinitionTooNew as error:
        return [Finding(level="error", message=str(error))]


def may_others_see_more() -> bool:
    """Whether an engine is alive that knows more of definitions than this software: its release may have added columns to drafts."""
    return health.can_others(Needs(format=FORMAT + 1))


def ready(processes: Sequence[Process]) -> dict[str, Definition]:
    """The drafts of those that could start, by name. However many there are, it takes six queries."""
    found = drafts(processes)
    newest = ProcessVersion.objects.filter(name__in=found).order_by("name", "number")
    frozen = dict(newest.values_list("name", "digest"))
    asked = {name: [] if one.digest == frozen.get(name) else _asked_if_sound(one) for name, one in found.items()}
    named = find(sorted({approver for names in asked.values() for approver in names or ()}))
    wrong = {*named.unknown, *named.ambiguous}
    return {name: found[name] for name, names in asked.items() if names is not None and wrong.isdisjoint(names)}


def _asked_if_sound(definition: Definition) -> list[str] | None:
    """Who is named as approver, where nothing else can be wrong; `None` where something is."""
    asked: list[str] = []

    def note(names: Sequence[str]) -> Sequence[str]:
        asked.extend(names)
        return ()

    mistakes = (one for one in lint(definition, check_code=Checks(), unknown_approvers=note) if one.level == "error")
    return None if any(mistakes) else asked


def _startable(process: Process) -> tuple[Definition, ProcessVersion | None]:
    """The draft, with its version if it is frozen already: then it was found good."""
    definition = draft(process)
    newest = _newest(process.name)
    if newest is not None:
        if newest.digest == definition.digest:
            return definition, newest
        _refuse_newer(newest)
    mistakes = [finding for finding in findings(definition) if finding.level == "error"]
    if mistakes:
        lacking = Needs.of_code(definition).names - Abilities.of_this_process().names
        only_lacks = all(finding.unknown in lacking for finding in mistakes)
        raise NotStartable(process.name, list(map(str, mistakes)), only_lacks_functions=only_lacks)
    return definition, None


def _refuse_newer(newest: ProcessVersion) -> None:
    """A newer version of this software may have columns for the draft that this one can't see: to freeze what it sees would leave
    them out. Raises `DefinitionTooNew`.
    """
    try:
        Definition.from_json(newest.definition)
    except DefinitionTooNew as error:
        raise DefinitionTooNew(
            _(
                "The process %(name)r was published by a newer version of this software than runs here. Try again in a moment."
            )
            % {"name": newest.name}
        ) from error


def _newest(name: str) -> ProcessVersion | None:
    return ProcessVersion.objects.filter(name=name).order_by("-number").first()


def _freeze(start: Start, now: datetime) -> ProcessVersion:
    """The version of this very definition: the newest one if it is the same, or a new one."""
    if start.version is not None:
        return start.version
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
                    needs=Needs.of_draft(definition).to_json(),
                    created_at=now,
                )
        except IntegrityError:
            # Another start froze a version at the same time: look at that one.
            if _newest(definition.name) == newest:
                raise


def _checked_data(data: Mapping[str, Any] | None) -> dict[str, Any]:
    if data is not None and not isinstance(data, Mapping):
        raise BadData(
            _('The data must be an object, such as {"amount": 12}, not %(kind)s.') % {"kind": type(data).__name__}
        )
    try:
        checked: dict[str, Any] = values.check(dict(data or {}), "data")
    except values.ValueProblem as problem:
        raise BadData(str(problem)) from problem
    refuse_too_large(checked, _("The data takes %(size)s bytes; the limit (MAX_DATA_BYTES) is %(limit)s."))
    return checked
