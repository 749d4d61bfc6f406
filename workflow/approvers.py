"""Who may decide, as text: what `approver` fields hold, and what their expressions give.

A name is a user's or a group's; `user:anna` is a user's alone, and `group:managers` a group's. Pure: who has which name is
asked elsewhere.
"""

from collections.abc import Iterable
from typing import Any

from workflow.language import gettext as _

MAX_NAMES = 500
"""Names that code may give at once: databases limit how many one question can ask for."""

USER, GROUP = "user:", "group:"


def as_user(name: str) -> str:
    """The user name that a name may stand for; blank where it names a group."""
    return _of_kind(name, USER, other=GROUP)


def as_group(name: str) -> str:
    """The name of the group that a name may stand for; blank where it names a user."""
    return _of_kind(name, GROUP, other=USER)


def tells_kind(name: str) -> bool:
    """Whether a name says itself whether it is a user's or a group's."""
    return any(name.startswith(kind) and name.removeprefix(kind).strip() for kind in (USER, GROUP))


def bare(name: str) -> str:
    """The name as people read it: they need not be told of which kind it is."""
    return as_user(name) or as_group(name)


def is_ambiguous(name: str) -> str:
    """A sentence about a name that a user and a group have."""
    return _("A user and a group are both named %(name)r. Write %(user)s or %(group)s.") % {
        "name": name,
        "user": f"{USER}{name}",
        "group": f"{GROUP}{name}",
    }


def _of_kind(name: str, kind: str, *, other: str) -> str:
    if not tells_kind(name):
        return name
    return "" if name.startswith(other) else name.removeprefix(kind).strip()


def is_expression(text: str) -> bool:
    """Whether an approver is worked out from the instance's data: `=data["manager"]`."""
    return text.lstrip().startswith("=")


def expression(text: str) -> str:
    """The Python expression in an approver for which `is_expression` holds."""
    return text.lstrip().removeprefix("=").strip()


def names(text: str) -> tuple[str, ...]:
    """The names in `anna, managers`: each once, in order; empty where the text is blank."""
    return _each_once(text.split(","))


def is_only_commas(text: str) -> bool:
    """Whether a text names nobody and is not blank either. To take that for blank would ask all members of staff."""
    return bool(text.strip()) and not is_expression(text) and not names(text)


def names_from_value(value: Any) -> tuple[str, ...]:
    """The names that an approver's expression gave: text with commas, or a list of texts.

    Raises `ValueError` where it gave none. To take that for "any member of staff", as a blank field is taken,
    would let people decide whom nobody meant to ask.
    """
    match value:
        case str():
            found = names(value)
        case list() | tuple():
            found = _each_once(part for item in value for part in _text(item).split(","))
        case _:
            raise ValueError(
                _("The approver must be a name, or a list of names; the expression gave %(kind)s.")
                % {"kind": _kind(value)}
            )
    if not found:
        raise ValueError(_("The approver names nobody; it must give the name of a user or a group."))
    if len(found) > MAX_NAMES:
        raise ValueError(
            _("Up to %(most)s users and groups can be asked, not %(count)s; make them a group.")
            % {"most": MAX_NAMES, "count": f"{len(found):,}"}
        )
    return found


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise ValueError(  # noqa: TRY004 - callers catch one type
            _("Each approver must be a name; the expression gave a list that holds %(kind)s.") % {"kind": _kind(item)}
        )
    return item


def _kind(value: Any) -> str:
    return "None" if value is None else _("a value of type %(kind)s") % {"kind": type(value).__name__}


def _each_once(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts if (name := part.strip())))
