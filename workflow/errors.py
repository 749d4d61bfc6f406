"""What operations raise: each error owns its message, which says what is wrong and what would be right."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from workflow.language import gettext as _


class WorkflowError(Exception):
    """The base of all errors that a caller may show to a person. Nothing was changed."""


class NoSuchProcess(WorkflowError):
    """No process has that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(_("There is no process %(name)r.") % {"name": name} + suggestion(name, known))


class NoSuchInstance(WorkflowError):
    """No instance has that id, or it has ended."""

    def __init__(self, instance: int) -> None:
        super().__init__(
            _("There is no instance %(instance)s that could go on: none has that id, or it has ended.")
            % {"instance": instance}
        )


class NotStartable(WorkflowError):
    """The draft has mistakes; an instance of it could not run.

    `only_lacks_functions` tells that it has none but calls of functions that this OS process lacks, and another one may have.
    """

    def __init__(self, name: str, mistakes: Sequence[str], *, only_lacks_functions: bool = False) -> None:
        self.mistakes = tuple(mistakes)
        self.only_lacks_functions = only_lacks_functions
        lines = "".join(f"\n  - {mistake}" for mistake in mistakes)
        super().__init__(
            _("The process %(name)r can't be started before its mistakes are mended:%(lines)s")
            % {"name": name, "lines": lines}
        )


class CannotDrive(WorkflowError):
    """This engine lacks something that an instance needs. Another engine may have it, so the instance is left to that one."""


class DefinitionTooNew(CannotDrive):
    """A newer version of this software wrote the definition: it has something that this one doesn't know."""


class BadData(WorkflowError):
    """The data given is not what an instance can keep. `by_field` tells what is wrong with which answer of a form."""

    def __init__(self, message: str, by_field: Mapping[str, str] | None = None) -> None:
        self.by_field = dict(by_field or {})
        super().__init__(message)


class NothingWaits(WorkflowError):
    """Nothing waits for the decision that was made."""


class AlreadyDecided(WorkflowError):
    """Somebody was quicker, or the instance has moved on."""


class Stale(WorkflowError):
    """What is decided is not what was looked at: it has changed since."""


class NotPermitted(WorkflowError):
    """The instance is in a state that does not permit this."""


class NotAllowed(WorkflowError):
    """The person asking has no right to this."""


class NoSuchUser(WorkflowError):
    """No user has that name. What others are called is nobody's business who has mistyped one: only near names are told."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        super().__init__(_("There is no active user %(name)r.") % {"name": name} + did_you_mean(name, known))


class LinkRefused(WorkflowError):
    """A link of an e-mail leads nowhere, or nowhere any more."""


class LinkForged(LinkRefused):
    """Nobody here has sent it."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "The link is not one that was sent from here, or not the whole of it: open it in the "
                "message again, or log in."
            )
        )


class LinkExpired(LinkRefused):
    """It was sent too long ago."""

    def __init__(self, days: float) -> None:
        super().__init__(
            _("The link has expired: links are good for %(days)s days. Log in to see what waits for you.")
            % {"days": f"{days:g}"}
        )


class LinkVoid(LinkRefused):
    """What it was sent for is not asked of its user any more."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names what is near `name` among `known`; blank where nothing is."""
    near = get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return " " + _("Did you mean %(listed)s?") % {"listed": (" " + _("or") + " ").join(map(repr, near))} if near else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """A sentence that names what is near `name` among `known`, or what there is, or that there is nothing."""
    names = sorted(known)
    if near := did_you_mean(name, names):
        return near
    if not names:
        return " " + _("None is defined yet.")
    listed = ", ".join(map(repr, names[:20])) + (" …" if len(names) > 20 else "")
    return " " + _("There are: %(listed)s.") % {"listed": listed}
