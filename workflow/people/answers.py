"""What people answer to the fields of a form, checked, and as the values that land in `data`."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _

from workflow import values
from workflow.definition import Field, Kind
from workflow.errors import BadData, suggestion
from workflow.models import Upload
from workflow.questions import LONGEST_NAME
from workflow.size import refuse_too_large

LONGEST_TEXT = 1_000
MOST_DIGITS, MOST_DECIMALS = 15, 4
"""Of an amount of money: more than any currency has, and no way to write endless numbers. Of a number, what is kept exactly."""

YES = frozenset({"yes", "true", "on", "1"})
NO = frozenset({"no", "false", "off", "0"})


class _Wrong(Exception):
    """What is wrong with one answer."""


def answers_from(
    form: Sequence[Field], raw: Mapping[str, Any], *, by: Any = None, partial: bool = False
) -> dict[str, Any]:
    """The values that raw answers stand for, as a browser sends them or as JSON gives them; other keys are passed over.

    An optional field that is left blank is `None`, or, of text, blank; an optional yes or no that is not given is no. A
    file is given as an `Upload`, or as its `reference`; where `by` is a user, it must be one that they sent.
    `partial` asks for no field to be there. Raises `BadData` with a message for each field that is wrong.
    """
    given: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in form:
        try:
            if _is_there(field, raw, partial=partial):
                given[field.name] = _read(field, raw.get(field.name), by=by, partial=partial)
        except _Wrong as fault:
            wrong[field.name] = str(fault)
    if wrong:
        raise _bad(form, wrong)
    refuse_too_large(given, _("The answers take %(size)s bytes; the limit (MAX_DATA_BYTES) is %(limit)s."))
    return given


def refuse_unasked(form: Sequence[Field], answers: Mapping[str, Any]) -> None:
    """Raises `BadData` for answers to what the form does not ask: they would be lost without a word."""
    names = [field.name for field in form]
    for name in answers:
        if name not in names:
            text = _("There is no field %(name)s.") % {"name": repr(str(name)[:LONGEST_NAME])}
            hint = suggestion(str(name), names) if names else " " + _("The form has no fields.")
            raise BadData(text + hint, {str(name): text})


def _bad(form: Sequence[Field], wrong: Mapping[str, str]) -> BadData:
    titles = {field.name: field.title for field in form}
    return BadData(" ".join(f"{titles[name]}: {message}" for name, message in wrong.items()), wrong)


def _is_there(field: Field, raw: Mapping[str, Any], *, partial: bool) -> bool:
    return field.name in raw or (not partial and (field.required or field.kind is Kind.YES_NO))


def _read(field: Field, value: Any, *, by: Any, partial: bool) -> Any:
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return _blank(field, partial=partial)
    if field.kind is Kind.FILE:
        return _file(value, by)
    if field.kind is Kind.CHOICE:
        return _choice(field, value)
    return _READERS[field.kind](value)


def _blank(field: Field, *, partial: bool) -> Any:
    if field.required and not partial:
        raise _Wrong(_("Answer yes or no.") if field.kind is Kind.YES_NO else _("This is needed."))
    match field.kind:
        case Kind.TEXT | Kind.LONG_TEXT:
            return ""
        case Kind.YES_NO:
            return False
    return None


def _text(value: Any) -> str:
    text = _long_text(value)
    if len(text) > LONGEST_TEXT:
        raise _Wrong(
            _("This has %(count)d characters; up to %(most)d can be given.")
            % {"count": len(text), "most": LONGEST_TEXT}
        )
    if text.splitlines() != [text]:
        raise _Wrong(_("Give one line."))
    return text


def _long_text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(_("Give a text, not %(kind)s.") % {"kind": type(value).__name__})
    try:
        checked: str = values.check(value, _("This"))
    except values.ValueProblem as problem:
        raise _Wrong(str(problem)) from problem
    return checked.replace("\r\n", "\n")


def _number(value: Any) -> int | float:
    number = _decimal(value)
    if number == number.to_integral_value() and not isinstance(value, float) and number.adjusted() < MOST_DIGITS:
        return int(number)
    found = float(number)
    if not math.isfinite(found):
        raise _Wrong(_("This number is too large."))
    if Decimal(repr(found)) != number:  # nobody shall find another number in the data than they have given
        raise _Wrong(_("This number has too many digits. Give up to %(most)d.") % {"most": MOST_DIGITS})
    return found


def _money(value: Any) -> Decimal:
    amount = _decimal(value)
    exponent = amount.as_tuple().exponent
    if amount.adjusted() >= MOST_DIGITS:
        raise _Wrong(
            _("This amount is too large. Give up to %(most)d digits before the decimals.") % {"most": MOST_DIGITS}
        )
    if isinstance(exponent, int) and exponent < -MOST_DECIMALS:
        raise _Wrong(_("Give an amount with up to %(most)d decimals, such as 12.50.") % {"most": MOST_DECIMALS})
    return amount


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise _Wrong(_("Give a number, not %(kind)s.") % {"kind": type(value).__name__})
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise _Wrong(_("Give a number, such as 12 or 12.50."))
    return number


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Wrong(_("Give a date, such as 2026-03-01.")) from None


def _choice(field: Field, value: Any) -> str:
    if value not in field.choices:
        raise _Wrong(_("Choose one of: %(choices)s.") % {"choices": ", ".join(field.choices)})
    return str(value)


def _yes_no(value: Any) -> bool:
    word = str(value).lower()
    if word not in YES | NO:
        raise _Wrong(_("Answer yes or no."))
    return word in YES


def _user(value: Any) -> str:
    model = get_user_model()
    name = value.get_username() if isinstance(value, model) else _text(str(value))
    if not model._default_manager.filter(**{model.USERNAME_FIELD: name}, is_active=True).exists():
        raise _Wrong(_("There is no active user %(name)s.") % {"name": repr(name)})
    return name


def _file(value: Any, by: Any) -> dict[str, Any]:
    key = value.get("upload") if isinstance(value, Mapping) else getattr(value, "pk", None)
    found = Upload.objects.filter(pk=key).first() if isinstance(key, int) else None
    if found is None or (by is not None and found.uploaded_by_id != by.pk):
        raise _Wrong(_("Send the file first."))  # the same, so that nobody learns which files there are
    return found.reference


_READERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.LONG_TEXT: _long_text,
    Kind.NUMBER: _number,
    Kind.MONEY: _money,
    Kind.DATE: _date,
    Kind.YES_NO: _yes_no,
    Kind.USER: _user,
}
