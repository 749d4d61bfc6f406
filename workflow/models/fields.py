"""Fields that our models share."""

from typing import Any

from django.db import models
from django.db.models.expressions import Col

from workflow.values import Decoder, Encoder, Unreadable, loads


class ValuesField(models.JSONField):
    """JSON that also holds dates, times and decimals, as `workflow.values` writes them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"encoder": Encoder, "decoder": Decoder, **kwargs})

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """The value, or what is wrong with it: one bad row must not keep an engine from reading the others."""
        try:
            if isinstance(value, str) and isinstance(expression, Col):
                return loads(value)
            return super().from_db_value(value, expression, connection)
        except ValueError as error:
            return Unreadable(str(error))

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["encoder"], kwargs["decoder"]
        return name, path, args, kwargs
