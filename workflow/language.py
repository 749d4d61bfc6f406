"""The language that people read, for modules that know no Django: it gives them its translations when it starts.

Without it, and in commands, the words are those of the source. Texts are taken into the catalogue by `manage.py makemessages`,
which looks for these functions by their names.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Translations:
    """What translates a text, and one that depends on a number."""

    one: Callable[[str], str] = str
    plural: Callable[[str, str, int], str] = lambda singular, plural, number: singular if number == 1 else plural


_spoken = Translations()


def translate_by(one: Callable[[str], str], plural: Callable[[str, str, int], str]) -> None:
    """From now on, take the translations that these give."""
    _spoken.one, _spoken.plural = one, plural


def gettext(text: str) -> str:
    """The text in the language of whoever reads it."""
    return _spoken.one(text)


def gettext_noop(text: str) -> str:
    """Marks a text to be translated where it is shown."""
    return text


def ngettext(singular: str, plural: str, number: int) -> str:
    """The text for so many, in the language of whoever reads it."""
    return _spoken.plural(singular, plural, number)
