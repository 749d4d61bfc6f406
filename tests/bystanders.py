"""Others who are in the database while a test runs, and whom it must leave alone.

In a database with one instance, one task, one signal and one user, a filter that was forgotten hits nothing else. So tests
run beside instances in every state, with their runs, votes, claims, deadlines, signals, children, calls, notices and uploads.
After the test, all of these must be as they were, and nothing may have been added to them.

They are built once for each database, by the engine and the operations themselves, and kept in tables of their own; each
test copies them from there. All of it happens in the year 2200, so nothing is due. Their keys are in one range.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.color import no_style
from django.db import connection, models, transaction

from tests import own
from tests.build import code, engine, manual, process
from workflow import clock, operations
from workflow.engine import Mode
from workflow.models import (
    Absence,
    InstanceState,
    Mailbox,
    MailPreference,
    RunningProcesses,
    RunState,
    Signal,
    TaskRun,
    Upload,
    WaitingForApproval,
)
from workflow.operators import Action, perform

FIRST = 900_000
"""Where keys begin that are numbers: a test's own never come to that on PostgreSQL, and come after these on SQLite."""

THEN = datetime(2200, 1, 1, 9, 30, tzinfo=UTC)

SHADOW = "bystanders_"
"""How the tables are called in which they are kept; the rest of the name is that of the table that is copied."""


@contextmanager
def beside() -> Iterator[None]:
    """Put them into the database, and see in the end that nothing has become of them."""
    keys = _keys()
    with transaction.atomic():
        _run(_copying())
    own.others.update(keys)
    try:
        yield
        changed = _changed()
    finally:
        own.others.clear()
    assert not changed, f"Something was done to bystanders: {', '.join(changed)}."


def build() -> None:
    """Make them, keep them in tables of their own, and leave the database empty."""
    _count_from(FIRST)
    with clock.stopped(THEN):
        _live()
    with transaction.atomic():
        for table in _tables():
            _run([f"DROP TABLE IF EXISTS {SHADOW}{table}", f"CREATE TABLE {SHADOW}{table} AS SELECT * FROM {table}"])
    _keys.cache_clear()
    _keys()
    flush = connection.ops.sql_flush(no_style(), _tables(), reset_sequences=True, allow_cascade=True)
    connection.ops.execute_sql_flush(flush)


def are_built() -> bool:
    """Whether this database has them."""
    return SHADOW + _tables()[-1] in connection.introspection.table_names()


def _live() -> None:
    """What they do."""
    users = get_user_model().objects
    one, two = users.create_user("bystander-1"), users.create_user("bystander-2")
    setattr(one, one.get_email_field_name(), "bystander-1@example.org")
    one.save()
    Group.objects.create(name="bystanders").user_set.add(one, two)
    Absence.objects.create(user=one, stand_in=two, first_day=date(2199, 1, 1), last_day=date(2199, 1, 2))
    MailPreference.objects.create(user=two)
    _define()
    _end(one)
    _wait(one, two)
    mailbox = Mailbox.objects.create(name="bystander parcel")
    Signal.objects.create(mailbox=mailbox, payload={"for": "anybody"}, sent_at=THEN)
    paid, _ = Mailbox.objects.get_or_create(name="paid")
    Signal.objects.create(mailbox=paid, payload=1, instance=RunningProcesses.objects.earliest("pk"), sent_at=THEN)
    Signal.objects.create(mailbox=paid, payload=2, process_name="Bystander", sent_at=THEN)
    Upload.objects.create(file="bystander.txt", name="a.txt", size=1, uploaded_by=one, uploaded_at=THEN)


def _define() -> None:
    sign = {"Sign": manual("bystanders", quorum=2, due="1d", remind="-4h"), "A": code("data['n'] = 1")}
    process("Bystander", sign, (1, "A"), (2, "Sign"))
    process("Bystander alone", {"Sign": manual("bystander-1, bystander-2")}, (1, "Sign"))
    process("Bystander fails", {"A": code("1 / 0")}, (1, "A"))
    process("Bystander tries", {"A": code("1 / 0", max_attempts=2, retry_delay=9999)}, (1, "A"))
    process("Bystander calls", {"A": code("x = key()\nwait_for('bystander news')")}, (1, "A"))
    process("Bystander asks", {"A": code("approval('bystanders', 'Well?')")}, (1, "A"))
    process("Bystander sleeps", {"A": code("sleep(days=99)")}, (1, "A"))
    process("Bystander starts", {"A": code("run_process('Bystander alone')")}, (1, "A"))


def _end(by: Any) -> None:
    """Instances in every state in which there is nothing to do."""
    finished, rejected, cancelled = (operations.start("Bystander alone", user=by) for _ in range(3))
    operations.start("Bystander fails")
    _run_engine()
    operations.approve(WaitingForApproval.objects.get(rpid=finished), by=by, comment="well")
    operations.reject(WaitingForApproval.objects.get(rpid=rejected), by=by)
    perform(cancelled.pk, Action.CANCEL, reason="by nobody")
    _run_engine()


def _wait(one: Any, two: Any) -> None:
    """Instances that wait for all that there is to wait for, two of a kind; and one each that is paused, ready or running."""
    for _ in range(2):
        for name in ("", " alone", " tries", " calls", " asks", " sleeps", " starts"):
            operations.start(f"Bystander{name}", {"n": 0}, user=one)
    paused = operations.start("Bystander alone", user=two)
    perform(paused.pk, Action.PAUSE)
    _run_engine()
    for waiting in WaitingForApproval.objects.filter(process_name="Bystander"):
        operations.approve(waiting, by=one)
    operations.claim(WaitingForApproval.objects.filter(process_name="Bystander alone").latest("pk"), two)
    operations.start("Bystander")
    running = operations.start("Bystander calls")
    RunningProcesses.objects.filter(pk=running.pk).update(
        state=InstanceState.RUNNING, owner="bystander:1", fence=1, due_at=THEN + timedelta(days=1)
    )
    TaskRun.objects.create(
        instance=running, task_name="A", visit=1, row=0, sequence=1, state=RunState.RUNNING, started_at=THEN
    )


def _run_engine() -> None:
    engine().run(Mode.UNTIL_IDLE)


def _tables() -> list[str]:
    """All of ours, and those of users; what rows refer to comes before them."""
    return [model._meta.db_table for model in _models()]


@cache
def _models() -> list[type[models.Model]]:
    user = get_user_model()
    found = [user, Group, *apps.get_app_config("workflow").get_models()]
    return [*found, user._meta.get_field("groups").remote_field.through]


@cache
def _keys() -> dict[type[models.Model], list[Any]]:
    found = {}
    for model in _models():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {model._meta.pk.column} FROM {SHADOW}{model._meta.db_table}")
            found[model] = [model._meta.pk.to_python(key) for (key,) in cursor.fetchall()]
    return found


@cache
def _copying() -> list[str]:
    return [f"INSERT INTO {table} SELECT * FROM {SHADOW}{table}" for table in _tables()]


def _changed() -> list[str]:
    """The tables in which one was changed, deleted, or given a row that it had not."""
    with connection.cursor() as cursor:
        cursor.execute(_looking())
        return sorted({table for (table,) in cursor.fetchall()})


@cache
def _looking() -> str:
    each = []
    for model in _models():
        table, key = model._meta.db_table, model._meta.pk.column
        each.append(f"SELECT '{table}' FROM (SELECT * FROM {SHADOW}{table} EXCEPT SELECT * FROM {table}) AS gone")
        for column, other in _references(model):
            new = f"{key} NOT IN (SELECT {key} FROM {SHADOW}{table})"
            each.append(f"SELECT '{table}' FROM {table} WHERE {column} IN (SELECT id FROM {SHADOW}{other}) AND {new}")
    return " UNION ALL ".join(each)


def _references(model: type[models.Model]) -> list[tuple[str, str]]:
    """Columns that refer to our tables, with those."""
    keys = [field for field in model._meta.local_concrete_fields if isinstance(field, models.ForeignKey)]
    ours = [field for field in keys if field.related_model._meta.app_label == "workflow"]
    return [(field.column, field.related_model._meta.db_table) for field in ours]


def _count_from(first: int) -> None:
    numbered = [model for model in _models() if isinstance(model._meta.pk, models.AutoField)]
    for table in (model._meta.db_table for model in numbered):
        if connection.vendor == "postgresql":
            _run([f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {first})"])
        else:
            _run(
                [
                    f"DELETE FROM sqlite_sequence WHERE name = '{table}'",
                    f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {first})",
                ]
            )


def _run(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("; ".join(statements))
            return
        for statement in statements:
            cursor.execute(statement)
