"""What can be told about code by reading it, without running it.

Pure. Code that does not parse is for the checker of code to refuse: here it tells nothing.
"""

import ast
from collections.abc import Iterator
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
