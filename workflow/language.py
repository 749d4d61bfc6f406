"""The language that people read, for modules that know no Django: it gives them its translations when it starts.

Without it, and in commands, the words are those of the source. Texts are taken into the catalogue by `manage.py makemessages`,
which looks for these functions by their names.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Translations:
    """What translates a text, one that depends on a number, and one that means different things at different places."""

    one: Callable[[str], str] = str
    plural: Callable[[str, str, int], str] = lambda singular, plural, number: singular if number == 1 else plural
    in_context: Callable[[str, str], str] = lambda _context, text: text


_spoken = Translations()


def translate_by(
    one: Callable[[str], str], plural: Callable[[str, str, int], str], in_context: Callable[[str, str], str]
) -> None:
    """From now on, take the translations that these give."""
    _spoken.one, _spoken.plural, _spoken.in_context = one, plural, in_context


def gettext(text: str) -> str:
    """The text in the language of whoever reads it."""
    return _spoken.one(text)


def pgettext(context: str, text: str) -> str:
    """The text as it is meant in that context, in the language of whoever reads it."""
    return _spoken.in_context(context, text)


def gettext_noop(text: str) -> str:
    """Marks a text to be translated where it is shown."""
    return text


def ngettext(singular: str, plural: str, number: int) -> str:
    """The text for so many, in the language of whoever reads it."""
    return _spoken.plural(singular, plural, number)
