"""Places in the picture: x grows to the right from the axis on which the steps stand, y grows downwards; in pixels."""

from dataclasses import dataclass
from enum import IntEnum

from workflow.diagram.cards import Card, Port


class Side(IntEnum):
    """Left or right, as the sign of the direction."""

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
        """The y of the lower edge."""
        return self.y + self.height

    def edge(self, side: Side) -> float:
        """The x of that side."""
        return self.x if side is Side.LEFT else self.x + self.width

    def grown(self, by: float) -> "Rectangle":
        """The same with so much more on each side."""
        return Rectangle(x=self.x - by, y=self.y - by, width=self.width + 2 * by, height=self.height + 2 * by)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A row's box. `open_to` are its sides at which no other box stands."""

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
