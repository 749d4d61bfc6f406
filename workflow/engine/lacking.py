"""What an engine has found that it can't run: it leaves that to others, and does not take it again and again itself."""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from time import monotonic
from typing import NamedTuple

from django.utils import translation

from workflow.abilities import Abilities, Needs
from workflow.definition import Definition
from workflow.errors import CannotDrive, DefinitionTooNew
from workflow.logs import fields
from workflow.models import ProcessVersion, RunningProcesses
from workflow.transitions import PassedOver

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = (
    1.0,
    60.0,
)  # seconds until an instance that was left to others is taken again, if they don't
MOST_PASSED_OVER = 500
"""Versions, and instances, that a claim passes over. More would make each claim long; what it takes nevertheless has to wait then."""
MOST_REMEMBERED = 10_000


class HandedBack(NamedTuple):
    """How often in a row an instance was left to others, and `until` when this engine does so, by its monotonic clock."""

    times: int
    until: float


@dataclass(kw_only=True)
class Lacking:
    """An engine's knowledge of what it can't run, with what it has. Threads share it."""

    engine: str = ""
    versions: dict[int, str] = field(default_factory=dict)
    """What is missing here, by version."""
    handed_back: dict[int, HandedBack] = field(default_factory=dict)
    """By instance."""
    claims: bool = True
    """Whether it is this engine that claims what it runs, so that it can pass over something; else others claim it for it."""

    @cached_property
    def abilities(self) -> Abilities:
        """What the engine has, from its beginning on."""
        return Abilities.of_this_process()

    @property
    def passed_over(self) -> PassedOver:
        """What it does not claim."""
        if not (self.versions or self.handed_back):
            return PassedOver()
        now = monotonic()
        instances = [key for key, back in list(self.handed_back.items()) if back.until > now]
        return PassedOver(list(self.versions)[-MOST_PASSED_OVER:], instances[-MOST_PASSED_OVER:])

    def look(self) -> None:
        """Look through all versions that are there, so that none of them has to be claimed first to be found out."""
        stored = ProcessVersion.objects.filter(needs__isnull=False).only("name", "number", "needs").order_by("pk")
        found = [why for version in stored if (why := self._why_not(version))]
        if found:
            told = "Versions that are left to other engines, as this one can't run them: %s, the newest of which is %s"
            logger.info(told, len(found), found[-1], extra=fields(engine=self.engine))

    def definition(self, key: int) -> Definition:
        """A version's definition, read from the database. Raises `CannotDrive`."""
        if key in self.versions:
            raise CannotDrive(self.versions[key])
        version = ProcessVersion.objects.get(pk=key)
        if not self._why_not(version):
            try:
                return version.frozen
            except DefinitionTooNew as error:
                self.versions[key] = f"{version}: {error}"
        told = "Instances of a version are left to other engines, as this one can't run them: %s"
        logger.warning(told, self.versions[key], extra=fields(engine=self.engine))
        raise CannotDrive(self.versions[key])

    def leave(self, instance: RunningProcesses) -> timedelta:
        """Note that the instance is left to others. Returns how long nobody is to take it: not at all, so that another engine can
        have it at once, where this one's own claims pass it over from now on.

        After a while this engine looks at it again, as it may be signed by another key then: later each time.
        """
        if self.claims and instance.version_id in self.passed_over.versions:
            return timedelta(0)
        before = self.handed_back.pop(instance.pk, None)
        times = before.times + 1 if before else 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(times - 1, 10))
        passes_over = self.claims and len(self.passed_over.instances) < MOST_PASSED_OVER
        self.handed_back[instance.pk] = HandedBack(times, monotonic() + pause)
        while len(self.handed_back) > MOST_REMEMBERED:
            del self.handed_back[next(iter(self.handed_back))]
        return timedelta(0) if passes_over else timedelta(seconds=pause)

    def went_on(self, instance: RunningProcesses) -> None:
        """Note that an instance could be run here."""
        self.handed_back.pop(instance.pk, None)

    def _why_not(self, version: ProcessVersion) -> str:
        """Why a version can't be run here; blank where it can."""
        why = ""
        with translation.override("en"):  # as the log is
            try:
                if missing := self.abilities.lacks(Needs.of_version(version)):
                    why = f"{version} needs {', '.join(missing)}"
            except DefinitionTooNew as error:
                why = f"{version}: {error}"
        if why:
            self.versions[version.pk] = why
        return why
