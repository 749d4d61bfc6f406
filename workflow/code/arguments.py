"""Whether arguments that come from code fit a function's signature."""

import inspect
import reprlib
from collections.abc import Mapping
from typing import Any

from typeguard import CollectionCheckStrategy, ForwardRefPolicy, TypeCheckError, check_type

from workflow import values
from workflow.code.annotations import as_text, signature_text
from workflow.values import ValueProblem


def bind(
    name: str,
    signature: inspect.Signature,
    *,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> inspect.BoundArguments:
    """The arguments by parameter; `TypeError` says what was expected and what came."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}(): {error}; it is {name}{signature_text(signature)}") from error
    for given in bound.arguments:
        bound.arguments[given] = _fitting(name, signature.parameters[given], bound.arguments[given])
    return bound


def _fitting(name: str, parameter: inspect.Parameter, value: Any) -> Any:
    match parameter.kind:
        case inspect.Parameter.VAR_POSITIONAL:
            return tuple(_checked(name, parameter, item) for item in value)
        case inspect.Parameter.VAR_KEYWORD:
            return {key: _checked(name, parameter, item) for key, item in value.items()}
    return _checked(name, parameter, value)


def _checked(name: str, parameter: inspect.Parameter, value: Any) -> Any:
    try:
        checked = values.check(value, parameter.name)
        check_type(
            checked,
            parameter.annotation,
            forward_ref_policy=ForwardRefPolicy.IGNORE,
            collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS,
        )
    except ValueProblem as problem:
        raise TypeError(f"{name}(): {problem}") from problem
    except TypeCheckError as error:
        raise TypeError(
            f"{name}() takes {parameter.name} as {as_text(parameter.annotation)}, "
            f"but got {reprlib.repr(value)} ({_detail(value, error)})"
        ) from error
    return checked


def _detail(value: Any, error: TypeCheckError) -> str:
    """The type of a plain value; of a collection, what in it is wrong."""
    return str(error) if isinstance(value, list | dict | tuple) else f"of type {type(value).__name__}"
