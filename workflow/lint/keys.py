"""Keys of the data: rows of one step that change the same one, where the last row replaces what the others made of it.

Only what is written out is found: `data["x"] = …` and the like in code, the keys of a sub-process's output, and fields of forms. A
sub-process without an output hands on what its own tasks change.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeGuard

from workflow.definition import Definition, TaskDefinition
from workflow.findings import Finding, at_row
from workflow.language import gettext as _
from workflow.routes import is_conditional

DefinitionOf = Callable[[str], Definition | None]
"""What a sub-process of that name would run; `None` where there is none."""

Changes = Mapping[str, frozenset[str]]
"""By key, all that becomes of it: it is removed, set if missing, set to a constant (which is told), or anything else."""

_REMOVED: Final = "removed"
_IF_MISSING: Final = "if missing"
_ANYTHING: Final = "anything"
_CHANGING: Final = frozenset(
    {
        *("add", "append", "clear", "discard", "extend", "insert", "pop"),
        *("popitem", "remove", "reverse", "setdefault", "sort", "update"),
    }
)
"""Methods of lists, dicts and sets that change them."""

_OPPOSITES: Final[Sequence[set[type[ast.cmpop]]]] = (
    *({ast.Eq, ast.NotEq}, {ast.Lt, ast.GtE}, {ast.LtE, ast.Gt}, {ast.In, ast.NotIn}, {ast.Is, ast.IsNot}),
)
_UNREADABLE: Final = (SyntaxError, ValueError, RecursionError, MemoryError, SystemError)
_LONGEST: Final = 100  # characters that are shown of a key
_MOST: Final = 5  # keys that are shown of a row
_MOST_BELOW: Final = 20  # processes that are looked into for one row


def findings(definition: Definition, definition_of: DefinitionOf) -> Iterator[Finding]:
    known = {task.name for task in definition.tasks}
    for sequence in definition.sequences:
        rows = [index for index in definition.step(sequence) if definition.rows[index].task in known]
        if len(rows) > 1:
            yield from _of_step(definition, rows, definition_of)


def _of_step(definition: Definition, rows: Sequence[int], definition_of: DefinitionOf) -> Iterator[Finding]:
    changes = {index: _changes(definition.task(definition.rows[index].task), definition_of) for index in rows}
    for number, index in enumerate(rows):
        beside = [other for other in rows[:number] if changes[other] and _may_both_finish(definition, other, index)]
        shared: dict[int, list[str]] = {}
        for key, effects in changes[index].items():
            clashing = (one for one in beside if key in changes[one] and _differ(changes[one][key], effects))
            if (other := next(clashing, None)) is not None:
                shared.setdefault(other, []).append(key)
        for other, keys in shared.items():
            yield _finding(definition, index, other=other, keys=keys)


def _finding(definition: Definition, index: int, *, other: int, keys: Sequence[str]) -> Finding:
    message = _(
        "Changes %(keys)s, as %(other)r does at this step. They run at the same time, so the values from this row "
        "replace those from the other. Use different keys, or different steps."
    )
    shown = [f"data[{key[:_LONGEST]!r}{'…' * (len(key) > _LONGEST)}]" for key in keys[:_MOST]]
    more = ["…"] if len(keys) > _MOST else []
    named = {"keys": ", ".join(shown + more), "other": definition.rows[other].task}
    return at_row(definition, index, "task", message % named, "warning")


def _differ(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether it matters which of them comes last: not where both set the same constant, nor where none sets a value."""
    is_same = one == other and len(one) == 1 and _ANYTHING not in one
    return not is_same and not (one | other) <= {_REMOVED, _IF_MISSING}


def _may_both_finish(definition: Definition, one: int, other: int) -> bool:
    """Not where the first one wins, nor where it can be seen that their conditions exclude each other.

    That a task is at a step twice is told by `rows`.
    """
    mine, yours = definition.rows[one], definition.rows[other]
    if mine.task == yours.task or (mine.ends_step and yours.ends_step):
        return False
    return not (is_conditional(mine) and is_conditional(yours) and _exclude(mine.condition, yours.condition))


def _changes(task: TaskDefinition, definition_of: DefinitionOf) -> Changes:
    if not _hands_on(task):
        return _own_changes(task)
    below = [change for one in _tasks_below(task.subprocess, definition_of) for change in _own_changes(one).items()]
    return _gathered((key, effect) for key, effects in below for effect in effects)


def _own_changes(task: TaskDefinition) -> Changes:
    if task.manual:
        return {field.name: frozenset({_ANYTHING}) for field in task.fields}
    return _of_output(task.output) if task.subprocess else _of_code(task.code)


def _hands_on(task: TaskDefinition) -> bool:
    """Whether it is a sub-process without an output, so that all which that changes is merged into its parent's data."""
    return bool(task.subprocess) and not task.manual and not task.output.strip()


def _tasks_below(name: str, definition_of: DefinitionOf) -> Iterator[TaskDefinition]:
    """The tasks of a sub-process, and of those whose changes it hands on. Processes may start one another in a circle."""
    names = [name]
    for one in names:
        if definition := definition_of(one):
            used = {row.task for row in definition.rows}
            tasks = [task for task in definition.tasks if task.name in used]
            yield from tasks
            more = {task.subprocess for task in tasks if _hands_on(task)} - {*names}
            names += sorted(more)[: _MOST_BELOW - len(names)]


@lru_cache(maxsize=2_000)
def _of_output(expression: str) -> Changes:
    tree = _expression(expression)
    return _gathered(_of_dict(tree)) if tree else {}


@lru_cache(maxsize=2_000)
def _of_code(code: str) -> Changes:
    try:
        nodes = list(_nodes(ast.parse(code)))
    except _UNREADABLE:
        return {}  # `code` tells what is wrong with it
    values = {id(target): node.value for node in nodes if isinstance(node, ast.Assign) for target in node.targets}
    return _gathered(change for node in nodes for change in _of_node(node, values.get(id(node))))


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except _UNREADABLE:
        return None


def _gathered(found: Iterable[tuple[str, str]]) -> Changes:
    effects: dict[str, set[str]] = {}
    for key, effect in found:
        effects.setdefault(key, set()).add(effect)
    return {key: frozenset(of_key) for key, of_key in effects.items()}


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those in functions for which `data` is something of their own."""
    ahead = [tree]  # no recursion: code may be nested deeper than Python goes
    while ahead:
        node = ahead.pop()
        if not (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and _takes_data(node.args)):
            yield node
            ahead.extend(reversed([*ast.iter_child_nodes(node)]))


def _takes_data(args: ast.arguments) -> bool:
    return any(isinstance(node, ast.arg) and node.arg == "data" for node in ast.iter_child_nodes(args))


def _of_node(node: ast.AST, value: ast.expr | None) -> Iterator[tuple[str, str]]:
    """The keys that a node changes, and how. `value` is what is assigned to it, if that is known."""
    match node:
        case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
            if (key := _key(node)) is not None:
                yield key, _effect(node, value)
        case ast.Name(id="data", ctx=ast.Store()) if value:
            yield from _of_dict(value)
        case ast.AugAssign(target=ast.Name(id="data"), value=more):
            yield from _of_dict(more)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="data"))):
            yield from _of_call(node)
        case ast.Call(func=ast.Attribute(value=changed, attr=method)) if method in _CHANGING:
            if (key := _key(changed)) is not None:
                yield key, _ANYTHING


def _key(node: ast.AST) -> str | None:
    """The key of data under which that is, at whatever depth: `"x"` for `data["x"]["y"][0]`, and for `data.get("x")`."""
    while True:
        match node:
            case ast.Subscript(value=ast.Name(id="data"), slice=ast.Constant(value=str(key))):
                return key
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="data"), attr="get" | "setdefault"),
                args=[ast.Constant(value=str(key)), *_],
            ):
                return key
            case ast.Subscript(value=inner) | ast.Attribute(value=inner):
                node = inner
            case _:
                return None


def _effect(node: ast.Subscript | ast.Attribute, value: ast.expr | None) -> str:
    if not isinstance(node.value, ast.Name):
        return _ANYTHING  # a part of what is under the key
    if isinstance(node.ctx, ast.Del):
        return _REMOVED
    return _constant(value)


def _constant(value: ast.expr | None) -> str:
    return f"= {value.value!r}" if isinstance(value, ast.Constant) else _ANYTHING


def _of_call(call: ast.Call) -> Iterator[tuple[str, str]]:
    """What a method of data does."""
    match call:
        case ast.Call(func=ast.Attribute(attr="update"), args=args, keywords=keywords):
            for argument in args:
                yield from _of_dict(argument)
            yield from ((keyword.arg, _constant(keyword.value)) for keyword in keywords if keyword.arg)
        case ast.Call(func=ast.Attribute(attr="setdefault"), args=[ast.Constant(value=str(key)), *_]):
            yield key, _IF_MISSING
        case ast.Call(func=ast.Attribute(attr="pop"), args=[ast.Constant(value=str(key)), *_]):
            yield key, _REMOVED


def _of_dict(value: ast.expr) -> Iterator[tuple[str, str]]:
    """The keys of dicts that are written out, also where there are two to choose from, or to be merged."""
    ahead = [value]
    while ahead:
        match ahead.pop():
            case ast.Dict(keys=keys, values=values):
                for key, item in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, _constant(item)
                    elif key is None:
                        ahead.append(item)
            case ast.Call(func=ast.Name(id="dict"), args=args, keywords=keywords):
                yield from ((keyword.arg, _constant(keyword.value)) for keyword in keywords if keyword.arg)
                ahead += [*args, *(keyword.value for keyword in keywords if not keyword.arg)]
            case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, op=ast.BitOr(), right=other):
                ahead += [one, other]


class _Part(NamedTuple):
    """One thing that a condition says: that `what` is true, or is not. Of a comparison, also what is compared, and how."""

    what: str
    is_true: bool
    left: str = ""
    by: type[ast.cmpop] | None = None
    right: str = ""
    equals: tuple[Any, ...] = ()


def _exclude(one: str, other: str) -> bool:
    """Whether it can be seen that no more than one of two conditions holds. Both are evaluated with the same data."""
    return any(_contradict(mine, yours) for mine in _parts(one) for yours in _parts(other))


def _contradict(one: _Part, other: _Part) -> bool:
    if one.what == other.what:
        return one.is_true != other.is_true
    if not (one.is_true and other.is_true and one.left and one.left == other.left):
        return False
    if one.right == other.right:
        return {one.by, other.by} in _OPPOSITES
    return bool(one.equals and other.equals) and one.equals != other.equals


@lru_cache(maxsize=2_000)
def _parts(condition: str) -> tuple[_Part, ...]:
    """All that has to be so for the condition to hold, as far as it is written out."""
    tree = _expression(condition)
    if tree is None:
        return ()
    try:
        return tuple(_part(one) for one in (tree.values if _is_and(tree) else [tree]))
    except RecursionError:
        return ()


def _is_and(tree: ast.expr) -> TypeGuard[ast.BoolOp]:
    return isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)


def _part(tree: ast.expr) -> _Part:
    is_true = True
    while isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        tree, is_true = tree.operand, not is_true
    what = ast.dump(tree)
    match tree:
        case ast.Compare(left=left, ops=[by], comparators=[right]):
            equals = (right.value,) if isinstance(by, ast.Eq) and isinstance(right, ast.Constant) else ()
            return _Part(what, is_true, ast.dump(left), type(by), ast.dump(right), equals)
    return _Part(what, is_true)
