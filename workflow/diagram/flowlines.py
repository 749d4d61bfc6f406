"""Draws what lies below the boxes: start and end, the arrows from step to step, the wires of jumps."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from workflow.diagram import shapes
from workflow.diagram.lanes import Exit, Wire
from workflow.diagram.layout import MARGIN, STUB, TERMINAL, Arrow, Layout
from workflow.diagram.parts import Way
from workflow.language import gettext as _
from workflow.language import pgettext

DASHES = {Way.THEN: "none", Way.REJECTED: "7 4", Way.ERROR: "1.5 4"}
WIRE = 1.8  # width of the line
TURN = 6  # radius of its corners


def draw(root: Element, layout: Layout) -> None:
    """All of them, in order from the start."""
    _draw_start(root, empty=not layout.steps)
    for arrow in layout.arrows:
        _draw_arrow(root, arrow)
    for wire in layout.wires:
        _draw_wire(root, wire, lane=layout.lane_x(wire))
    for stub in layout.stubs:
        _draw_stub(root, stub)
    if layout.end is not None:
        _draw_end(root, layout.end)


def _draw_start(root: Element, *, empty: bool) -> None:
    middle = MARGIN + TERMINAL / 2
    mark = shapes.group(root, "terminal")
    shapes.dot(mark, x=0, y=middle, radius=TERMINAL / 2 - 3)
    shapes.text(mark, pgettext("in a diagram", "Start"), (TERMINAL / 2 + 4, middle))
    if empty:
        shapes.text(mark, _("No steps yet"), (0, middle + TERMINAL), anchor="middle")


def _draw_end(root: Element, top: float) -> None:
    middle = top + TERMINAL / 2
    mark = shapes.group(root, "terminal")
    shapes.ring(mark, x=0, y=middle, radius=TERMINAL / 2 - 1)
    shapes.dot(mark, x=0, y=middle, radius=TERMINAL / 2 - 6)
    shapes.text(mark, pgettext("in a diagram", "End"), (TERMINAL / 2 + 6, middle))


def _draw_arrow(root: Element, arrow: Arrow) -> None:
    drawn = shapes.group(root, "edge", "next")
    line = f"M0 {shapes.number(arrow.top)}V{shapes.number(arrow.bottom - shapes.HEAD / 2)}"
    shapes.path(drawn, line, "line", shapes.stroke(1.5))
    shapes.head(drawn, x=0, y=arrow.bottom, direction=(0, 1))


def _draw_wire(root: Element, wire: Wire, *, lane: float) -> None:
    """The farthest jump from below and from above are drawn through; those between join them."""
    drawn = shapes.group(root, "edge", wire.way.value, **{"data-to": str(wire.step.sequence)})
    farthest = list(_farthest(wire))
    for number, leaving in enumerate(farthest):
        _draw_line(drawn, wire.way, _route(wire, leaving, lane=lane, whole=number == 0))
    for leaving in wire.exits:
        if leaving not in farthest:
            _draw_line(drawn, wire.way, f"M{shapes.points((leaving.x, leaving.y), (lane, leaving.y))}")
            shapes.dot(drawn, x=lane, y=leaving.y, radius=3)
    if len(farthest) > 1:
        shapes.dot(drawn, x=lane, y=wire.y, radius=3)
    shapes.head(drawn, x=wire.end, y=wire.y, direction=(-wire.side, 0))


def _farthest(wire: Wire) -> Iterator[Exit]:
    below = [leaving for leaving in wire.exits if leaving.y > wire.y]
    above = [leaving for leaving in wire.exits if leaving.y < wire.y]
    if below:
        yield max(below, key=lambda leaving: leaving.y)
    if above:
        yield min(above, key=lambda leaving: leaving.y)


def _route(wire: Wire, leaving: Exit, *, lane: float, whole: bool) -> str:
    """Out to the lane, along it, and, where `whole`, in to the step."""
    beside = lane - wire.side * TURN
    turn = TURN if wire.y > leaving.y else -TURN
    out = f"M{shapes.points((leaving.x, leaving.y), (beside, leaving.y))}"
    along = f"{_bend(lane, leaving.y)} {shapes.points((lane, leaving.y + turn))}"
    if not whole:
        return f"{out}{along}L{shapes.points((lane, wire.y))}"
    arrival = shapes.points((wire.end + wire.side * shapes.HEAD / 2, wire.y))
    back = f"L{shapes.points((lane, wire.y - turn))}{_bend(lane, wire.y)} {shapes.points((beside, wire.y))}"
    return f"{out}{along}{back}L{arrival}"


def _bend(x: float, y: float) -> str:
    return f"Q{shapes.points((x, y))}"


def _draw_stub(root: Element, stub: Exit) -> None:
    drawn = shapes.group(root, "edge", "stub", stub.port.way.value)
    end = stub.x + stub.side * STUB
    shapes.path(drawn, f"M{shapes.points((stub.x, stub.y), (end, stub.y))}", "line", shapes.stroke(1.5))
    if stub.port.missing:
        shapes.path(drawn, f"M{shapes.points((end - 4, stub.y - 4))}l8 8m0 -8l-8 8", "cross", shapes.stroke(2))
    else:
        shapes.head(drawn, x=end, y=stub.y, direction=(stub.side, 0))


def _draw_line(parent: Element, way: Way, shape: str) -> None:
    shapes.path(parent, shape, "line", shapes.stroke(WIRE, dashes=DASHES[way]), stroke_linecap="round")
