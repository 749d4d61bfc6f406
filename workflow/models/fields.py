"""Fields that our models share."""

from typing import Any

from django.db import models

from workflow.values import Decoder, Encoder


class ValuesField(models.JSONField):
    """JSON that also holds dates, times and decimals, as `workflow.values` writes them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"encoder": Encoder, "decoder": Decoder, **kwargs})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["encoder"], kwargs["decoder"]
        return name, path, args, kwargs
