"""Draws a row's box, and what its card says."""

from xml.etree.ElementTree import Element, SubElement

from workflow.diagram import shapes
from workflow.diagram.cards import (
    CONDITION_PADDING,
    ICON,
    ICON_GAP,
    MONO,
    NAME,
    NAME_LINE,
    PADDING,
    SMALL_LINE,
    SMALL_SCALE,
    Note,
    Port,
)
from workflow.diagram.parts import Kind, Mark
from workflow.diagram.places import Box, Side
from workflow.language import gettext as _

PAPER = "Canvas"  # what is behind the picture, for a page without the stylesheet
SIDE = 5  # of a sub-process: how far its second outline stands from the first
CORNERS = {Kind.MANUAL: 16, Kind.CODE: 2, Kind.SUBPROCESS: 2, Kind.EMPTY: 2, Kind.UNKNOWN: 2}
OUTLINES = {Kind.MANUAL: "none", Kind.CODE: "none", Kind.SUBPROCESS: "none", Kind.EMPTY: "5 3", Kind.UNKNOWN: "5 3"}


def draw(parent: Element, box: Box, *, hint: str, mark: Mark | None, problem: bool) -> None:
    """The box; `hint` is what it says on hovering."""
    card = box.card
    states = [*([f"mark-{mark.value}"] if mark else []), *(["problem"] if problem else [])]
    drawn = shapes.group(parent, "row", card.kind.value, *states, **{"data-row": str(card.index)})
    SubElement(drawn, "title").text = hint
    paint = shapes.stroke(1.5, dashes=OUTLINES[card.kind], fill=PAPER)
    shapes.rectangle(drawn, box.area, "box", paint, radius=CORNERS[card.kind])
    if card.kind is Kind.SUBPROCESS:
        _draw_sides(drawn, box)
    if card.condition:
        _draw_condition(drawn, box)
    _draw_name(drawn, box)
    if problem:
        _draw_warning(drawn, box)
    for number, note in enumerate(card.notes):
        _draw_note(drawn, box, note, y=box.area.y + card.notes_top + number * SMALL_LINE)
    for number, port in enumerate(card.ports):
        _draw_port(drawn, box, port, middle=box.area.y + card.port_middle(number))


def _draw_sides(parent: Element, box: Box) -> None:
    """A second line at both sides: the sign for a process within a process, as flow charts have it."""
    edges = (box.area.edge(Side.LEFT) + SIDE, box.area.edge(Side.RIGHT) - SIDE)
    lines = [shapes.points((x, box.area.y), (x, box.area.bottom)) for x in edges]
    shapes.path(parent, "".join(f"M{line}" for line in lines), "sides", shapes.stroke(1))


def _draw_condition(parent: Element, box: Box) -> None:
    strip = shapes.group(parent, "condition")
    for number, line in enumerate(box.card.condition):
        middle = box.area.y + CONDITION_PADDING + (number + 0.5) * SMALL_LINE
        shapes.text(strip, line, (box.area.x + PADDING, middle), font=MONO, name="code-text")
    y = box.area.y + box.card.condition_height
    below = shapes.points((box.area.edge(Side.LEFT), y), (box.area.edge(Side.RIGHT), y))
    shapes.path(strip, f"M{below}", "line", shapes.stroke(1, dashes="3 3"))


def _draw_name(parent: Element, box: Box) -> None:
    top = box.area.y + box.card.condition_height + PADDING
    shapes.icon(parent, box.card.kind.value, x=box.area.x + PADDING, y=top)
    for number, line in enumerate(box.card.name):
        middle = top + (number + 0.5) * NAME_LINE
        shapes.text(parent, line, (box.area.x + PADDING + ICON + ICON_GAP, middle), font=NAME, name="name")


def _draw_warning(parent: Element, box: Box) -> None:
    sign = shapes.group(parent, "warning")
    y = box.area.y + box.card.condition_height + PADDING
    shapes.icon(sign, "warning", x=box.area.edge(Side.RIGHT) - PADDING - ICON, y=y)


def _draw_note(parent: Element, box: Box, note: Note, *, y: float) -> None:
    drawn = shapes.group(parent, note.style)
    x = box.area.x + PADDING
    if note.icon:
        shapes.icon(drawn, note.icon, x=x, y=y + 2, scale=SMALL_SCALE)
        x += ICON
    shapes.text(drawn, note.text, (x, y + SMALL_LINE / 2))


def _draw_port(parent: Element, box: Box, port: Port, *, middle: float) -> None:
    side = box.side_of(port)
    x, anchor = box.area.edge(side) - side * PADDING, "start" if side is Side.LEFT else "end"
    drawn = shapes.group(parent, "port" if port.jump else "note")
    shapes.text(drawn, port.text, (x, middle), anchor=anchor)
    if port.missing:
        below = shapes.group(parent, "warning")
        left = x if side is Side.LEFT else x - ICON * SMALL_SCALE
        shapes.icon(below, "warning", x=left, y=middle + SMALL_LINE / 2 + 2, scale=SMALL_SCALE)
        shapes.text(below, _("no such step"), (x - side * ICON, middle + SMALL_LINE), anchor=anchor)
