"""What can be told about code by reading it, without running it.

Pure. Code that does not parse is for the checker of code to refuse: here it tells nothing.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

APPROVAL = "approval"
_REPEATED = (
    *(ast.For, ast.While, ast.FunctionDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
"""What may run the code in it several times."""


def may_ask(code: str, *, answered: int = 0) -> bool:
    """Whether code may ask people by `approval()` once more, after so many questions were answered.

    A question that may be asked several times, as in a loop, may always be asked again.
    """
    tree = _parsed(code)
    if tree is None:
        return APPROVAL in code
    questions = sum(map(_is_approval, ast.walk(tree)))
    return questions > answered or any(_is_approval(node) for node in _in_repeated(tree))


def keys_read(expression: str) -> frozenset[str]:
    """The keys of `data` that an expression reads by name."""
    tree = _parsed(expression)
    return _keys_read(tree) if tree is not None else frozenset()


def may_set(code: str, key: str) -> bool:
    """Whether code may set that key of `data`; also where it can't be told which keys it sets."""
    tree = _parsed(code)
    return tree is not None and any(_sets(node, key) for node in ast.walk(tree))


@dataclass(frozen=True, kw_only=True)
class Question:
    """A call of `approval()`: where it is (both count from 1), and the keys of `data` by which its approver is worked out. `bars_starter`
    also where that can't be told.
    """

    line: int
    column: int
    keys: frozenset[str]
    bars_starter: bool


def questions(code: str) -> Iterator[Question]:
    """The questions that code asks people."""
    tree = _parsed(code)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and _is_approval(node.func):
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            approver = node.args[0] if node.args else named.get("approver")
            yield Question(
                line=node.lineno,
                column=node.col_offset + 1,
                keys=_keys_read(approver) if approver is not None else frozenset(),
                bars_starter=None in named or not _is_false(named.get("not_starter")),
            )


def _is_false(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is False)


def _keys_read(tree: ast.AST) -> frozenset[str]:
    return frozenset(key for node in ast.walk(tree) if (key := _key_read(node)) is not None)


def _key_read(node: ast.AST) -> str | None:
    match node:
        case ast.Subscript(value=ast.Name(id="data"), slice=ast.Constant(value=str(key))):
            return key
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="data"), attr="get"), args=[ast.Constant(value=str(key)), *_]
        ):
            return key
    return None


def _sets(node: ast.AST, key: str) -> bool:
    match node:
        case ast.Name(id="data", ctx=ast.Store()):
            return True
        case ast.Subscript(value=ast.Name(id="data"), slice=ast.Constant(value=one), ctx=ast.Store()):
            return bool(one == key)
        case ast.Subscript(value=ast.Name(id="data"), ctx=ast.Store()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="data"), attr="update")):
            return True
    return False


@lru_cache(maxsize=500)
def _parsed(code: str) -> ast.Module | None:
    try:
        return ast.parse(code.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_approval(node: ast.AST) -> bool:
    # The bare name too: `ask = approval` asks under another one.
    return isinstance(node, ast.Name) and node.id == APPROVAL


def _in_repeated(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, _REPEATED):
            yield from ast.walk(node)
