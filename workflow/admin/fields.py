"""Form fields of the process page."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.utils.translation import gettext_lazy as _

from workflow import durations

SHORTEST = timedelta(seconds=1)


class TimeSpanField(forms.DurationField):
    """A span of at least a second, shown and typed as people write one: `3d`, `1d 12h`, `90m`."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["widget"] = forms.TextInput(attrs={"size": 12, "spellcheck": "false", "autocapitalize": "off"})
        super().__init__(**kwargs)
        self.validators.append(MinValueValidator(SHORTEST, _("Give 1s or more, or leave it blank.")))

    def prepare_value(self, value: Any) -> Any:
        return durations.written(value) if isinstance(value, timedelta) else value

    def to_python(self, value: Any) -> timedelta | None:
        if value in self.empty_values:
            return None
        if isinstance(value, timedelta):
            return value
        try:
            return durations.parse(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error
