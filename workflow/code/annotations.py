"""A function's annotations: as types, and as text for the stub."""

import collections.abc
import inspect
import types
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin, is_typeddict

_PLAIN: Final = frozenset((int, str, float, bool, list, dict, date, datetime, timedelta, Decimal))
_GENERIC: Final = {
    list: "list",
    dict: "dict",
    collections.abc.Sequence: "Sequence",
    collections.abc.Mapping: "Mapping",
    collections.abc.Iterable: "Iterable",
}
_SHORT: Final = 40  # characters of a default value that still read well


def resolved(function: Callable[..., Any]) -> inspect.Signature:
    """The signature with types for annotations; `Any` for those that are missing, or name what can't be found."""
    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001 - an annotation is an expression, and may raise anything
        signature = inspect.signature(function)
    return signature.replace(
        parameters=[each.replace(annotation=_known(each.annotation)) for each in signature.parameters.values()],
        return_annotation=_known(signature.return_annotation),
    )


def _known(annotation: Any) -> Any:
    return Any if annotation is inspect.Parameter.empty or isinstance(annotation, str) else annotation


def stub(name: str, signature: inspect.Signature) -> str:
    """The declaration of a function, for people and for the type checker."""
    return f"def {name}{signature_text(signature)}: ..."


def signature_text(signature: inspect.Signature) -> str:
    """`(sku: str, quantity: int = 1) -> bool`."""
    return str(
        signature.replace(
            parameters=[_as_shown(parameter) for parameter in signature.parameters.values()],
            return_annotation=_Text(as_text(signature.return_annotation)),
        )
    )


def _as_shown(parameter: inspect.Parameter) -> inspect.Parameter:
    shown = parameter.replace(annotation=_Text(as_text(parameter.annotation)))
    if parameter.default is inspect.Parameter.empty:
        return shown
    return shown.replace(default=_Text(_default(parameter.default)))


class _Text:
    """Shown by `inspect` as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _default(value: Any) -> str:
    if value is not None and type(value) not in (bool, int, float, str):
        return "..."
    text = repr(value)
    return text if len(text) <= _SHORT else "..."


def as_text(annotation: Any) -> str:
    """An annotation as the stub can write it: `Any` for what code has no values of."""
    match annotation:
        case None | types.NoneType:
            return "None"
        case type() if annotation in _PLAIN:
            return annotation.__name__
        case NewType():
            return as_text(annotation.__supertype__)
    if is_typeddict(annotation):
        return "dict[str, Any]"
    return _generic_as_text(get_origin(annotation), get_args(annotation))


def _generic_as_text(origin: Any, args: tuple[Any, ...]) -> str:
    if origin is Annotated:
        return as_text(args[0])
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(map(as_text, args)))
    if origin is Literal and all(type(arg) in (str, int, bool, types.NoneType) for arg in args):
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin in _GENERIC:
        return f"{_GENERIC[origin]}[{', '.join(map(as_text, args))}]"
    return "Any"
