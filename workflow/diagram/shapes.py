"""The elements that the picture is made of. Each is an `Element`, so whatever text it holds is escaped."""

from xml.etree.ElementTree import Element, SubElement

from workflow.diagram import icons
from workflow.diagram.cards import SMALL
from workflow.diagram.places import Rectangle
from workflow.diagram.text import Font

HEAD = 8  # length of an arrow's head
_ASCENT = 0.35  # of the font's size: from the middle of a line of text down to its base line


def group(parent: Element, *names: str, **attributes: str) -> Element:
    """A `<g>` with these classes."""
    return SubElement(parent, "g", {"class": classes(*names), **attributes})


def classes(*names: str) -> str:
    """The names with a prefix of ours, because pages have styles for names such as `badge` and `row`."""
    return " ".join(f"diagram-{name}" for name in names)


def text(
    parent: Element,
    content: str,
    at: tuple[float, float],
    *,
    anchor: str = "start",
    name: str = "text",
    font: Font = SMALL,
) -> None:
    """One line; `at` is its start, or whatever `anchor` names, at half the height of its letters."""
    x, middle = at
    line = SubElement(
        parent,
        "text",
        {
            "class": classes(name),
            "x": number(x),
            "y": number(middle + font.size * _ASCENT),
            "text-anchor": anchor,
            "font-size": number(font.size),
            "font-weight": "600" if font.bold else "400",
            "font-family": "ui-monospace, monospace" if font.mono else "system-ui, sans-serif",
            "fill": "currentColor",
        },
    )
    line.text = content


def icon(parent: Element, shape: str, *, x: float, y: float, scale: float = 1) -> None:
    """One of `icons.PATHS`, its upper left corner there."""
    path(
        parent,
        icons.PATHS[shape],
        "icon",
        stroke(1.5),
        transform=f"translate({number(x)} {number(y)}) scale({number(scale)})",
        stroke_linejoin="round",
        stroke_linecap="round",
    )


def head(parent: Element, *, x: float, y: float, direction: tuple[int, int]) -> None:
    """An arrow's head whose tip is there."""
    along, across = direction
    back_x, back_y = x - HEAD * along, y - HEAD * across
    half_x, half_y = HEAD / 2 * across, HEAD / 2 * along
    corners = points((x, y), (back_x - half_x, back_y - half_y), (back_x + half_x, back_y + half_y))
    path(parent, f"M{corners}Z", "head", {"fill": "currentColor"})


def dot(parent: Element, *, x: float, y: float, radius: float) -> None:
    """A full circle."""
    _circle(parent, x=x, y=y, radius=radius, paint={"fill": "currentColor"})


def ring(parent: Element, *, x: float, y: float, radius: float) -> None:
    """An empty circle."""
    _circle(parent, x=x, y=y, radius=radius, paint=stroke(2))


def _circle(parent: Element, *, x: float, y: float, radius: float, paint: dict[str, str]) -> None:
    SubElement(parent, "circle", {"cx": number(x), "cy": number(y), "r": number(radius), **paint})


def rectangle(parent: Element, area: Rectangle, name: str, paint: dict[str, str], *, radius: float) -> None:
    """A rectangle with round corners."""
    place = {"x": area.x, "y": area.y, "width": area.width, "height": area.height, "rx": radius}
    SubElement(parent, "rect", {"class": classes(name), **{key: number(at) for key, at in place.items()}, **paint})


def path(parent: Element, shape: str, name: str, paint: dict[str, str], **more: str) -> None:
    """A path; underscores in the names of attributes stand for hyphens."""
    attributes = {key.replace("_", "-"): value for key, value in more.items()}
    SubElement(parent, "path", {"class": classes(name), "d": shape, **paint, **attributes})


def points(*places: tuple[float, float]) -> str:
    """Corners of a path, joined by straight lines."""
    return "L".join(f"{number(x)} {number(y)}" for x, y in places)


def stroke(width: float, *, dashes: str = "none", fill: str = "none") -> dict[str, str]:
    """The attributes of an outline of that width."""
    return {"stroke": "currentColor", "stroke-width": number(width), "stroke-dasharray": dashes, "fill": fill}


def number(value: float) -> str:
    """As short as it goes at a hundredth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
