"""Writes the picture as SVG. Everything is an element or an attribute, so whatever a draft holds is escaped."""

from collections.abc import Collection, Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from workflow.definition import Definition
from workflow.diagram import icons
from workflow.diagram.cards import (
    CONDITION_PADDING,
    ICON,
    ICON_GAP,
    MONO,
    NAME,
    NAME_LINE,
    PADDING,
    SMALL,
    SMALL_LINE,
    Card,
    Note,
    Port,
    card,
)
from workflow.diagram.layout import (
    END_SIZE,
    MARGIN,
    STUB,
    Arrow,
    Box,
    Exit,
    Layout,
    Rectangle,
    Side,
    Step,
    Wire,
    box_width,
    lay_out,
)
from workflow.diagram.links import is_safe
from workflow.diagram.parts import Kind, Mark, Way
from workflow.diagram.text import Font
from workflow.diagram.words import NO_MARKS, describe, row_words, title

NO_LINKS: Mapping[int, str] = {}
DASHES = {Way.THEN: "none", Way.REJECTED: "7 4", Way.ERROR: "1.5 4"}
CORNERS = {Kind.MANUAL: 16, Kind.CODE: 2, Kind.EMPTY: 2, Kind.UNKNOWN: 2}
TURN = 6  # radius of a wire's corners
HEAD = 8  # length of an arrow's head
ASCENT = 0.35  # of the font's size: from the middle of a line of text down to its base line
BADGE = 20
PAPER = "Canvas"  # what is behind the picture, for a page without the stylesheet


def render(
    definition: Definition,
    *,
    marks: Mapping[int, Mark] = NO_MARKS,
    current: int | None = None,
    problems: Collection[int] = (),
    links: Mapping[int, str] = NO_LINKS,
) -> str:
    """The picture as one `<svg>` element, equal for equal arguments. Never raises for what a draft holds.

    `marks`, `problems` and `links` go by a row's index; `current` is the sequence number to point out. An address
    in `links` that could do more than open a page is left out.
    """
    cards = [
        card(
            definition,
            index,
            width=box_width(len(definition.step(row.sequence))),
            mark=marks.get(index),
            problem=index in problems,
        )
        for index, row in enumerate(definition.rows)
    ]
    safe = {index: address for index, address in links.items() if is_safe(address)}
    words = describe(definition, marks=marks, current=current, problems=problems)
    layout = lay_out(definition, cards)
    root = _root(definition, layout.area, words=words, linked=bool(safe))
    _draw_flow(root, layout)
    for step in layout.steps:
        group = _draw_step(root, step, current=step.sequence == current)
        for box in step.boxes:
            index = box.card.index
            problem = index in problems
            hint = row_words(definition, index, mark=marks.get(index), problem=problem)
            place = SubElement(group, "a", {"href": safe[index]}) if index in safe else group
            _draw_box(place, box, hint=hint, mark=marks.get(index), problem=problem)
        _draw_badge(group, step, current=step.sequence == current)
    return tostring(root, encoding="unicode")


def _root(definition: Definition, area: Rectangle, *, words: str, linked: bool) -> Element:
    name = f"workflow-diagram-{definition.digest[:12]}"
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "workflow-diagram",
            # The parts of an image can't be reached by a screen reader; links must be.
            "role": "group" if linked else "img",
            "aria-labelledby": f"{name}-title",
            "aria-describedby": f"{name}-desc",
            "viewBox": " ".join(map(_number, (area.x, area.y, area.width, area.height))),
            "width": _number(area.width),
            "height": _number(area.height),
            "fill": "none",
            "stroke": "none",
            "font-family": "system-ui, sans-serif",
            "font-size": _number(SMALL.size),
        },
    )
    SubElement(root, "title", {"id": f"{name}-title"}).text = title(definition)
    SubElement(root, "desc", {"id": f"{name}-desc"}).text = words
    return root


def _draw_flow(root: Element, layout: Layout) -> None:
    """What lies below the boxes: start and end, arrows, wires."""
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
    middle = MARGIN + END_SIZE / 2
    group = SubElement(root, "g", {"class": "terminal"})
    _circle(group, middle, radius=END_SIZE / 2 - 3, fill="currentColor")
    _text(group, "Start", x=END_SIZE / 2 + 4, middle=middle)
    if empty:
        _text(group, "No steps yet", x=0, middle=middle + END_SIZE, anchor="middle")


def _draw_end(root: Element, top: float) -> None:
    middle = top + END_SIZE / 2
    group = SubElement(root, "g", {"class": "terminal"})
    _circle(group, middle, radius=END_SIZE / 2 - 1, stroke="currentColor", **{"stroke-width": "2"})
    _circle(group, middle, radius=END_SIZE / 2 - 6, fill="currentColor")
    _text(group, "End", x=END_SIZE / 2 + 6, middle=middle)


def _draw_arrow(root: Element, arrow: Arrow) -> None:
    group = SubElement(root, "g", {"class": "edge next"})
    _path(group, f"M0 {_number(arrow.top)}V{_number(arrow.bottom - HEAD / 2)}", **_line(1.5))
    _head(group, x=0, y=arrow.bottom, direction=(0, 1))


def _draw_wire(root: Element, wire: Wire, *, lane: float) -> None:
    """The farthest jump from above and from below are drawn through; those between join them."""
    group = SubElement(root, "g", {"class": f"edge {wire.way.value}", "data-to": str(wire.step.sequence)})
    through = set()
    for far in _farthest(wire):
        through.add(far)
        _path(group, _route(wire, far, lane=lane, whole=len(through) == 1), **_dashed(wire.way))
    for leaving in wire.exits:
        if leaving not in through:
            _path(group, f"M{_number(leaving.x)} {_number(leaving.y)}H{_number(lane)}", **_dashed(wire.way))
            _join(group, x=lane, y=leaving.y)
    if len(through) > 1:
        _join(group, x=lane, y=wire.y)
    _head(group, x=wire.end, y=wire.y, direction=(-wire.side, 0))


def _farthest(wire: Wire) -> Iterable[Exit]:
    above = [leaving for leaving in wire.exits if leaving.y < wire.y]
    below = [leaving for leaving in wire.exits if leaving.y > wire.y]
    if below:
        yield max(below, key=lambda leaving: leaving.y)
    if above:
        yield min(above, key=lambda leaving: leaving.y)


def _route(wire: Wire, leaving: Exit, *, lane: float, whole: bool) -> str:
    """Out to the lane, along it, and, where `whole`, in to the step."""
    out, up = wire.side * TURN, TURN if wire.y > leaving.y else -TURN
    start = f"M{_number(leaving.x)} {_number(leaving.y)}H{_number(lane - out)}"
    turn = f"Q{_number(lane)} {_number(leaving.y)} {_number(lane)} {_number(leaving.y + up)}"
    if not whole:
        return f"{start}{turn}V{_number(wire.y)}"
    back = f"V{_number(wire.y - up)}Q{_number(lane)} {_number(wire.y)} {_number(lane - out)} {_number(wire.y)}"
    return f"{start}{turn}{back}H{_number(wire.end + wire.side * HEAD / 2)}"


def _draw_stub(root: Element, stub: Exit) -> None:
    group = SubElement(root, "g", {"class": f"edge {stub.port.way.value} stub"})
    end = stub.x + stub.side * STUB
    _path(group, f"M{_number(stub.x)} {_number(stub.y)}H{_number(end)}", **_line(1.5))
    if stub.port.missing:
        _path(group, f"M{_number(end - 4)} {_number(stub.y - 4)}l8 8m0 -8l-8 8", **_line(2))
    else:
        _head(group, x=end, y=stub.y, direction=(stub.side, 0))


def _draw_step(root: Element, step: Step, *, current: bool) -> Element:
    group = SubElement(root, "g", {"class": "step current" if current else "step", "data-step": str(step.sequence)})
    if step.framed:
        _rectangle(group, step.area, kind="frame", radius=10, fill="none", **_line(1))
        _text(group, _together(step), x=0, middle=step.area.y + 20, anchor="middle", kind="quiet")
    if current:
        _rectangle(group, _around(step.area, 5), kind="here", radius=18, fill="none", **_line(3))
    return group


def _together(step: Step) -> str:
    return f"{len(step.boxes)} tasks together"


def _draw_badge(group: Element, step: Step, *, current: bool) -> None:
    """The step's number, on top of it; it covers none of its text."""
    text = f"{step.sequence} · now" if current else str(step.sequence)
    width = SMALL.width(text) * 1.1 + 12
    area = Rectangle(x=step.area.x + 14, y=step.area.y + 3 - BADGE, width=width, height=BADGE)
    badge = SubElement(group, "g", {"class": "badge"})
    _rectangle(badge, area, kind="plate", radius=BADGE / 2, fill=PAPER, **_line(1))
    _text(badge, text, x=area.x + width / 2, middle=area.y + BADGE / 2, anchor="middle", kind="number")


def _draw_box(parent: Element, box: Box, *, hint: str, mark: Mark | None, problem: bool) -> None:
    drawn = box.card
    classes = ["row", drawn.kind.value, *([f"mark-{mark.value}"] if mark else []), *(["problem"] if problem else [])]
    group = SubElement(parent, "g", {"class": " ".join(classes), "data-row": str(drawn.index)})
    SubElement(group, "title").text = hint
    dash = "5 3" if drawn.kind in (Kind.EMPTY, Kind.UNKNOWN) else "none"
    _rectangle(
        group, box.area, kind="box", radius=CORNERS[drawn.kind], fill=PAPER, **_line(1.5), **{"stroke-dasharray": dash}
    )
    _draw_condition(group, box)
    _draw_name(group, box)
    if problem:
        right = box.area.edge(Side.RIGHT) - PADDING - ICON
        _icon(group, "warning", x=right, y=box.area.y + drawn.condition_height + PADDING)
    for number, note in enumerate(drawn.notes):
        _draw_note(group, box, note, y=box.area.y + drawn.notes_top + number * SMALL_LINE)
    for number, port in enumerate(drawn.ports):
        _draw_port(group, box, port, middle=box.area.y + drawn.port_middle(number))


def _draw_condition(group: Element, box: Box) -> None:
    if not box.card.condition:
        return
    bottom = box.area.y + box.card.condition_height
    for number, line in enumerate(box.card.condition):
        middle = box.area.y + CONDITION_PADDING + (number + 0.5) * SMALL_LINE
        _text(group, line, x=box.area.x + PADDING, middle=middle, kind="condition", font=MONO)
    _path(
        group,
        f"M{_number(box.area.x)} {_number(bottom)}H{_number(box.area.edge(Side.RIGHT))}",
        **_line(1),
        **{"stroke-dasharray": "3 3"},
    )


def _draw_name(group: Element, box: Box) -> None:
    top = box.area.y + box.card.condition_height + PADDING
    _icon(group, box.card.kind.value, x=box.area.x + PADDING, y=top)
    for number, line in enumerate(box.card.name):
        middle = top + (number + 0.5) * NAME_LINE
        _text(group, line, x=box.area.x + PADDING + ICON + ICON_GAP, middle=middle, kind="name", font=NAME)


def _draw_note(group: Element, box: Box, note: Note, *, y: float) -> None:
    x = box.area.x + PADDING
    part = SubElement(group, "g", {"class": note.style})
    if note.icon:
        _icon(part, note.icon, x=x, y=y + 2, scale=0.8)
        x += ICON
    _text(part, note.text, x=x, middle=y + SMALL_LINE / 2)


def _draw_port(group: Element, box: Box, port: Port, *, middle: float) -> None:
    side = box.side_of(port)
    x, anchor = box.area.edge(side) - side * PADDING, "start" if side is Side.LEFT else "end"
    part = SubElement(group, "g", {"class": f"port {port.way.value}"})
    _text(part, port.text, x=x, middle=middle, anchor=anchor)
    if port.missing:
        below = SubElement(group, "g", {"class": "warning"})
        _icon(below, "warning", x=x if side is Side.LEFT else x - ICON + 3, y=middle + SMALL_LINE / 2 + 2, scale=0.8)
        _text(below, "no such step", x=x - side * ICON, middle=middle + SMALL_LINE, anchor=anchor)


def _text(
    parent: Element,
    text: str,
    *,
    x: float,
    middle: float,
    anchor: str = "start",
    kind: str = "",
    font: Font = SMALL,
) -> None:
    attributes = {"x": _number(x), "y": _number(middle + font.size * ASCENT), "fill": "currentColor"}
    if anchor != "start":
        attributes["text-anchor"] = anchor
    if kind:
        attributes["class"] = kind
    if font.size != SMALL.size:
        attributes["font-size"] = _number(font.size)
    if font.bold:
        attributes["font-weight"] = "600"
    if font.mono:
        attributes["font-family"] = "ui-monospace, monospace"
    SubElement(parent, "text", attributes).text = text


def _icon(parent: Element, name: str, *, x: float, y: float, scale: float = 1) -> None:
    size = "" if scale == 1 else f" scale({_number(scale)})"
    place = {"class": "icon", "transform": f"translate({_number(x)} {_number(y)}){size}"}
    _path(parent, icons.PATHS[name], **place, **_line(1.5), **{"stroke-linejoin": "round", "stroke-linecap": "round"})


def _head(parent: Element, *, x: float, y: float, direction: tuple[int, int]) -> None:
    """An arrow's head whose tip is at (x, y)."""
    along, across = direction
    back_x, back_y = x - HEAD * along, y - HEAD * across
    half = HEAD / 2
    points = [
        (x, y),
        (back_x - half * across, back_y - half * along),
        (back_x + half * across, back_y + half * along),
    ]
    corners = "L".join(f"{_number(left)} {_number(top)}" for left, top in points)
    _path(parent, f"M{corners}Z", fill="currentColor", **{"class": "head"})


def _join(parent: Element, *, x: float, y: float) -> None:
    SubElement(
        parent,
        "circle",
        {"class": "head", "cx": _number(x), "cy": _number(y), "r": "3", "fill": "currentColor"},
    )


def _circle(parent: Element, middle: float, *, radius: float, **attributes: str) -> None:
    SubElement(parent, "circle", {"cx": "0", "cy": _number(middle), "r": _number(radius), **attributes})


def _rectangle(parent: Element, area: Rectangle, *, kind: str, radius: float, **attributes: str) -> None:
    place = {"x": area.x, "y": area.y, "width": area.width, "height": area.height, "rx": radius}
    SubElement(parent, "rect", {"class": kind, **{name: _number(value) for name, value in place.items()}, **attributes})


def _path(parent: Element, shape: str, **attributes: str) -> None:
    SubElement(parent, "path", {"d": shape, **attributes})


def _line(width: float) -> dict[str, str]:
    return {"stroke": "currentColor", "stroke-width": _number(width)}


def _dashed(way: Way) -> dict[str, str]:
    return {**_line(1.8), "stroke-dasharray": DASHES[way], "stroke-linecap": "round"}


def _around(area: Rectangle, by: float) -> Rectangle:
    return Rectangle(x=area.x - by, y=area.y - by, width=area.width + 2 * by, height=area.height + 2 * by)


def _number(value: float) -> str:
    return f"{round(value, 2):g}" if abs(value) < 100_000 else str(round(value))
