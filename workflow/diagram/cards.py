"""What each row's box says, and how much room that takes. All lengths are in pixels at natural size."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from workflow.definition import Definition, Row
from workflow.diagram.parts import DECIDED, Jump, Kind, Mark, Way, deciders, jumps, kind_of, task_of, time_out
from workflow.diagram.text import Font, clean, shorten, wrap
from workflow.diagram.words import ends_when_rejected
from workflow.language import gettext as _
from workflow.language import gettext_noop

NAME = Font(14, bold=True)
SMALL = Font(12)
MONO = Font(12, mono=True)

PADDING = 10
ICON = 16
ICON_GAP = 7
SMALL_SCALE = 0.8  # of an icon beside small text
NAME_LINE = 18
NAME_GAP = 2
SMALL_LINE = 17
CONDITION_PADDING = 5
NAME_LINES = 3
CONDITION_LINES = 2

NO_WORK = {Kind.EMPTY: gettext_noop("no work yet"), Kind.UNKNOWN: gettext_noop("no such task")}


@dataclass(frozen=True, kw_only=True)
class Note:
    """A line of small text with an icon before it."""

    text: str
    icon: str
    style: str = "note"


@dataclass(frozen=True, kw_only=True)
class Port:
    """The line of a box that says where it leads. `jump` is `None` where a rejection is the end."""

    way: Way
    jump: Jump | None
    text: str

    @property
    def missing(self) -> bool:
        """Whether the step that it leads to does not exist."""
        return self.jump is not None and not self.jump.exists

    @property
    def height(self) -> float:
        """A missing step takes a second line to say so."""
        return SMALL_LINE * (2 if self.missing else 1)


@dataclass(frozen=True, kw_only=True)
class Card:
    """What one row's box says, wrapped to its width."""

    index: int
    kind: Kind
    width: float
    condition: tuple[str, ...]
    name: tuple[str, ...]
    notes: tuple[Note, ...]
    ports: tuple[Port, ...]

    @cached_property
    def condition_height(self) -> float:
        """The strip at the top; nothing where the row is not conditional."""
        return len(self.condition) * SMALL_LINE + 2 * CONDITION_PADDING if self.condition else 0

    @cached_property
    def notes_top(self) -> float:
        """From the box's top to the notes below the name."""
        return self.condition_height + PADDING + len(self.name) * NAME_LINE + NAME_GAP

    @cached_property
    def ports_top(self) -> float:
        """From the box's top to the first port, below the notes."""
        return self.notes_top + len(self.notes) * SMALL_LINE

    @cached_property
    def height(self) -> float:
        """The least that holds everything."""
        return self.ports_top + sum(port.height for port in self.ports) + PADDING

    def port_middle(self, port: int) -> float:
        """From the box's top to the middle of that port's first line, where its jump leaves."""
        return self.ports_top + sum(above.height for above in self.ports[:port]) + SMALL_LINE / 2


def card(
    definition: Definition, index: int, *, width: float, mark: Mark | None, problem: bool, decided_by: str = ""
) -> Card:
    """The box's text. `problem` leaves room for the sign that warns of a mistake."""
    row = definition.rows[index]
    task = task_of(definition, row)
    inside = width - 2 * PADDING
    beside_icons = inside - (ICON + ICON_GAP) * (2 if problem else 1)
    return Card(
        index=index,
        kind=kind_of(task),
        width=width,
        condition=_condition(row, inside),
        name=wrap(row.task, font=NAME, width=beside_icons, lines=NAME_LINES) or (_("(no task)"),),
        notes=tuple(_notes(definition, row, width=inside, mark=mark, decided_by=decided_by)),
        ports=tuple(_ports(definition, row, width=inside)),
    )


def _condition(row: Row, width: float) -> tuple[str, ...]:
    word = _("if") + " "
    lines = wrap(row.condition, font=MONO, width=width - MONO.width(word), lines=CONDITION_LINES)
    return tuple(line if number else word + line for number, line in enumerate(lines))


def _notes(definition: Definition, row: Row, *, width: float, mark: Mark | None, decided_by: str) -> Iterator[Note]:
    task = task_of(definition, row)
    kind = kind_of(task)
    if mark is not None:
        yield Note(text=_(mark.value), icon=mark.value, style="status")
    if kind in NO_WORK:
        yield Note(text=_(NO_WORK[kind]), icon="warning", style="warning")
    if task is not None and kind is Kind.MANUAL:
        # Of what is decided, whom it had asked would read as who did it.
        who = clean(decided_by) if mark in DECIDED else deciders(task)
        if who:
            yield Note(text=shorten(_("by %(who)s") % {"who": who}, font=SMALL, width=width), icon="")
    if task is not None and kind is Kind.SUBPROCESS:
        yield Note(
            text=shorten(_("runs %(process)s") % {"process": clean(task.subprocess)}, font=SMALL, width=width), icon=""
        )
    if limit := time_out(task):
        yield Note(text=shorten(_("within %(limit)s") % {"limit": limit}, font=SMALL, width=width), icon="timeout")
    if row.ends_step:
        yield Note(text=_("ends the step"), icon="flag")


def _ports(definition: Definition, row: Row, *, width: float) -> Iterator[Port]:
    for jump in jumps(definition, row):
        yield _port(jump.way, jump, width)
    if ends_when_rejected(definition, row):
        yield _port(Way.REJECTED, None, width)


def _port(way: Way, jump: Jump | None, width: float) -> Port:
    target = _("end") if jump is None else jump.target
    words = f"{_(way.value)} → {target}"
    return Port(way=way, jump=jump, text=shorten(words, font=SMALL, width=width))
