"""What a version needs to be run, and what this process has: an engine leaves to others what it can't run.

While a deployment goes on, engines of two versions of a project work side by side. One of them may lack an action, a signing key,
or a field of definitions that the other has.
"""

import builtins
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.utils.translation import gettext as _

from workflow import definition
from workflow.code.actions import actions
from workflow.code.signing import fingerprint, signing_keys
from workflow.code.text import free_names
from workflow.code.waits import WAITS
from workflow.definition import Definition
from workflow.errors import DefinitionTooNew
from workflow.models import ProcessVersion
from workflow.routes import has_code

ALWAYS_THERE = frozenset({*dir(builtins), "data", "results", "run"})
"""Names that code has of Python, and in every version of this software."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What it takes to run a version: to read definitions of this `format`, and to have the functions of these `names`."""

    format: int = 1
    names: frozenset[str] = frozenset()

    @classmethod
    def of_draft(cls, draft: Definition) -> Self:
        """What a definition needs that was found good here, so that its code calls nothing but what there is here."""
        return cls(format=draft.format, names=_free_names(draft) & _callable_names())

    @classmethod
    def of_code(cls, of: Definition) -> Self:
        """What a definition needs if it is a good one, as its code tells: every name that is not Python's is a function's."""
        return cls(format=of.format, names=_free_names(of) - ALWAYS_THERE)

    @classmethod
    def of_version(cls, version: ProcessVersion) -> Self:
        """What a version needs: as it was stored, or, where an older version of this software froze it, as its code tells.

        Raises `DefinitionTooNew` where this software can't tell.
        """
        stored: Any = version.needs
        if not _is_readable(stored):
            return cls.of_code(version.frozen)
        if unknown := stored.keys() - {"format", "names"}:
            raise DefinitionTooNew(
                _("%(version)s needs something unknown here: %(needs)s.")
                % {"version": version, "needs": ", ".join(sorted(unknown))}
            )
        return cls(format=stored.get("format", 1), names=frozenset(map(str, stored.get("names", ()))))

    def to_json(self) -> dict[str, Any]:
        """As a version stores it."""
        return {"format": self.format, "names": sorted(self.names)}


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """What an engine has: the newest `format` of definitions that it reads, the `names` of functions that code may call in it, and
    the fingerprints of the `keys` by which it knows snapshots.
    """

    format: int
    names: frozenset[str]
    keys: frozenset[str] = frozenset()

    @classmethod
    def of_this_process(cls) -> Self:
        """What an engine in this OS process has."""
        return cls(format=definition.FORMAT, names=_callable_names(), keys=frozenset(map(fingerprint, signing_keys())))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What an engine of any version has announced."""
        return cls(
            format=value.get("format", 1),
            names=frozenset(value.get("names", ())),
            keys=frozenset(value.get("keys", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """As an engine announces it."""
        return {"format": self.format, "names": sorted(self.names), "keys": sorted(self.keys)}

    def lacks(self, needs: Needs, keys: Collection[str] = ()) -> list[str]:
        """What is missing here, each in words; empty where a version that needs this can be run. `keys` are the fingerprints of those
        that an instance's snapshots were signed by.
        """
        missing = [_("the action %(name)s()") % {"name": name} for name in sorted(needs.names - self.names)]
        if needs.format > self.format:
            missing.append(
                _("a newer version of this software (definitions of format %(format)s)") % {"format": needs.format}
            )
        missing += [_("the snapshot key %(key)s") % {"key": key} for key in sorted(set(keys) - self.keys)]
        return missing


def _is_readable(needs: Any) -> bool:
    return (
        isinstance(needs, dict) and isinstance(needs.get("names", []), list) and isinstance(needs.get("format", 1), int)
    )


def _free_names(of: Definition) -> frozenset[str]:
    found = _all(free_names(task.code) for task in of.tasks if has_code(task) and not task.manual)
    return frozenset(name for name in found if not name.startswith("_"))  # no action has such a name


def _callable_names() -> frozenset[str]:
    return frozenset({*actions(), *WAITS})


def _all(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
