"""`runengine`, as a shell runs it: what it takes, what it logs, and when it ends by itself."""

import json
import re
import signal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.build import code, manual, process
from tests.commands.outcome import refused
from tests.conftest import Manage, Spawn
from tests.system.conftest import EngineProcess, eventually
from tests.users import User
from workflow import operations
from workflow.models import RunningProcesses, TaskRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LINE = re.compile(r'time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(\w+) msg=("(?:[^"\\]|\\.)*") ')


def lines(text: str) -> list[str]:
    """What a log's lines say, without the name of the engine."""
    found = [LINE.match(line) for line in text.splitlines()]
    return [re.sub(r"Engine \S+ ", "Engine ", f"{one[1]} {json.loads(one[2])}") for one in found if one]


def test_each_line_tells_as_fields_what_it_is_about(manage: Manage) -> None:
    process("P", {"A": code("1")}, (1, "A"))
    key = operations.start("P").pk
    told = [json.loads(line) for line in manage("runengine", "--until-idle", LOG_FORMAT="json").stderr.splitlines()]
    (engine,) = {line["engine"] for line in told}
    (done,) = [line for line in told if "task" in line]
    assert done.items() >= {"instance": key, "process": "P", "task": "A", "attempt": 1, "engine": engine}.items()
    assert {line["state"] for line in told if "state" in line} == {"FINISHED"}


def test_it_logs_each_finished_task_and_each_change_of_state(manage: Manage) -> None:
    User.objects.create_user("somebody", is_staff=True)  # who can decide; else that would be logged, too
    tasks = {"Add": code("data['a'] + 1"), "Sign": manual(), "Never": code("1")}
    process("Expense claim", tasks, (1, "Add"), (2, "Sign"), (2, "Never", {"condition": "False"}))
    key = operations.start("Expense claim", {"a": 41}).pk
    done = manage("runengine", "--until-idle")
    assert (done.returncode, done.stdout) == (0, "")
    assert lines(done.stderr) == [
        "INFO Engine started.",
        f"INFO Expense claim instance {key} is RUNNING at step 1",
        f"INFO Result of Expense claim task Add is 42 (instance {key})",
        f"INFO Expense claim task Sign waits for approval (instance {key})",
        f"INFO Expense claim task Never is skipped (instance {key})",
        f"INFO Expense claim instance {key} is WAITING at step 2",
        "INFO Engine stopped; it holds nothing.",
    ]


def test_it_logs_failures_and_what_is_tried_again(manage: Manage) -> None:
    process("Bad", {"A": code("1 / 0", max_attempts=2, retry_delay=0)}, (1, "A"))
    key = operations.start("Bad").pk
    told = lines(manage("runengine", "--until-idle").stderr)
    why = "ZeroDivisionError: division by zero"
    assert f"WARNING Bad task A is retrying: {why} (instance {key})" in told
    assert f"WARNING Bad task A is failed: {why} (instance {key})" in told
    assert f"ERROR Bad instance {key} is FAILED at step 1: {why}" in told


def test_it_logs_also_where_the_project_has_not_configured_logging(manage: Manage, tmp_path: Path) -> None:
    (tmp_path / "plain_settings.py").write_text("from tests.settings import *\n\nLOGGING = {}\n")
    process("P", {"A": code("1")}, (1, "A"))
    key = operations.start("P").pk
    done = manage("runengine", "--once", DJANGO_SETTINGS_MODULE="plain_settings", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0
    assert f"INFO Result of P task A is 1 (instance {key})" in lines(done.stderr)


def test_a_project_that_wants_less_gets_less(manage: Manage) -> None:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start("P")
    assert manage("runengine", "--once", LOG_LEVEL="WARNING").stderr == ""


def test_a_database_that_is_not_there_yet_is_waited_for(manage: Manage, spawn: Spawn, tmp_path: Path) -> None:
    """An engine may be started together with its database. One that has no tables is told: nobody else would make them."""
    here, there = tmp_path / "here", tmp_path / "there"
    engine = EngineProcess(spawn("runengine", DATABASE_URL=f"sqlite:///{here}/site.sqlite3"))
    engine.told("The database can't be used (unable to open database file); waiting for it.")
    there.mkdir()
    assert manage("migrate", DATABASE_URL=f"sqlite:///{there}/site.sqlite3").returncode == 0
    there.rename(here)
    engine.told("started.")
    engine.signal(signal.SIGTERM)
    assert engine.ended() == 0
    assert lines(engine.log) == [
        "ERROR The database can't be used (unable to open database file); waiting for it.",
        "INFO The database can be used again.",
        "INFO Engine started.",
        "INFO Engine stopped; it holds nothing.",
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_one_that_waits_for_its_database_can_be_stopped(spawn: Spawn, tmp_path: Path, count: int) -> None:
    engine = EngineProcess(spawn("runengine", "--workers", str(count), DATABASE_URL=f"sqlite:///{tmp_path}/no/site"))
    eventually(lambda: engine.log.count("The database can't be used") == count, lambda: engine.log)
    engine.signal(signal.SIGTERM)
    assert engine.ended() == 0, engine.log
    assert "Traceback" not in engine.log


def test_an_engine_tells_of_a_database_without_our_tables(manage: Manage, tmp_path: Path) -> None:
    message = refused(manage("runengine", DATABASE_URL=f"sqlite:///{tmp_path}/site.sqlite3"))
    assert message.startswith("The database is not up to date (")


def test_until_idle_ends_at_once_where_there_is_nothing(manage: Manage) -> None:
    done = manage("runengine", "--until-idle", "--poll-interval", "30", timeout=20)
    assert (done.returncode, lines(done.stderr)) == (
        0,
        ["INFO Engine started.", "INFO Engine stopped; it holds nothing."],
    )


def test_until_idle_does_not_wait_for_people_nor_for_later_times(manage: Manage) -> None:
    process("Sign", {"A": manual()}, (1, "A"))
    process("Retry", {"A": code("1 / 0", max_attempts=2, retry_delay=3600)}, (1, "A"))
    process("Sleep", {"A": code("sleep(days=1)")}, (1, "A"))
    operations.start_many(["Sign", "Retry", "Sleep"])
    assert manage("runengine", "--until-idle", timeout=20).returncode == 0
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"WAITING"}
    assert sorted(TaskRun.objects.values_list("state", flat=True)) == ["RETRYING", "SUSPENDED", "WAITING"]


def test_until_idle_waits_for_what_is_due_soon_only_if_it_is_due(manage: Manage) -> None:
    process("P", {"A": code("1 / 0", max_attempts=3, retry_delay=0)}, (1, "A"))
    operations.start("P")
    assert manage("runengine", "--until-idle").returncode == 0
    assert TaskRun.objects.get().attempt == 3


def test_once_makes_one_pass(manage: Manage) -> None:
    process("P", {"A": code("1"), "B": code("2")}, (1, "A"), (2, "B"))
    operations.start_many(["P"], count=3)
    assert manage("runengine", "--once", "--batch", "2").returncode == 0
    assert sorted(RunningProcesses.objects.values_list("state", flat=True)) == ["FINISHED", "FINISHED", "READY"]


def test_several_workers_end_when_all_is_idle(manage: Manage) -> None:
    process("P", {"A": code("1"), "B": code("2")}, (1, "A"), (2, "B"))
    operations.start_many(["P"], count=30)
    done = manage("runengine", "--until-idle", "--batch", "5", WORKFLOW='{"WORKERS": 2}')
    assert (done.returncode, done.stdout) == (0, "")
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}
    told = lines(done.stderr)
    assert [re.sub(r"\d+\.$", "…", line) for line in told[:2]] == [
        "INFO Worker 1 of 2 is process …",
        "INFO Worker 2 of 2 is process …",
    ]
    assert told.count("INFO Engine started.") == told.count("INFO Engine stopped; it holds nothing.") == 2


def test_once_is_one_engine_whatever_the_setting(manage: Manage) -> None:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start("P")
    done = manage("runengine", "--once", WORKFLOW='{"WORKERS": 2}')
    assert (done.returncode, lines(done.stderr).count("INFO Engine started.")) == (0, 1)
    assert "Worker" not in done.stderr


def test_from_code_it_is_one_engine() -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("runengine", workers=2)
    assert str(refusal.value) == "Several workers are run by the command line, not by call_command."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--poll-interval", "0"],
            "argument --poll-interval: '0' is not a number of seconds above 0, and up to 999,999,999",
        ),
        (
            ["--poll-interval", "nan"],
            "argument --poll-interval: 'nan' is not a number of seconds above 0, and up to 999,999,999",
        ),
        (["--lease", "0.4"], "argument --lease: '0.4' is not a number of seconds from 0.5 up, and up to 999,999,999"),
        (["--lease", "1e9"], "argument --lease: '1e9' is not a number of seconds from 0.5 up, and up to 999,999,999"),
        (["--lease", "soon"], "argument --lease: 'soon' is not a number of seconds from 0.5 up, and up to 999,999,999"),
        (["--concurrency", "0"], "argument --concurrency: '0' is not a whole number from 1 to 1,000"),
        (["--concurrency", "1001"], "argument --concurrency: '1001' is not a whole number from 1 to 1,000"),
        (["--batch", "1.5"], "argument --batch: '1.5' is not a whole number from 1 to 1,000,000"),
        (["--workers", "257"], "argument --workers: '257' is not a whole number from 1 to 256"),
        (
            ["--workers", "2", "--once"],
            "--once is one pass of one engine: leave --workers away, or take --until-idle.",
        ),
        (["--once", "--until-idle"], "argument --until-idle: not allowed with argument --once"),
        (["Order"], "unrecognized arguments: Order"),
    ],
)
def test_bad_options_are_told(arguments: list[str], message: str, manage: Manage) -> None:
    assert refused(manage("runengine", *arguments)) == message
