"""The picture as a whole."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from workflow.definition import Definition
from workflow.diagram import boxes, flowlines, shapes
from workflow.diagram.boxes import PAPER
from workflow.diagram.cards import SMALL, Card, card
from workflow.diagram.layout import box_width, lay_out
from workflow.diagram.links import is_safe
from workflow.diagram.parts import Mark
from workflow.diagram.places import Box, Rectangle, Step
from workflow.diagram.words import NO_MARKS, describe, row_words, title
from workflow.language import gettext as _

NO_LINKS: Mapping[int, str] = {}
NO_NAMES: Mapping[int, str] = {}
BADGE = 20  # height of the plate with a step's number
OVERLAP = 3  # how far it reaches down over the step


def render(
    definition: Definition,
    *,
    marks: Mapping[int, Mark] = NO_MARKS,
    current: int | None = None,
    problems: Collection[int] = (),
    links: Mapping[int, str] = NO_LINKS,
    decided_by: Mapping[int, str] = NO_NAMES,
) -> str:
    """The picture as one `<svg>` element, equal for equal arguments. Never raises for what a draft holds.

    `marks`, `problems`, `links` and `decided_by`, which tells who did decide, go by a row's index; `current` is the sequence number to point out. An address
    in `links` that could do more than open a page is left out. Everything in the result is escaped.
    """
    safe = {index: address for index, address in links.items() if is_safe(address)}
    picture = _Picture(
        definition=definition, marks=marks, current=current, problems=problems, links=safe, decided_by=decided_by
    )
    return tostring(picture.draw(), encoding="unicode")


@dataclass(frozen=True, kw_only=True)
class _Picture:
    definition: Definition
    marks: Mapping[int, Mark]
    current: int | None
    problems: Collection[int]
    links: Mapping[int, str]
    decided_by: Mapping[int, str]

    def draw(self) -> Element:
        layout = lay_out(self.definition, [self._card(index) for index in range(len(self.definition.rows))])
        root = self._root(layout.area)
        for step in layout.steps:
            self._draw_frame(root, step)
        flowlines.draw(root, layout)
        for step in layout.steps:
            self._draw_step(root, step)
        return root

    def _card(self, index: int) -> Card:
        return card(
            self.definition,
            index,
            width=box_width(len(self.definition.step(self.definition.rows[index].sequence))),
            mark=self.marks.get(index),
            problem=index in self.problems,
            decided_by=self.decided_by.get(index, ""),
        )

    def _root(self, area: Rectangle) -> Element:
        name = f"workflow-diagram-{self.definition.digest[:12]}"
        root = Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "class": "workflow-diagram",
                # The parts of an image can't be reached with a screen reader; links must be.
                "role": "group" if self.links else "img",
                "aria-labelledby": f"{name}-title",
                "aria-describedby": f"{name}-desc",
                "viewBox": " ".join(map(shapes.number, (area.x, area.y, area.width, area.height))),
                "width": shapes.number(area.width),
                "height": shapes.number(area.height),
            },
        )
        SubElement(root, "title", {"id": f"{name}-title"}).text = title(self.definition)
        SubElement(root, "desc", {"id": f"{name}-desc"}).text = describe(
            self.definition, marks=self.marks, current=self.current, problems=self.problems
        )
        return root

    def _draw_frame(self, root: Element, step: Step) -> None:
        if step.framed:
            shapes.rectangle(root, step.area, "frame", shapes.stroke(1), radius=10)
            words = _("%(count)d tasks together") % {"count": len(step.boxes)}
            shapes.text(root, words, (0, step.area.y + 20), anchor="middle", name="quiet")
        if step.sequence == self.current:
            shapes.rectangle(root, step.area.grown(5), "here", shapes.stroke(3), radius=18)

    def _draw_step(self, root: Element, step: Step) -> None:
        drawn = shapes.group(root, "step", **{"data-step": str(step.sequence)})
        for box in step.boxes:
            self._draw_box(drawn, box)
        self._draw_badge(drawn, step)

    def _draw_box(self, parent: Element, box: Box) -> None:
        index = box.card.index
        mark, problem = self.marks.get(index), index in self.problems
        place = SubElement(parent, "a", {"href": self.links[index]}) if index in self.links else parent
        hint = row_words(self.definition, index, mark=mark, problem=problem)
        boxes.draw(place, box, hint=hint, mark=mark, problem=problem)

    def _draw_badge(self, parent: Element, step: Step) -> None:
        """The step's number, on top of it; it covers none of its text."""
        is_here = step.sequence == self.current
        words = _("%(step)s · now") % {"step": step.sequence} if is_here else str(step.sequence)
        width = SMALL.width(words) + 14
        area = Rectangle(x=step.area.x + 14, y=step.area.y + OVERLAP - BADGE, width=width, height=BADGE)
        badge = shapes.group(parent, "badge")
        shapes.rectangle(badge, area, "plate", shapes.stroke(1, fill=PAPER), radius=BADGE / 2)
        shapes.text(badge, words, (area.x + width / 2, area.y + BADGE / 2), anchor="middle")
