"""What people are asked: whether the fields of a form make sense, and forms that code makes up.

Pure: no Django, no database.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from workflow.definition import Field, Kind
from workflow.errors import suggestion
from workflow.language import gettext as _

MOST = 100
"""Fields of one form."""

LONGEST_NAME = 100
KEYS = tuple(field.name for field in fields(Field))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with one field of a form: `entry` is its index."""

    level: Literal["error", "warning"]
    entry: int
    message: str


def faults(form: Sequence[Field]) -> Iterator[Fault]:
    """What is wrong with the fields of a form, in their order."""
    names = Counter(field.name for field in form)
    for entry, field in enumerate(form):
        for message in _errors(field, names):
            yield Fault(level="error", entry=entry, message=message)
        if field.choices and field.kind is not Kind.CHOICE:
            message = _("The field %(name)r is no choice, and has choices. Clear them, or make it a choice.") % {
                "name": field.name
            }
            yield Fault(level="warning", entry=entry, message=message)


def _errors(field: Field, names: Mapping[str, int]) -> Iterator[str]:
    if not field.name.isidentifier():
        yield (
            _(
                "A field can't be named %(name)r: its name becomes a key of data. Give letters, "
                "digits and underscores, such as invoice_number."
            )
            % {"name": field.name}
        )
    elif len(field.name) > LONGEST_NAME:
        yield _("The name %(field)r… is too long: up to %(most)s characters.") % {
            "field": field.name[:20],
            "most": LONGEST_NAME,
        }
    if names[field.name] > 1:
        yield _("%(names)s fields of this form are named %(name)r. Give each a name of its own.") % {
            "names": names[field.name],
            "name": field.name,
        }
    if field.kind is Kind.CHOICE and not field.choices:
        yield _("The field %(name)r is a choice, and has no choices. Give some.") % {"name": field.name}
    if len(set(field.choices)) < len(field.choices):
        yield _("The field %(name)r has one of its choices twice. Give each once.") % {"name": field.name}


def form_from_value(value: Any) -> tuple[Field, ...]:
    """The form that code gives: a list of dicts with the keys of a `Field`, of which all but `name` can be left out.

    Raises `ValueError` or `TypeError`, which say what would be right.
    """
    if not isinstance(value, list | tuple):
        raise TypeError(f"fields must be a list of dicts, not {type(value).__name__}")
    if len(value) > MOST:
        raise ValueError(f"a form has up to {MOST} fields, not {len(value):,}")
    form = tuple(_field(one) for one in value)
    wrong = next((fault.message for fault in faults(form) if fault.level == "error"), None)
    if wrong:
        raise ValueError(wrong)
    return form


def _field(value: Any) -> Field:
    if not isinstance(value, Mapping):
        raise TypeError(f'each field must be a dict, such as {{"name": "amount"}}, not {type(value).__name__}')
    for key in value:
        if key not in KEYS:
            raise ValueError(f"a field has no {key!r}.{suggestion(str(key), KEYS)}")
    if "name" not in value:
        raise ValueError('each field needs a name, such as {"name": "amount"}')
    for key in ("name", "label", "help"):
        if not isinstance(value.get(key, ""), str):
            raise TypeError(f"the {key} of a field must be text, not {type(value[key]).__name__}")
    if not isinstance(value.get("required", False), bool):
        raise TypeError(f"required must be True or False, not {value['required']!r}")
    choices = value.get("choices", ())
    if not isinstance(choices, list | tuple) or not all(isinstance(choice, str) for choice in choices):
        raise TypeError(f"the choices of the field {value['name']!r} must be a list of texts")
    kinds = [kind.value for kind in Kind]
    if value.get("kind", Kind.TEXT) not in kinds:
        raise ValueError(f"there is no kind {value['kind']!r} of field.{suggestion(str(value['kind']), kinds)}")
    return Field.from_json(value)
