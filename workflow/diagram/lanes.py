"""Which way jumps take beside the steps: each in a lane of its own, so that no two lie on each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from workflow.diagram.cards import Port
from workflow.diagram.parts import Way
from workflow.diagram.places import Box, Side, Step

LANES = 6  # on a side: with more, the picture gets too small to read on a phone
CLEARANCE = 12  # between two wires that follow each other in a lane
ENTRY_TOP = 13
ENTRY_GAP = 9
ENTRIES = 36  # the top of a step, where jumps arrive: below it stand the ports, from which they leave


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

    @property
    def length(self) -> float:
        """How much of its lane it takes up."""
        low, high = self.span
        return high - low


def exits_of(box: Box) -> Iterator[Exit]:
    """Where the box's jumps leave it, those to steps that do not exist included."""
    for number, port in enumerate(box.card.ports):
        if port.jump is not None:
            side = box.side_of(port)
            y = box.area.y + box.card.port_middle(number)
            yield Exit(box=box, port=port, side=side, x=box.area.edge(side), y=y)


def route(exits: Iterable[Exit], steps: Mapping[int, Step]) -> tuple[Wire, ...]:
    """Wires for all jumps that a lane is left for and whose step exists."""
    return tuple(_with_entries(_in_lanes(_wires(exits, steps))))


def _wires(exits: Iterable[Exit], steps: Mapping[int, Step]) -> Iterator[Wire]:
    shared: dict[tuple[Side, Way, int], list[Exit]] = {}
    for leaving in exits:
        jump = leaving.port.jump
        if jump is not None and jump.exists:
            shared.setdefault((leaving.side, jump.way, jump.target), []).append(leaving)
    for (side, way, target), group in shared.items():
        yield Wire(way=way, side=side, step=steps[target], exits=tuple(group))


def _in_lanes(wires: Iterable[Wire]) -> list[Wire]:
    """The short ones inside, so that few cross; without those for which no lane is left."""
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
    return any(low < other.span[1] + CLEARANCE and other.span[0] < high + CLEARANCE for other in others)


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
