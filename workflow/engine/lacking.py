"""What an engine has found that it can't run: it leaves that to others, and does not take it again and again itself."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import translation

from workflow.abilities import Abilities, Needs
from workflow.definition import Definition
from workflow.errors import CannotDrive, DefinitionTooNew
from workflow.logs import fields
from workflow.models import ProcessVersion, RunningProcesses

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = (
    1.0,
    60.0,
)  # seconds until an instance that was left to others is taken again, if they don't
MOST_VERSIONS = 500
"""Versions that a claim passes over. More would make each claim long; what is claimed nevertheless is handed back, with a pause."""
MOST_INSTANCES = 10_000


@dataclass(kw_only=True)
class Lacking:
    """An engine's knowledge of what it can't run, with what it has. Threads share it."""

    engine: str = ""
    abilities: Abilities = field(default_factory=Abilities.of_this_process)
    versions: dict[int, str] = field(default_factory=dict)
    """What is missing here, by version."""
    handed_back: dict[int, int] = field(default_factory=dict)
    """How often in a row, by instance."""

    @property
    def passed_over(self) -> Collection[int]:
        """The versions of which it claims nothing."""
        return list(self.versions)[-MOST_VERSIONS:]

    def look(self) -> None:
        """Look through all versions that are there, so that none of them has to be claimed first to be found out."""
        stored = ProcessVersion.objects.exclude(needs=None).only("name", "number", "needs").order_by("pk")
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

    def pause(self, instance: RunningProcesses, *, passes_over: bool) -> timedelta:
        """How long to leave the instance to others, who may lack something else: longer each time. The first time not at all if
        this engine `passes_over` it from now on.
        """
        times = self.handed_back.pop(instance.pk, 0)
        self.handed_back[instance.pk] = times + 1
        while len(self.handed_back) > MOST_INSTANCES:
            del self.handed_back[next(iter(self.handed_back))]
        if passes_over and not times:
            return timedelta(0)
        return timedelta(seconds=min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(times - passes_over, 10)))

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
