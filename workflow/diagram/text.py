"""Text that fits: cleaned for XML, measured without a font, wrapped and shortened."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

ELLIPSIS = "…"
LONGEST = 500  # characters looked at; more never fits a box

# What XML 1.0 can't hold, and the controls that turn the reading direction round: a condition
# must not read other than it runs.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NARROW = frozenset("iljI.,:;'|!()[]{}ftr\"` ")
_WIDE = frozenset("mwMWOQGD@%&—…→")


@dataclass(frozen=True)
class Font:
    """How wide text comes out, in pixels; on the wide side, because pages differ in their fonts."""

    size: float
    mono: bool = False
    bold: bool = False

    def width(self, text: str) -> float:
        """The width of `text` on one line."""
        return sum(map(self._width_of, text)) * self.size * (1.08 if self.bold else 1)

    def _width_of(self, character: str) -> float:
        if _joins(character):
            return 0
        if unicodedata.east_asian_width(character) in "WF":
            return 1.05
        if self.mono:
            return 0.61
        if character in _NARROW:
            return 0.37
        if character in _WIDE:
            return 0.95
        if not character.isascii():
            return 0.82 if character.isupper() else 0.7
        return 0.7 if character.isupper() else 0.61


def clean(text: str) -> str:
    """`text` on one line, with what can't or must not be shown replaced by a mark that is seen."""
    return " ".join(_UNFIT.sub("\ufffd", text).split())


def wrap(text: str, *, font: Font, width: float, lines: int) -> tuple[str, ...]:
    """`text` cleaned, in at most `lines` lines that are no wider than `width`; the last ends in … where it is cut."""
    cleaned = clean(text)
    found = list(_lines(cleaned[:LONGEST], font=font, width=width))
    if len(found) <= lines and len(cleaned) <= LONGEST:
        return tuple(found)
    kept = found[:lines]
    return (*kept[:-1], _ending_in_ellipsis(kept[-1], font=font, width=width))


def shorten(text: str, *, font: Font, width: float) -> str:
    """`text` cleaned, on one line no wider than `width`; ends in … where it is cut."""
    cleaned = clean(text)
    if len(cleaned) <= LONGEST and font.width(cleaned) <= width:
        return cleaned
    return _ending_in_ellipsis(cleaned[:LONGEST], font=font, width=width)


def _ending_in_ellipsis(line: str, *, font: Font, width: float) -> str:
    head, _ = _cut(line, font=font, width=width - font.width(ELLIPSIS))
    return head.rstrip() + ELLIPSIS


def _lines(text: str, *, font: Font, width: float) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if font.width(joined) <= width:
            line = joined
            continue
        if line:
            yield line
        *full, line = _pieces(word, font=font, width=width)
        yield from full
    if line:
        yield line


def _pieces(word: str, *, font: Font, width: float) -> Iterator[str]:
    rest = word
    while font.width(rest) > width:
        head, rest = _cut(rest, font=font, width=width)
        yield head
    yield rest


def _cut(text: str, *, font: Font, width: float) -> tuple[str, str]:
    """As much of `text` as fits, at least one character; an accent stays with its letter. And the rest."""
    used, end = 0.0, 0
    for position, character in enumerate(text):
        used += font.width(character)
        if used > width and end:
            break
        end = position + 1
    return text[:end], text[end:]


def _joins(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me", "Cf")
