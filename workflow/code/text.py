"""Code as it is fed to the sandbox, and what is known of it without running it."""

import ast
from dataclasses import dataclass, field
from functools import lru_cache

_NOTHING = "None"  # the sandbox binds no inputs to blank code
_FAR_REACHING = frozenset({"dir", "eval", "exec", "globals", "locals", "vars"})


@dataclass(frozen=True, kw_only=True)
class Text:
    """What is fed for a piece of code.

    Where `gives_data`, its value is a pair of the code's own value and `data`, which saves asking for `data` by a
    second feed; in `shifted`, one of its lines, columns are then one too high. `uses` and `binds` are the names that it
    mentions and those that it leaves behind; `is_alone` where that can't be told.
    """

    fed: str
    gives_data: bool = False
    shifted: int = 0
    uses: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    is_alone: bool = True
    typed: str = ""

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
    for node in ast.walk(tree):  # not a visitor, which would be as deep as the code that somebody has typed
        names.see(node)
    fed, shifted = _giving_data(code, tree.body[-1])
    return Text(
        fed=fed,
        typed=code,
        gives_data=True,
        shifted=shifted,
        uses=frozenset(names.used),
        binds=frozenset(names.bound),
        is_alone=names.imports or bool(names.used & _FAR_REACHING),
    )


def is_blank(code: str) -> bool:
    """Whether there is nothing to run: no line but blank ones and comments."""
    return all(not line or line.startswith("#") for line in map(str.strip, code.splitlines()))


def _giving_data(code: str, last: ast.stmt) -> tuple[str, int]:
    if not isinstance(last, ast.Expr) or last.end_lineno is None or last.end_col_offset is None:
        return f"{code}\n(None, data)", 0
    lines = [line.encode() for line in code.split("\n")]
    # From behind, so that the first place stays what it is. A parser counts bytes.
    for line, column, more in (
        (last.end_lineno, last.end_col_offset, b"), data"),
        (last.lineno, last.col_offset, b"("),
    ):
        before = lines[line - 1]
        lines[line - 1] = before[:column] + more + before[column:]
    return b"\n".join(lines).decode(), last.lineno


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
