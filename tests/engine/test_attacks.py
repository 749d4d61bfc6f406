"""Code that attacks: each attack ends as an outcome of its own task, and the engine goes on with the others."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from tests.build import code, manual, process, run_until_idle
from workflow import operations
from workflow.code import signing
from workflow.code.actions import Action, replace_action, replaced
from workflow.code.crossing import is_disguised
from workflow.errors import BadData
from workflow.models import ActionCall, InstanceState, ProcessVersion, RunningProcesses, TaskRun
from workflow.transitions import LeaseLost

pytestmark = pytest.mark.django_db(transaction=True)

FUNCTION = "<function 'honest' at 0x1>"
"""A text that every attacker is given, and that looks like what Monty makes of a function."""

ATTACKS: dict[str, dict[str, tuple[str, str]]] = {
    "Out of the sandbox, by what values are made of": {
        "subclasses": ("().__class__.__mro__[1].__subclasses__()", "AttributeError"),
        "bases of a type": ("type(1).__bases__[0].__subclasses__()", "AttributeError"),
        "a method resolution order": ("type(data).mro()", "AttributeError"),
        "globals of a function": ("def f():\n    pass\nf.__globals__", "AttributeError"),
        "code of a function": ("def f():\n    pass\nf.__code__", "AttributeError"),
        "globals of an action": ("note.__globals__", "AttributeError"),
        "an action's name": ("note.__name__", "AttributeError"),
        "an action's call": ("note.__call__('a')", "AttributeError"),
        "getattr": ("getattr(run, '__cl' + 'ass__').__mro__", "AttributeError"),
        "setattr": ("setattr(run, 'id', 1)", "AttributeError"),
        "another id": ("run.id = 5", "AttributeError"),
        "a traceback": (
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    e.__traceback__.tb_frame",
            "AttributeError",
        ),
        "a generator's frame": ("(x for x in [1]).gi_frame", "AttributeError"),
        "a format": ("'{0.__class__}'.format(run)", "AttributeError"),
        "a format of a field": ("'{0.id.__class__}'.format(run)", "AttributeError"),
        "a format of an item": ("'{0[__class__]}'.format(data)", "KeyError"),
        "format_map": ("'{run.__init__}'.format_map({'run': run})", "AttributeError"),
        "built-ins": ("__builtins__['eval']", "NameError"),
        "globals": ("globals()['__builtins__']", "NameError|KeyError"),
        "vars": ("vars()", "NameError"),
        "a metaclass": ("class M(type):\n    pass", "NotImplementedError"),
        "a class with bases": ("type('A', (Exception,), {})", "TypeError"),
    },
    "What others run code and reach the world by": {
        "os.system": ("import os\nos.system('touch pwned')", "AttributeError"),
        "from os": ("from os import *\nsystem('touch pwned')", "NotImplementedError"),
        "sys.modules": ("import sys\nsys.modules['os']", "AttributeError"),
        "subprocess": ("import subprocess\nsubprocess.run('ls')", "ModuleNotFoundError"),
        "socket": ("import socket\nsocket.socket()", "ModuleNotFoundError"),
        "importlib": ("import importlib", "ModuleNotFoundError"),
        "ctypes": ("import ctypes", "ModuleNotFoundError"),
        "pickle": ("import pickle", "ModuleNotFoundError"),
        "inspect": ("import inspect", "ModuleNotFoundError"),
        "the host's own modules": ("import workflow.operations", "ModuleNotFoundError"),
        "a relative import": ("from . import views", "ImportError"),
        "__import__": ("__import__('os')", "NameError"),
        "compile": ("compile('1', '', 'exec')", "NameError"),
        "exec": ("exec('import socket')", "ModuleNotFoundError"),
        "eval": ("eval('__import__(\"os\")')", "NameError"),
        "breakpoint": ("breakpoint()", "NameError"),
        "exit": ("import sys\nsys.exit(3)", "AttributeError"),
        "open": ("open('/etc/passwd').read()", "PermissionError"),
        "write": ("open('pwned', 'w').write('x')", "PermissionError"),
        "pathlib": ("import pathlib\npathlib.Path('/etc/passwd').read_text()", "PermissionError"),
        "pathlib, written": ("import pathlib\npathlib.Path('pwned').write_text('x')", "PermissionError"),
        "a folder": ("import os\nos.listdir('/')", "PermissionError"),
        "the environment": ("import os\nos.environ['SECRET_KEY']", "RuntimeError"),
    },
    "More than there is": {
        "a long text": ("'a' * 10 ** 10", "MemoryLimit"),
        "a long list": ("[0] * 10 ** 10", "MemoryLimit"),
        "long bytes": ("bytes(10 ** 10)", "MemoryLimit"),
        "a text that doubles": ("x = 'a'\nwhile True:\n    x += x", "MemoryLimit|TimeLimit"),
        "a list that grows": ("a = []\nwhile True:\n    a.append('x' * 1000)", "MemoryLimit|TimeLimit"),
        "a large number": ("10 ** 10 ** 8", "MemoryLimit|TimeLimit"),
        "a shifted number": ("1 << 10 ** 10", "MemoryLimit"),
        "a number as text": ("str(10 ** 100_000)", "ValueError"),
        "a text as number": ("int('9' * 10 ** 6)", "ValueError"),
        "a wide format": ("f'{1:>{10 ** 9}}'", "MemoryLimit"),
        "an old wide format": ("'%*d' % (10 ** 9, 1)", "MemoryLimit"),
        "a centred text": ("'a'.center(10 ** 10)", "MemoryLimit"),
        "a replacement": ("x = 'a' * 10 ** 6\nx.replace('a', x)", "MemoryLimit|TimeLimit"),
        "an endless iterator": ("import itertools\nlist(itertools.count())", "MemoryLimit|TimeLimit"),
        "deep JSON": ("import json\njson.loads('[' * 10 ** 6)", "json.JSONDecodeError"),
        "wide JSON": ("import json\njson.dumps([0] * 10 ** 6, indent=10 ** 6)", "MemoryLimit|TimeLimit"),
        "deep recursion": ("def f(n):\n    return f(n + 1)\nf(0)", "RecursionError"),
        "a long sum": ("1" + " + 1" * 2000, "SyntaxError"),
        "a long chain": ("data" + ".a" * 2000, "SyntaxError|AttributeError"),
        "many signs": ("-" * 3000 + "1", "SyntaxError"),
        "many lambdas": ("lambda: " * 500 + "1", "SyntaxError"),
        "a long error": ("raise ValueError('x' * 1_000_000)", "ValueError"),
        "a long name": ("raise NameError(\"name '\" + 'a' * 10 ** 6 + \"' is not defined\")", "NameError"),
    },
    "Longer than there is time": {
        "an endless loop": ("while True:\n    pass", "TimeLimit"),
        "a loop that catches all": (
            "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
            "TimeLimit",
        ),
        "endless prints": ("while True:\n    print('x' * 1000)", "TimeLimit"),
        "an endless comparison": (
            "class A:\n    def __eq__(self, other):\n        while True:\n            pass\nA() in [1]",
            "TimeLimit",
        ),
        "an endless hash": (
            "class A:\n    def __hash__(self):\n        while True:\n            pass\n{A(): 1}",
            "TimeLimit",
        ),
    },
    "Results and data that can't be kept": {
        "a large result": ("'a' * 2_000_000", "TooMuchData"),
        "large data": ("data['a'] = 'a' * 2_000_000", "TooMuchData"),
        "deep nesting": ("a = []\nfor _ in range(100_000):\n    a = [a]\na", "BadValue"),
        "deep data": ("a = {}\nfor _ in range(100_000):\n    a = {'a': a}\ndata['a'] = a", "BadValue"),
        "a list of itself, forty times over": ("x = []\nfor _ in range(40):\n    x = [x, x]\nx", "BadValue"),
        "a function": ("def f():\n    pass\nf", "BadValue"),
        "an action": ("{'a': [note]}", "BadValue"),
        "an action's text": ("str(note)", "BadValue"),
        "the name of an action": ("x = '<action note>'\nx", "BadValue"),
        "an object": ("class A:\n    pass\nA()", "BadValue"),
        "a class": ("class A:\n    pass\nA", "BadValue"),
        "a module": ("import math\nmath", "BadValue"),
        "bytes": ("b'abc'", "BadValue"),
        "a set": ("data['s'] = {1}", "BadValue"),
        "no number": ("float('nan')", "BadValue"),
        "infinity": ("data['a'] = [float('inf')]", "BadValue"),
        "a huge number": ("10 ** 5000", "BadValue"),
        "a NUL": ("'\\x00'", "BadValue"),
        "a key that is a number": ("data[1] = 2", "BadValue"),
        "a key that is a tuple": ("{(1, 2): 3}", "BadValue"),
        "a key of ours": ("data['a'] = {'$date': 'no'}", "BadValue"),
        "data that are no dict": ("data = 5", "BadValue"),
    },
    "Calls with what nobody expects": {
        "a function for a text": ("note(len)", "TypeError"),
        "a lambda for a text": ("note(lambda: 1)", "TypeError"),
        "a class for a text": ("class A:\n    pass\nnote(A)", "TypeError"),
        "a module for a text": ("import math\nnote(math)", "TypeError"),
        "a generator for a text": ("note(x for x in [1])", "TypeError"),
        "itself for a text": ("x = [note]\nnote(x[0])", "TypeError"),
        "bytes for a text": ("note(b'a')", "TypeError"),
        "no number for a number": ("pause(float('nan'))", "TypeError"),
        "a huge number": ("fail_first(10 ** 5000)", "TypeError"),
        "a NUL": ("note('\\x00')", "TypeError"),
        "half a character": ("note(chr(0xd800))", "ValueError"),
        "a deep list": ("a = []\nfor _ in range(100_000):\n    a = [a]\nnote(a)", "TypeError"),
        "a list in itself": ("a = []\na.append(a)\nnote(a)", "TypeError"),
        "a key of ours": ("note({'$date': 'no'})", "TypeError"),
        "keys that are numbers": ("note({1: 2})", "TypeError"),
        "a large text": ("note('x' * 2_000_000)", "TypeError"),
        "too many arguments": ("x = range(100_000)\nnote(*x)", "TypeError"),
        "an unknown keyword": ("x = {'self': 1}\nnote('a', **x)", "TypeError"),
        "a keyword that is no name": ("x = {'\\x00': 1}\nnote('a', **x)", "TypeError"),
        "a large return": ("big(2_000_000)", "TypeError"),
        "a huge return": ("big(20_000_000)", "TypeError"),
        "a name that is not granted": ("x = 'no'\nos_system(x)", "NameError"),
        "an awaited action": ("await note('a')", "TypeError"),
        "a negative sleep": ("sleep(days=-data['n'])", "ValueError"),
        "a sleep that is no number": ("sleep(days=float('nan'))", "TypeError"),
        "a sleep that is true": ("sleep(days=data['n'] == 1)", "TypeError"),
        "an endless sleep": ("sleep(days=10.0 ** 9)", "ValueError"),
        "a sleep out of range": ("sleep(days=10 ** 400)", "ValueError"),
        "a sleep without a name": ("sleep(5)", "TypeError"),
        "a sleep with our own argument": ("x = {'now': 5}\nsleep(**x)", "TypeError"),
        "a time without a zone": ("import datetime\nsleep_until(datetime.datetime(2026, 1, 1))", "TypeError"),
        "the end of time": (
            "import datetime\nsleep_until(datetime.datetime(9999, 12, 31, tzinfo=datetime.timezone.utc))",
            "ValueError",
        ),
        "too long a signal": ("wait_for('x' * 201)", "ValueError"),
        "no signal": ("wait_for(None)", "ValueError"),
        "an endless time-out": ("wait_for('a', timeout=10 ** 400)", "ValueError"),
        "nobody": ("approval([], 'q')", "ValueError"),
        "somebody unknown": ("approval('mallory', 'q')", "ValueError"),
        "more names than a query may ask for": ("approval(','.join(map(str, range(100_000))), 'q')", "ValueError"),
        "a large question": ("approval('a', 'q' * 2_000_000)", "TypeError"),
        "a process unknown": ("run_process('no' + 'body')", "ValueError"),
        "itself for a process": ("run_process(run_process)", "TypeError"),
        "large data for a process": ("run_process('Innocent', a='x' * 2_000_000)", "TypeError"),
        "too many processes": ("run_all([('Innocent', {})] * 1001)", "ValueError"),
        "no list of processes": ("run_all({'a': 1})", "TypeError"),
        "a header in a subject": ("send_mail('a\\nBcc: x@y.z', 'm', 'a@b.c')", "ValueError"),
        "a header in an address": ("send_mail('a', 'm', 'a@b.c\\nBcc: x@y.z')", "ValueError"),
    },
    "Odd exceptions": {
        "of the system": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        "an exit": ("raise SystemExit('a')", "SystemExit"),
        "the base of all": ("raise BaseException('x')", "BaseException"),
        "no exception": ("raise 'a'", "TypeError"),
        "with a NUL": ("raise ValueError('\\x00')", "ValueError"),
    },
}
"""By kind of attack: code, and the type of the error that its instance ends with."""

HARMLESS: dict[str, tuple[str, Any]] = {
    "a list in itself": ("a = []\na.append(a)\na", ["[...]"]),
    "a dict in itself": ("a = {}\na['a'] = a\na", {"a": "{...}"}),
    "its own print": ("def print(*x):\n    return 1\nprint('a')", 1),
    "names of ours": ("print = None\nsleep = 3\nrun = 4\nlen = 5\n'fine'", "fine"),
    "an action of its own": ("def note(x):\n    return 'mine'\nnote('x')", "mine"),
    "an action renamed": ("note = look_up\nlook_up('a')", "A"),
    "an action called by eval": ("eval('look_up')('a')", "A"),
    "an action as a text": ("look_up == '<action look_up>'", False),
    "other results": ("results['Z'] = 1\n'done'", "done"),
    "a caught error": (
        "try:\n    fail_first(9)\nexcept Exception as e:\n    x = str(e)\nx",
        "ConnectionError: not yet",
    ),
    "honest text": (f"[data['text']] * 10_000 == [{FUNCTION!r}] * 10_000", True),
    "a regular expression": ("import re\nre.match('(a+)+$', 'a' * 40 + 'b')", None),
    "text that takes a regular expression for ever": ("x = '<function ' + \"'\" * 100_000\nlen(x)", 100_010),
    "a far past": ("import datetime\nsleep_until(datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc))", None),
    "a large look-up": ("len(large_look_up())", 2_000_000),
    "many calls": ("sum([len(look_up('a')) for _ in range(1_500)])", 1_500),
    "keywords of ours": ("x = {'self': 1, 'name': 2, '_now': 3, 'n': 4}\nrun_process('Innocent', **x)['_now']", 3),
    "floats that PostgreSQL keeps as integers": ("run_process('Innocent', n=1e23)['n'] * 1.0 == 1e23", True),
}

DATA = {"n": 1, "text": FUNCTION}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effects: Path, settings: Any) -> Path:
    monkeypatch.chdir(tmp_path)
    settings.WORKFLOW = {"TIME_LIMIT": 1.0, "MEMORY_LIMIT": 32}
    return tmp_path


@pytest.fixture(autouse=True)
def granted() -> Iterator[Callable[..., None]]:
    """Grants actions for the time of a test."""

    def grant(checkpoint: bool = True, atomic: bool = False, **functions: Callable[..., Any]) -> None:
        for name, function in functions.items():
            replace_action(Action(name=name, function=function, checkpoint=checkpoint, atomic=atomic))

    with replaced():
        grant(checkpoint=False, large_look_up=lambda: "x" * 2_000_000)
        yield grant


def attacked(codes: Mapping[str, str]) -> dict[str, RunningProcesses]:
    """What becomes of instances whose code attacks, in one engine with as many that do not. The checker, which would
    find most, is not asked.
    """
    process("Attack", {"A": code("1")}, (1, "A"))
    process("Innocent", {"A": code("look_up('fine')"), "B": code("data['n']")}, (1, "A"), (2, "B"))
    attacking = dict(zip(codes, operations.start_many(["Attack"], DATA, count=len(codes)), strict=True))
    for number, (name, instance) in enumerate(attacking.items(), start=2):
        redefine(instance, number, lambda definition, name=name: definition["tasks"][0].update(code=codes[name]))  # type: ignore[misc]
    innocent = operations.start_many(["Innocent"], {"n": 1}, count=len(codes))
    run_until_idle()
    for one in [*innocent, *attacking.values()]:
        one.refresh_from_db()
    assert {one.state for one in innocent} == {InstanceState.FINISHED}
    assert all(one.results == {"A": "FINE", "B": 1} for one in innocent)
    return attacking


def error_of(instance: RunningProcesses) -> dict[str, Any]:
    """Its error; empty where it has none."""
    return instance.error or {}


def redefine(instance: RunningProcesses, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Pin the instance to a version of its own that no check has seen."""
    definition = deepcopy(instance.version.definition)
    change(definition)
    instance.version = ProcessVersion.objects.create(
        process=instance.process,
        name=instance.process_name,
        number=number,
        definition=definition,
        digest=str(number),
        needs={"format": 1, "names": []},
        created_at=timezone.now(),
    )
    instance.save(update_fields=["version"])


def expected(kind: str, found: str) -> str:
    """`found`, if it is one of the `kind`s: what fills the memory may take too long on a busy machine."""
    return found if found in kind.split("|") else kind


@pytest.mark.parametrize("kind", ATTACKS)
def test_attacks_are_contained(kind: str, home: Path, effects: Path, caplog: pytest.LogCaptureFixture) -> None:
    attacks = ATTACKS[kind]
    instances = attacked({name: text for name, (text, _) in attacks.items()})
    ends = {name: error_of(one).get("type", one.results) for name, one in instances.items()}
    assert ends == {name: expected(error, ends[name]) for name, (_, error) in attacks.items()}
    for one in instances.values():
        assert one.state == InstanceState.FAILED
        assert len(json.dumps(one.error)) < 30_000
        assert django_settings.SECRET_KEY not in json.dumps(one.error)
    assert "can't be driven" not in caplog.text
    assert max(len(run.log) for run in TaskRun.objects.all()) < 100_100
    assert max([0, *(len(json.dumps(call.arguments, default=str)) for call in ActionCall.objects.all())]) < 1_000_100
    assert [path.name for path in home.iterdir()] == ["effects"], "nothing reached the disk"
    assert effects.read_text() in ("", "a\n"), "no action took what it does not expect"


def test_what_is_harmless_finishes(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    instances = attacked({name: text for name, (text, _) in HARMLESS.items()})
    ends = {name: one.error or one.results["A"] for name, one in instances.items()}
    assert ends == {name: result for name, (_, result) in HARMLESS.items()}
    assert "can't be driven" not in caplog.text


@pytest.mark.parametrize("text", ["<function " + "'" * 200_000, "<function '" + "<" * 200_000, "<" * 200_000])
def test_text_that_resembles_a_function_is_told_in_no_time(text: str) -> None:
    assert not is_disguised(text)


class Unprintable(Exception):
    """Can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class BaseUnprintable(BaseException):
    """Can't be shown, and is caught by nobody who does not mean to."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def nested() -> list[Any]:
    """A list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


RETURNS: dict[str, Callable[[], Any]] = {
    "a_model": lambda: User(username="x"),
    "a_queryset": User.objects.all,
    "a_generator": lambda: (x for x in [1]),
    "a_set": lambda: {1},
    "bytes_": lambda: b"a",
    "no_number": lambda: float("nan"),
    "no_decimal": lambda: Decimal("sNaN"),
    "itself": nested,
    "large": lambda: "x" * 2_000_000,
    "huge": lambda: "x" * 20_000_000,
    "a_huge_number": lambda: 10**5000,
    "keys": lambda: {1: 2},
    "our_keys": lambda: {"$date": "x"},
    "half_a_character": lambda: "\ud800",
    "half_a_key": lambda: {"\ud800": 1},
    "nul": lambda: "\x00",
    "a_function": lambda: len,
    "unprintable": lambda: [Unprintable()],
}

EXCEPTIONS: dict[str, tuple[BaseException, str]] = {
    "unprintable": (Unprintable(), "Exception"),
    "with_an_unprintable": (ValueError(Unprintable()), "ValueError"),
    "with_a_huge_number": (ValueError(10**5000), "ValueError"),
    "long": (ValueError("x" * 10**6), "ValueError"),
    "nul": (ValueError("\x00"), "ValueError"),
    "a_group": (ExceptionGroup("g", [ValueError(1)]), "Exception"),
    "stop_iteration": (StopIteration(3), "StopIteration"),
    "of_the_engine": (LeaseLost("a"), "Exception"),
    "a_snapshot": (signing.SnapshotTampered("a"), "Exception"),
    "an_exit": (SystemExit(3), "RuntimeError"),
    "an_interrupt": (KeyboardInterrupt(), "KeyboardInterrupt"),
    "a_generator_exit": (GeneratorExit(), "GeneratorExit"),
    "a_base_group": (BaseExceptionGroup("g", [KeyboardInterrupt()]), "BaseExceptionGroup"),
    "an_unprintable_base": (BaseUnprintable(), "BaseUnprintable"),
}


def raising(exception: BaseException) -> Callable[[], None]:
    def raises() -> None:
        raise exception

    return raises


def test_what_actions_return_that_can_not_be_kept(granted: Callable[..., None]) -> None:
    granted(**RETURNS)
    instances = attacked({name: f"{name}()" for name in RETURNS})
    assert {name: error_of(one).get("type") for name, one in instances.items()} == dict.fromkeys(RETURNS, "TypeError")
    assert all(error_of(one)["message"].startswith(f"What {name}() returned") for name, one in instances.items())


@pytest.mark.parametrize("atomic", [False, True])
def test_what_actions_raise(granted: Callable[..., None], atomic: bool) -> None:
    granted(atomic=atomic, **{name: raising(exception) for name, (exception, _) in EXCEPTIONS.items()})
    instances = attacked({name: f"{name}()" for name in EXCEPTIONS})
    ends = {name: error_of(one).get("type") for name, one in instances.items()}
    assert ends == {name: kind for name, (_, kind) in EXCEPTIONS.items()}
    for call in ActionCall.objects.all():
        assert len((call.error or {})["message"]) < 3_000


def test_an_atomic_action_that_breaks_its_transaction(granted: Callable[..., None]) -> None:
    def hides() -> int:
        LogEntry.objects.create(user_id=User.objects.get_or_create(username="x")[0].pk, object_repr="x", action_flag=1)
        connection.set_rollback(True)
        return 1

    def dangles() -> int:
        return LogEntry.objects.create(user_id=12_345_678, object_repr="x", action_flag=1).pk

    granted(atomic=True, hides=hides, dangles=dangles)
    tries = "try:\n    {0}()\nexcept RuntimeError as e:\n    x = str(e)\nnote('on')\nx"
    instances = attacked({name: tries.format(name) for name in ("hides", "dangles")})
    for name, one in instances.items():
        assert one.error is None
        assert one.results["A"].startswith(f"What {name}() did can't be committed: ")
        calls = ActionCall.objects.filter(run__instance=one).order_by("number")
        assert [(call.number, call.name, bool(call.error)) for call in calls] == [(1, name, True), (2, "note", False)]
    assert not LogEntry.objects.exists()


def test_children_that_return_too_much_together() -> None:
    process("Child", {"A": code("data['x'] = 'x' * 600_000")}, (1, "A"))
    instance = attacked({"a": "run_all([('Child', {}), ('Child', {})])"})["a"]
    assert (instance.state, error_of(instance)["type"]) == (InstanceState.FAILED, "ValueError")
    assert error_of(instance)["message"] == (
        "What run_all() would return takes more than 1,000,000 bytes, the limit (MAX_DATA_BYTES)."
    )


def test_a_payload_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadData, match=r"The payload takes 2,000,002 bytes; the limit \(MAX_DATA_BYTES\) is 1,000,000"):
        operations.signal("go", "x" * 2_000_000)


class TestSnapshots:
    """They come out of the sandbox, and are kept where others may write."""

    @pytest.fixture
    def run(self, effects: Path) -> TaskRun:
        process("P", {"A": code("note('before')\nwait_for('go')\nnote('after')")}, (1, "A"))
        instance = operations.start("P")
        other = operations.start("P")
        run_until_idle()
        self.other = other.task_runs.get()
        effects.write_text("")
        return instance.task_runs.get()

    def ended(self, run: TaskRun, snapshot: bytes) -> RunningProcesses:
        TaskRun.objects.filter(pk=run.pk).update(snapshot=snapshot)
        operations.signal("go", instance=run.instance_id)
        operations.signal("go", instance=self.other.instance_id)
        run_until_idle()
        self.other.instance.refresh_from_db()
        assert self.other.instance.state == InstanceState.FINISHED, "the engine goes on"
        run.instance.refresh_from_db()
        return run.instance

    @pytest.mark.parametrize(
        "change",
        [
            "flipped",
            "cut",
            "longer",
            "of another run",
            "another key that says it is ours",
            "of an earlier call",
            "unsigned",
        ],
    )
    def test_one_that_was_tampered_with_fails_and_runs_nothing(self, run: TaskRun, change: str, effects: Path) -> None:
        kept = bytes(run.snapshot)
        rest = kept[signing.SIGNATURE_BYTES :]
        plain = rest[1 + signing.FINGERPRINT_BYTES :]
        name = f"{run.key}-{run.call_number}"
        with override_settings(SECRET_KEY="another key"):
            by_another = signing.sign(name, plain)
        half = len(kept) // 2
        changed = {
            "flipped": kept[:half] + bytes([kept[half] ^ 1]) + kept[half + 1 :],
            "cut": kept[:-1],
            "longer": kept + b"x",
            "of another run": bytes(self.other.snapshot),
            "another key that says it is ours": by_another[: signing.SIGNATURE_BYTES] + rest,
            "of an earlier call": signing.sign(f"{run.key}-1", plain),
            "unsigned": rest,
        }
        instance = self.ended(run, changed[change])
        assert (instance.state, error_of(instance)["type"]) == (InstanceState.FAILED, "SnapshotTampered")
        assert f"The snapshot of task run {run.pk} " in error_of(instance)["message"]
        assert effects.read_text() == "after\n", "of the other one"

    def test_one_by_a_key_that_is_unknown_here_waits_for_an_engine_that_knows_it(
        self, run: TaskRun, effects: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It may be the newest key, which this engine hasn't been given yet: that is no failure, and runs nothing."""
        kept = bytes(run.snapshot)
        with override_settings(SECRET_KEY="another key"):
            by_another = signing.sign(
                f"{run.key}-{run.call_number}", kept[signing.SIGNATURE_BYTES + 1 + signing.FINGERPRINT_BYTES :]
            )
        instance = self.ended(run, by_another)
        run.refresh_from_db()
        assert (instance.state, instance.interrupted, run.state, run.attempt) == ("READY", 0, "RUNNING", 1)
        assert f"its fingerprint is {signing.fingerprint('another key')}" in caplog.text
        assert effects.read_text() == "after\n", "of the other one"
        with override_settings(SECRET_KEY_FALLBACKS=["another key"]):
            RunningProcesses.objects.filter(pk=instance.pk).update(due_at=timezone.now())
            run_until_idle()
        instance.refresh_from_db()
        assert instance.state == InstanceState.FINISHED
        assert effects.read_text() == "after\nafter\n", "nothing was made twice"

    @pytest.mark.parametrize("content", [b"", b"2", b"2garbage", b"2" + bytes(1000), b"x" * 100, b"1\x80\x04\x95"])
    def test_one_that_is_signed_but_no_snapshot_is_replayed(self, run: TaskRun, content: bytes, effects: Path) -> None:
        """Loading it gives nobody any power; the ledger knows what has happened."""
        instance = self.ended(run, signing.sign(f"{run.key}-{run.call_number}", content))
        assert instance.state == InstanceState.FINISHED, instance.error
        assert effects.read_text() == "after\nafter\n"

    @pytest.mark.parametrize(("field", "value"), [("name", "other"), ("arguments", {"args": ["x"], "kwargs": {}})])
    def test_a_ledger_that_was_changed_is_a_clear_failure(
        self, run: TaskRun, field: str, value: Any, effects: Path
    ) -> None:
        ActionCall.objects.filter(run=run, number=1).update(**{field: value})
        instance = self.ended(run, b"")
        assert (instance.state, error_of(instance)["type"]) == (InstanceState.FAILED, "LedgerDisagrees")
        assert "Call 1 was" in error_of(instance)["message"]
        assert effects.read_text() == "after\n", "of the other one"

    @pytest.mark.parametrize("arguments", [[], {"args": 5}, {}, 7])
    def test_a_ledger_without_sense_is_a_failure_of_its_own(self, run: TaskRun, arguments: Any, effects: Path) -> None:
        ActionCall.objects.filter(run=run, number=1).update(arguments=arguments)
        instance = self.ended(run, b"")
        assert instance.state == InstanceState.FAILED
        assert effects.read_text() == "after\n", "of the other one"

    @pytest.mark.parametrize(
        "kind", ["eval", "exec", "open", "__import__", "breakpoint", "SystemExit", "type", "no", ""]
    )
    def test_a_kept_error_that_was_changed_calls_nothing(self, run: TaskRun, kind: str, home: Path) -> None:
        error = {"type": kind, "message": "__import__('pathlib').Path('pwned').touch()"}
        ActionCall.objects.filter(run=run, number=1).update(error=error)
        instance = self.ended(run, b"")
        assert (instance.state, error_of(instance)["type"]) == (InstanceState.FAILED, "RuntimeError")
        assert not (home / "pwned").exists()


CONDITIONS = {
    "[0] * 10 ** 10": "MemoryLimit",
    "[1 for _ in range(10 ** 9) if False]": "TimeLimit",
    "'a' * 10 ** 10": "MemoryLimit",
    "note('x')": "CallRefused",
    "eval(\"note('x')\")": "CallRefused",
    "().__class__.__mro__": "AttributeError",
    "1 / 0": "ZeroDivisionError",
    "lambda: 1": "BadValue",
    "1" + " + 1" * 2000: "SyntaxError",
    "x = 1": "SyntaxError",
}

APPROVERS = {
    "= [0] * 10 ** 10": "MemoryLimit",
    "= note('x')": "CallRefused",
    "= None": "NotDecidable",
    "= ''": "NotDecidable",
    "= [None]": "NotDecidable",
    "= {'anna': 1}": "NotDecidable",
    "= 'mallory'": "NotDecidable",
    "= '\\x00'": "BadValue",
    "= ','.join(map(str, range(100_000)))": "NotDecidable",
    "= 'x' * 900_000": "NotDecidable",
}


@pytest.mark.parametrize(("field", "attacks"), [("condition", CONDITIONS), ("approver", APPROVERS)])
def test_expressions_that_attack_fail_their_task(
    field: str, attacks: dict[str, str], effects: Path, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.create_user("anna")
    process("P", {"A": manual("anna")}, (1, "A", {"condition": "True"}))
    process("Innocent", {"A": code("1")}, (1, "A"))
    instances = dict(zip(attacks, operations.start_many(["P"], count=len(attacks)), strict=True))
    place = "rows" if field == "condition" else "tasks"
    for number, (text, instance) in enumerate(instances.items(), start=2):
        redefine(instance, number, lambda definition, text=text: definition[place][0].update({field: text}))  # type: ignore[misc]
    innocent = operations.start("Innocent")
    run_until_idle()
    for instance in (*instances.values(), innocent):
        instance.refresh_from_db()
    assert innocent.state == InstanceState.FINISHED
    assert {text: error_of(one).get("type") for text, one in instances.items()} == attacks
    assert all(len(error_of(one)["message"]) < 3_000 for one in instances.values())
    assert effects.read_text() == ""
    assert "can't be driven" not in caplog.text
