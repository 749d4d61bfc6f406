"""The form of a task, or of a process's start, as a Django form: for the admin and for pages alike."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any, Self

from django import forms
from django.db import DatabaseError
from django.utils.formats import get_format
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.definition import Field, Kind
from workflow.errors import BadData
from workflow.models import Upload

YES_OR_NO = [("", "–"), ("yes", _("Yes")), ("no", _("No"))]


class AnswersForm(forms.Form):
    """Asks for the fields. What is right is decided by `answers_from`, which gives the `answers` of a valid form.

    `by` is who answers; where it `is_partial`, nothing is needed. `known` is the data so far: what it has of the fields
    stands in them already. A file is kept once all else is right; as a context, the form discards at its end what no
    decision and no start has taken.
    """

    answers: Mapping[str, Any]

    def __init__(
        self,
        asked: Sequence[Field],
        *args: Any,
        by: Any,
        is_partial: bool = False,
        known: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        known = known or {}
        super().__init__(*args, **kwargs)
        self.initial = _filled_in(asked, known)
        self._asked, self._by, self._is_partial, self._known = asked, by, is_partial, known
        self.answers = {}
        self._uploads: list[Upload] = []
        for field in asked:
            self.fields[field.name] = _form_field(field, known.get(field.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        with suppress(DatabaseError):  # in the middle of another error; a sweep finds them
            operations.discard_uploads(self._uploads)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        raw = {field.name: cleaned.get(field.name) for field in self._asked if field.name in cleaned}
        unread = [field for field in self._asked if field.name in raw]  # of the others it is told already what is wrong
        plain = [field for field in unread if field.kind is not Kind.FILE]
        files = [field for field in unread if field.kind is Kind.FILE and not self._stays(field, raw)]
        try:
            self.answers = operations.answers_from(plain, raw, by=self._by, partial=self._is_partial)
            kept = {field.name: self._kept(field, raw.get(field.name)) for field in files}
            self.answers |= operations.answers_from(files, kept, by=self._by, partial=self._is_partial)
        except BadData as error:
            if not error.by_field:
                self.add_error(None, str(error))
            for name, message in error.by_field.items():
                self.add_error(name, message)
        return cleaned

    def _stays(self, field: Field, raw: Mapping[str, Any]) -> bool:
        """Whether there is a file already, and no other was sent in its place."""
        return not field.required and not raw.get(field.name) and bool(self._known.get(field.name))

    def _kept(self, field: Field, file: Any) -> Any:
        if not file:
            return None
        try:
            self._uploads.append(upload := operations.keep_upload(file, by=self._by))
        except BadData as error:
            raise BadData(str(error), {field.name: str(error)}) from error
        return upload


class NumberText(forms.CharField):
    """A number as people write it in their language, 1.234,50 or 1,234.50, made into the plain 1234.50."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        point, separator = map(get_format, ("DECIMAL_SEPARATOR", "THOUSAND_SEPARATOR"))
        whole, found, decimals = text.partition(point)
        if re.fullmatch(rf"[-+]?\d{{1,3}}({re.escape(separator)}\d{{3}})+", whole):
            whole = whole.replace(separator, "")
        return f"{whole}.{decimals}" if found else whole


def _filled_in(asked: Sequence[Field], known: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the fields: a file can't, and other values as they are typed."""
    plain = [field for field in asked if isinstance(known.get(field.name), str | int | float | Decimal | date)]
    return {field.name: _typed(field, known[field.name]) for field in plain}


def _typed(field: Field, value: Any) -> str:
    if field.kind is Kind.YES_NO:
        return "yes" if value else "no"
    if field.kind in {Kind.NUMBER, Kind.MONEY}:
        return str(value).replace(".", get_format("DECIMAL_SEPARATOR"))
    return str(value)


def _form_field(field: Field, known: Any) -> forms.Field:
    common: dict[str, Any] = {
        "label": field.title,
        "help_text": _help(field, known),
        "required": False,  # `answers_from` asks for what is needed; the mark is for the reader
    }
    found = _plain(field, common)
    if field.required:
        found.widget.attrs["aria-required"] = "true"
    return found


def _help(field: Field, known: Any) -> str:
    match known:
        case {"name": str(name)} if field.kind is Kind.FILE and not field.required:
            stays = _("Leave it blank to keep %(name)s.") % {"name": name}
            return f"{field.help} {stays}".strip()
    return field.help


def _plain(field: Field, common: Mapping[str, Any]) -> forms.Field:
    match field.kind:
        case Kind.LONG_TEXT:
            return forms.CharField(widget=forms.Textarea(attrs={"rows": 4, "cols": 60}), **common)
        case Kind.NUMBER | Kind.MONEY:
            return NumberText(widget=forms.TextInput(attrs={"inputmode": "decimal", "size": 12}), **common)
        case Kind.DATE:
            return forms.CharField(widget=forms.TextInput(attrs={"type": "date"}), **common)
        case Kind.CHOICE:
            choices = [("", "–"), *((choice, choice) for choice in field.choices)]
            return forms.CharField(widget=forms.Select(choices=choices), **common)
        case Kind.YES_NO:
            return forms.CharField(widget=forms.Select(choices=YES_OR_NO), **common)
        case Kind.FILE:
            return forms.FileField(widget=forms.FileInput(), **common)
        case Kind.USER:
            # What is offered while a name is typed is the page's to say; the admin's takes it as it is written.
            offered = {"list": "people", "data-people": "", "autocomplete": "off", "autocapitalize": "none"}
            return forms.CharField(widget=forms.TextInput(attrs=offered), **common)
    return forms.CharField(**common)
