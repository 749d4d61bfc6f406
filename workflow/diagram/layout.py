"""Where everything stands: steps below each other on one axis (x = 0), jumps in lanes to the left and right.

With two columns at the most, every box has a side to the open, so a jump never has to cross another box; and
the picture stays narrow enough for a phone. All lengths are in pixels at natural size.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

from workflow.definition import Definition
from workflow.diagram.cards import ENTRIES, Card, Port
from workflow.diagram.parts import Way, leading_on

BOX = 156  # width of a box that has another beside it
BOX_ALONE = 230
COLUMNS = 2
COLUMN_GAP = 10
ROW_GAP = 10
FRAME_PADDING = 10
FRAME_HEADER = 34
STEP_GAP = 36
END_SIZE = 24
MARGIN = 8
LANE_START = 18
LANE_GAP = 12
LANES = 6  # on a side; jumps beyond that are not drawn through, only said
LANE_CLEARANCE = 12
ENTRY_TOP = 13
ENTRY_GAP = 9
STUB = 12


class Side(IntEnum):
    """Where a jump leaves, as the sign of its direction."""

    LEFT = -1
    RIGHT = 1


@dataclass(frozen=True, kw_only=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def edge(self, side: Side) -> float:
        """The x of that side."""
        return self.x if side is Side.LEFT else self.x + self.width


@dataclass(frozen=True, kw_only=True)
class Box:
    """A row's box. `open_to` are its sides that no other box stands at."""

    card: Card
    area: Rectangle
    open_to: tuple[Side, ...]

    def side_of(self, port: Port) -> Side:
        """Where a port leads out: back on the left and on to the right, unless another box stands there."""
        wanted = Side.RIGHT if port.jump is not None and not port.jump.back else Side.LEFT
        return wanted if wanted in self.open_to else self.open_to[0]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step: one box, or a frame around several."""

    sequence: int
    area: Rectangle
    boxes: tuple[Box, ...]

    @property
    def framed(self) -> bool:
        """Whether there is a frame, or just the box."""
        return len(self.boxes) > 1


@dataclass(frozen=True, kw_only=True)
class Exit:
    """Where a jump leaves its box."""

    box: Box
    port: Port
    side: Side
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Wire:
    """All jumps of one way, on one side, to one step. They share a lane, and where they arrive (`y`)."""

    way: Way
    side: Side
    step: Step
    exits: tuple[Exit, ...]
    lane: int = 0
    y: float = 0

    @property
    def end(self) -> float:
        """The x where it arrives."""
        return self.step.area.edge(self.side)

    @cached_property
    def span(self) -> tuple[float, float]:
        """The heights between which it takes up its lane."""
        heights = [leaving.y for leaving in self.exits]
        return min(self.step.area.y, *heights), max(self.step.area.y + ENTRIES, *heights)

    @cached_property
    def length(self) -> float:
        low, high = self.span
        return high - low


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """Straight down, from a step to what comes next."""

    top: float
    bottom: float


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The whole picture. `stubs` are jumps that are not drawn through: no such step, or no lane left."""

    steps: tuple[Step, ...]
    arrows: tuple[Arrow, ...]
    wires: tuple[Wire, ...]
    stubs: tuple[Exit, ...]
    end: float | None  # top of the end mark

    @property
    def boxes(self) -> Iterator[Box]:
        for step in self.steps:
            yield from step.boxes

    @cached_property
    def widest(self) -> float:
        """Half the width of the steps, which the lanes stand beside."""
        return max((step.area.width for step in self.steps), default=BOX_ALONE) / 2

    def lane_x(self, wire: Wire) -> float:
        return wire.side * (self.widest + LANE_START + wire.lane * LANE_GAP)

    def reach(self, side: Side) -> float:
        """How far the picture reaches on that side, without a margin."""
        lanes = [abs(self.lane_x(wire)) for wire in self.wires if wire.side is side]
        stubs = [abs(stub.x) + STUB for stub in self.stubs if stub.side is side]
        return max([self.widest, *lanes, *stubs])

    @cached_property
    def area(self) -> Rectangle:
        """The picture's own room."""
        left, right = self.reach(Side.LEFT) + MARGIN, self.reach(Side.RIGHT) + MARGIN
        last = max((step.area.bottom for step in self.steps), default=STEP_GAP + MARGIN + END_SIZE)
        bottom = last if self.end is None else self.end + END_SIZE
        return Rectangle(x=-left, y=0, width=left + right, height=bottom + MARGIN)


def box_width(rows: int) -> float:
    """How wide a box is in a step of so many rows."""
    return BOX_ALONE if rows == 1 else BOX


def lay_out(definition: Definition, cards: Sequence[Card]) -> Layout:
    """The picture of a definition whose rows say what `cards` hold, in the order of its rows."""
    steps = tuple(_steps(definition, cards))
    on = leading_on(definition)
    end = steps[-1].area.bottom + STEP_GAP if steps and steps[-1].sequence in on else None
    exits = tuple(leaving for step in steps for box in step.boxes for leaving in _exits(box))
    wires = _in_lanes(_wires(exits, {step.sequence: step for step in steps}))
    drawn = {id(leaving) for wire in wires for leaving in wire.exits}
    return Layout(
        steps=steps,
        arrows=tuple(_arrows(steps, on, end)),
        wires=tuple(_with_entries(wires)),
        stubs=tuple(leaving for leaving in exits if id(leaving) not in drawn),
        end=end,
    )


def _steps(definition: Definition, cards: Sequence[Card]) -> Iterator[Step]:
    y: float = MARGIN + END_SIZE + STEP_GAP
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
    height = max(box.area.bottom for box in boxes) + FRAME_PADDING - y
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


def _exits(box: Box) -> Iterator[Exit]:
    for number, port in enumerate(box.card.ports):
        if port.jump is not None:
            side = box.side_of(port)
            y = box.area.y + box.card.port_middle(number)
            yield Exit(box=box, port=port, side=side, x=box.area.edge(side), y=y)


def _wires(exits: Iterable[Exit], steps: Mapping[int, Step]) -> list[Wire]:
    shared: dict[tuple[Side, Way, int], list[Exit]] = {}
    for leaving in exits:
        jump = leaving.port.jump
        if jump is not None and jump.exists:
            shared.setdefault((leaving.side, jump.way, jump.target), []).append(leaving)
    return [
        Wire(way=way, side=side, step=steps[target], exits=tuple(group))
        for (side, way, target), group in shared.items()
    ]


def _in_lanes(wires: Iterable[Wire]) -> list[Wire]:
    """The short ones inside, so that few cross; those for which no lane is left are left out."""
    taken: dict[tuple[Side, int], list[Wire]] = {}
    placed = []
    for wire in sorted(wires, key=lambda wire: (wire.length, wire.span, wire.way.value)):
        free = (lane for lane in range(LANES) if not _meets(wire, taken.get((wire.side, lane), ())))
        if (lane := next(free, None)) is not None:
            taken.setdefault((wire.side, lane), []).append(wire)
            placed.append(replace(wire, lane=lane))
    return placed


def _meets(wire: Wire, others: Iterable[Wire]) -> bool:
    low, high = wire.span
    return any(low < other.span[1] + LANE_CLEARANCE and other.span[0] < high + LANE_CLEARANCE for other in others)


def _with_entries(wires: Sequence[Wire]) -> Iterator[Wire]:
    """Those that arrive at the same side of a step get heights of their own, in the order that crosses least."""
    arriving: dict[tuple[int, Side], list[Wire]] = {}
    for wire in wires:
        arriving.setdefault((wire.step.sequence, wire.side), []).append(wire)
    for group in arriving.values():
        for slot, wire in enumerate(sorted(group, key=_entry_order)):
            yield replace(wire, y=wire.step.area.y + ENTRY_TOP + slot * ENTRY_GAP)


def _entry_order(wire: Wire) -> tuple[bool, int]:
    from_below = wire.exits[-1].y > wire.step.area.y
    return from_below, -wire.lane if from_below else wire.lane


def _arrows(steps: Sequence[Step], on: frozenset[int], end: float | None) -> Iterator[Arrow]:
    if steps:
        yield Arrow(top=MARGIN + END_SIZE, bottom=steps[0].area.y)
    for step, following in zip(steps, steps[1:], strict=False):
        if step.sequence in on:
            yield Arrow(top=step.area.bottom, bottom=following.area.y)
    if end is not None:
        yield Arrow(top=steps[-1].area.bottom, bottom=end)
