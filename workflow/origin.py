"""Who did something and how, as they were called at that moment: what histories keep (DESIGN.md 6).

Pure. A user may be renamed or deleted later, so a history keeps names and keys of its own, as text: the keys of a project's
users may be numbers, UUIDs or text.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from workflow.language import gettext as _


class Channel(StrEnum):
    """How something was done."""

    PAGE = "page"
    LINK = "link"  # of an e-mail, by whoever had it: they were not asked to log in
    ADMIN = "admin"
    COMMAND = "command"
    CODE = "code"
    DEFAULT = "default"  # a deadline did it, because no person had


@dataclass(frozen=True, kw_only=True)
class Via:
    """How something was done; of a command also by which user of which machine."""

    channel: Channel
    os_user: str = ""
    host: str = ""

    @property
    def words(self) -> str:
        """How, as it follows what was done."""
        match self.channel:
            case Channel.PAGE:
                return _("on the website")
            case Channel.LINK:
                return _("by the link of an e-mail")
            case Channel.ADMIN:
                return _("in the admin")
            case Channel.COMMAND:
                return _("by a command")
            case Channel.CODE:
                return _("by code")
            case Channel.DEFAULT:
                return _("by default")

    @property
    def details(self) -> str:
        """The same, with the user and the machine: for the admin, as not everybody is to know the names of machines."""
        return f"{self.words} ({self.os_user}@{self.host})" if self.os_user or self.host else self.words


PAGE = Via(channel=Channel.PAGE)
LINK = Via(channel=Channel.LINK)
ADMIN = Via(channel=Channel.ADMIN)
CODE = Via(channel=Channel.CODE)
DEFAULT = Via(channel=Channel.DEFAULT)


@dataclass(frozen=True, kw_only=True)
class Name:
    """What a user was called, and the primary key as text."""

    key: str
    username: str
    full_name: str = ""

    def __str__(self) -> str:
        return self.username

    def get_username(self) -> str:
        """As users have it, so that what shows a user shows this."""
        return self.username

    def get_full_name(self) -> str:
        """As users have it."""
        return self.full_name


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Who did something, for whom they stood in, `through` whom (the user stood in for the first of these, and so on), and how.
    `via` is `None` where it was not recorded.
    """

    via: Via | None = None
    user: Name | None = None
    on_behalf_of: Name | None = None
    through: tuple[Name, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all who take part in it."""
        return frozenset(one.key for one in (self.user, self.on_behalf_of, *self.through) if one is not None)

    @property
    def who(self) -> str:
        """The user name; where no user did it, what did."""
        if self.user is not None:
            return self.user.username
        match self.via.channel if self.via else None:
            case Channel.COMMAND:
                return _("The command line")
            case Channel.DEFAULT:
                return _("Nobody in time: by default")
            case Channel.CODE:
                return _("A program")
            case None:
                return _("The command line, a program or a deleted user")
        return _("A deleted user")

    @property
    def how(self) -> str:
        """In words; blank where it was not recorded, and where `who` says it already."""
        return self.via.words if self.via and self.user else ""

    @property
    def details(self) -> str:
        """As `how`, with the user and the machine of a command."""
        if self.via is None:
            return ""
        return self.via.details if self.user or self.via.os_user or self.via.host else ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives back an equal one."""
        found: dict[str, Any] = {}
        if self.via is not None:
            found["via"] = self.via.channel.value
            found |= {name: text for name in ("os_user", "host") if (text := getattr(self.via, name))}
        for name, one in (("user", self.user), ("on_behalf_of", self.on_behalf_of)):
            if one is not None:
                found[name] = asdict(one)
        if self.through:
            found["through"] = list(map(asdict, self.through))
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The origin that `to_json` wrote. A way that this version does not know, as a later one wrote it, is left out."""
        via = None
        if value.get("via") in list(Channel):
            via = Via(channel=Channel(value["via"]), os_user=value.get("os_user", ""), host=value.get("host", ""))
        people = {name: Name(**value[name]) for name in ("user", "on_behalf_of") if name in value}
        return cls(via=via, **people, through=tuple(Name(**one) for one in value.get("through", ())))


def name_of(user: Any) -> Name | None:
    """What a user is called now; `None` for nobody. Projects bring users of their own, which may have no full name."""
    if user is None:
        return None
    full = user.get_full_name() if hasattr(user, "get_full_name") else ""
    return Name(key=str(user.pk), username=str(user.get_username()), full_name=str(full or ""))


def kept(
    origin: Mapping[str, Any] | None, user: Any = None, *, on_behalf_of: Any = None, via: Via | None = None
) -> Origin:
    """What was kept; of a row that is older than that, what is still known."""
    if origin is not None:
        return Origin.from_json(origin)
    return Origin(via=via, user=name_of(user), on_behalf_of=name_of(on_behalf_of))
