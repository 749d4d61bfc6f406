"""Code as it is fed to the sandbox, and what is known of it without running it."""

import ast
import builtins
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

_LINE_END = re.compile(r"\r\n|\r|\n")
_NOTHING = "None"  # the sandbox binds no inputs to blank code
_FAR_REACHING = frozenset({"dir", "eval", "exec", "globals", "locals", "vars"})
_PLAIN = (
    *(ast.Assign, ast.AugAssign, ast.Delete, ast.Expr, ast.Assert, ast.Raise, ast.Pass),
    *(ast.If, ast.For, ast.While, ast.Break, ast.Continue),
)
"""Statements that mean in a function what they mean outside."""
_TO_THE_LOG = frozenset({"print"})


@dataclass(frozen=True, kw_only=True)
class Text:
    """What is fed for a piece of code.

    Where `gives_data`, its value is a pair of the code's own value and `data`, which saves asking for `data` by a
    second feed; in `shifted`, one of its lines, columns are then one too high. `uses` and `binds` are the names that it
    mentions and those that it leaves behind; `is_alone` where that can't be told.

    `body` is the same as the body of a function, where the code does there what it does by itself, unless it raises, and
    tells the log nothing; else blank. Such a function returns the pair.
    """

    fed: str
    gives_data: bool = False
    shifted: int = 0
    uses: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    is_alone: bool = True
    typed: str = ""
    body: str = ""

    def as_typed(self, traceback: str) -> str:
        """A traceback with the lines of code as they were typed."""
        pairs = zip(self.fed.split("\n"), self.typed.split("\n"), strict=False)
        changed = {fed.strip(): typed.strip() for fed, typed in pairs if fed != typed}
        lines = traceback.split("\n")
        for number, line in enumerate(lines):
            typed = changed.get(line.strip())
            if typed is not None:
                lines[number] = line.replace(line.strip(), typed)
                if number + 1 < len(lines) and not lines[number + 1].strip(" ~^"):
                    lines[number + 1] = lines[number + 1].replace(" ", "", 1)
        return "\n".join(lines)


@lru_cache(maxsize=2_000)
def text_of(code: str) -> Text:
    """The text to feed, which has the same lines."""
    if is_blank(code):
        code = _NOTHING
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return Text(fed=code)  # the sandbox says what is wrong with it, if anything is
    if not tree.body or "\r" in code or "\f" in code:
        return Text(fed=code)
    names = _Names()
    nodes = list(ast.walk(tree))  # not a visitor, which would be as deep as the code that somebody has typed
    for node in nodes:
        names.see(node)
    is_alone = names.imports or bool(names.used & _FAR_REACHING)
    last = _last_value(tree)
    return Text(
        fed=_giving_data(code, last),
        typed=code,
        gives_data=True,
        shifted=last.lineno if last else 0,
        uses=frozenset(names.used),
        binds=frozenset(names.bound),
        is_alone=is_alone,
        body="" if is_alone or not _fits_a_function(nodes, names) else _body(code, last),
    )


@lru_cache(maxsize=2_000)
def free_names(code: str) -> frozenset[str]:
    """The names that code uses and never binds, so that they come from outside: Python's own, or what it is given. None where that
    can't be told.
    """
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return frozenset()
    names, bound = _Names(), set[str]()
    for node in nodes:
        names.see(node)
        match node:
            case ast.arg(arg=name):
                bound.add(name)
            case ast.alias(name="*"):
                return frozenset()
            case ast.alias(name=name, asname=other):
                bound.add(other or name.partition(".")[0])
    return frozenset(names.used - names.bound - bound)


def is_blank(code: str) -> bool:
    """Whether there is nothing to run: no line but blank ones and comments."""
    return all(not line or line.startswith("#") for line in map(str.strip, lines(code)))


def lines(code: str) -> list[str]:
    """The lines of code, as Python counts them.

    `str.splitlines` finds more: it also splits at characters such as U+2028, which may stand in a literal or a comment.
    """
    return _LINE_END.split(code)


def _last_value(tree: ast.Module) -> ast.Expr | None:
    """The last statement, where it is an expression."""
    last = tree.body[-1]
    return last if isinstance(last, ast.Expr) else None


def _giving_data(code: str, last: ast.Expr | None, *, statement: str = "") -> str:
    """The code such that its last expression, or what its last `statement` is about, is the pair."""
    if last is None or last.end_lineno is None or last.end_col_offset is None:
        return f"{code}\n{statement}(None, data)"
    lines = [line.encode() for line in code.split("\n")]
    # From behind, so that the first place stays what it is. A parser counts bytes.
    for line, column, more in (
        (last.end_lineno, last.end_col_offset, "), data"),
        (last.lineno, last.col_offset, f"{statement}("),
    ):
        before = lines[line - 1]
        lines[line - 1] = before[:column] + more.encode() + before[column:]
    return b"\n".join(lines).decode()


def _fits_a_function(nodes: Sequence[ast.AST], names: "_Names") -> bool:
    """Whether the code means the same in a function, whose variables are not there before they are bound."""
    is_plain = all(isinstance(node, _PLAIN) for node in nodes if isinstance(node, ast.stmt))
    is_one = not any(isinstance(node, ast.Yield | ast.YieldFrom | ast.Await) or _is_long(node) for node in nodes)
    replaces = any(hasattr(builtins, name) for name in names.bound)
    names_ours = any(name.startswith("__") for name in names.used)
    return is_plain and is_one and not (replaces or names_ours or names.used & _TO_THE_LOG)


def _is_long(node: ast.AST) -> bool:
    """Whether it is a text over several lines: to indent those would change it."""
    is_text = isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )
    return is_text and node.lineno != node.end_lineno  # type: ignore[attr-defined]


def _body(code: str, last: ast.Expr | None) -> str:
    """The code as an indented block. Literals must not change, so only the lines that Python sees are indented.

    A tab moves every column by the same number, also where the code itself mixes tabs and spaces.
    """
    return "\n".join(f"\t{line}" for line in lines(_giving_data(code, last, statement="return ")))


@dataclass
class _Names:
    """Every name that code mentions, and every one that it binds anywhere: more than it leaves behind, never less."""

    used: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    imports: bool = False

    def see(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                self.used.add(name)
            case ast.Name(id=name):
                self._bind(name)
            case ast.Import() | ast.ImportFrom():
                self.imports = True
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self._bind(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self._bind(name)
            case ast.MatchMapping(rest=str(name)):
                self._bind(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                for name in names:
                    self._bind(name)

    def _bind(self, name: str) -> None:
        self.used.add(name)
        self.bound.add(name)
