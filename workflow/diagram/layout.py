"""Where everything stands: steps below each other on one axis, jumps in lanes to the left and right of them.

With two columns at the most, every box has a side to the open, so a jump never has to cross another box; and
the picture stays narrow enough for a phone. All lengths are in pixels at natural size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from workflow.definition import Definition
from workflow.diagram.cards import Card
from workflow.diagram.lanes import Exit, Wire, exits_of, route
from workflow.diagram.parts import leading_on
from workflow.diagram.places import Box, Rectangle, Side, Step

BOX = 156  # width of a box that has another beside it
BOX_ALONE = 230
COLUMNS = 2
COLUMN_GAP = 10
ROW_GAP = 10
FRAME_PADDING = 10
FRAME_HEADER = 34
STEP_GAP = 36
TERMINAL = 24  # height of the marks of start and end
MARGIN = 8
LANE_START = 18
LANE_GAP = 12
STUB = 12


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """Straight down, from a step to what comes next."""

    top: float
    bottom: float


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The whole picture. `stubs` are jumps that are not drawn through: no such step, or no lane left.

    `end` is the top of the end's mark; `None` where no step leads there.
    """

    steps: tuple[Step, ...]
    arrows: tuple[Arrow, ...]
    wires: tuple[Wire, ...]
    stubs: tuple[Exit, ...]
    end: float | None

    @cached_property
    def area(self) -> Rectangle:
        """The room that the picture takes, with a margin."""
        left, right = self._reach(Side.LEFT) + MARGIN, self._reach(Side.RIGHT) + MARGIN
        return Rectangle(x=-left, y=0, width=left + right, height=self._bottom + MARGIN)

    def lane_x(self, wire: Wire) -> float:
        """Where the wire's lane runs."""
        return wire.side * (self._widest + LANE_START + wire.lane * LANE_GAP)

    def _reach(self, side: Side) -> float:
        lanes = [abs(self.lane_x(wire)) for wire in self.wires if wire.side is side]
        stubs = [abs(stub.x) + STUB for stub in self.stubs if stub.side is side]
        return max([self._widest, *lanes, *stubs])

    @cached_property
    def _widest(self) -> float:
        return max((step.area.width for step in self.steps), default=BOX_ALONE) / 2

    @cached_property
    def _bottom(self) -> float:
        if self.end is not None:
            return self.end + TERMINAL
        return self.steps[-1].area.bottom if self.steps else MARGIN + 2 * TERMINAL


def box_width(rows: int) -> float:
    """How wide a box is in a step of so many rows."""
    return BOX_ALONE if rows == 1 else BOX


def lay_out(definition: Definition, cards: Sequence[Card]) -> Layout:
    """The picture of a definition whose rows say what `cards` hold, in the order of its rows."""
    steps = tuple(_steps(definition, cards))
    on = leading_on(definition)
    end = steps[-1].area.bottom + STEP_GAP if steps and steps[-1].sequence in on else None
    exits = [leaving for step in steps for box in step.boxes for leaving in exits_of(box)]
    wires = route(exits, {step.sequence: step for step in steps})
    drawn = {id(leaving) for wire in wires for leaving in wire.exits}
    return Layout(
        steps=steps,
        arrows=tuple(_arrows(steps, on, end)),
        wires=wires,
        stubs=tuple(leaving for leaving in exits if id(leaving) not in drawn),
        end=end,
    )


def _steps(definition: Definition, cards: Sequence[Card]) -> Iterator[Step]:
    y: float = MARGIN + TERMINAL + STEP_GAP
    for sequence in definition.sequences:
        step = _step(sequence, [cards[index] for index in definition.step(sequence)], y)
        y = step.area.bottom + STEP_GAP
        yield step


def _step(sequence: int, cards: Sequence[Card], y: float) -> Step:
    if len(cards) == 1:
        (card,) = cards
        area = Rectangle(x=-card.width / 2, y=y, width=card.width, height=card.height)
        return Step(sequence=sequence, area=area, boxes=(Box(card=card, area=area, open_to=tuple(Side)),))
    boxes = tuple(_grid(cards, y + FRAME_HEADER))
    width = COLUMNS * BOX + (COLUMNS - 1) * COLUMN_GAP + 2 * FRAME_PADDING
    height = boxes[-1].area.bottom + FRAME_PADDING - y
    return Step(sequence=sequence, area=Rectangle(x=-width / 2, y=y, width=width, height=height), boxes=boxes)


def _grid(cards: Sequence[Card], y: float) -> Iterator[Box]:
    for start in range(0, len(cards), COLUMNS):
        line = cards[start : start + COLUMNS]
        height = max(card.height for card in line)
        x = -(len(line) * BOX + (len(line) - 1) * COLUMN_GAP) / 2
        for column, card in enumerate(line):
            area = Rectangle(x=x + column * (BOX + COLUMN_GAP), y=y, width=BOX, height=height)
            yield Box(card=card, area=area, open_to=_open_to(column, len(line)))
        y += height + ROW_GAP


def _open_to(column: int, columns: int) -> tuple[Side, ...]:
    if columns == 1:
        return tuple(Side)
    return (Side.LEFT,) if column == 0 else (Side.RIGHT,)


def _arrows(steps: Sequence[Step], on: frozenset[int], end: float | None) -> Iterator[Arrow]:
    if steps:
        yield Arrow(top=MARGIN + TERMINAL, bottom=steps[0].area.y)
    for step, following in pairwise(steps):
        if step.sequence in on:
            yield Arrow(top=step.area.bottom, bottom=following.area.y)
    if end is not None:
        yield Arrow(top=steps[-1].area.bottom, bottom=end)
