"""System checks: every wrong setting is named with its value, and with what would be right."""

from typing import Any

import django
import pytest
from django.core.checks import run_checks
from pytest_django.fixtures import Settings

from config.mail import mail_settings
from tests.app import queues
from workflow import checks, conf


def messages(settings: Settings, value: Any) -> list[tuple[str, str]]:
    settings.WORKFLOW = value
    return [(message.id or "", message.msg) for message in checks.check_settings(None)]


def test_the_defaults_are_right(settings: Settings) -> None:
    assert messages(settings, {}) == []
    assert messages(settings, dict(conf.DEFAULTS)) == []


def test_every_setting_has_a_rule(settings: Settings) -> None:
    wrong = dict.fromkeys(conf.DEFAULTS, object())
    assert len(messages(settings, wrong)) == len(conf.DEFAULTS)


@pytest.mark.parametrize(
    ("value", "number", "message", "hint"),
    [
        ([], "E001", "WORKFLOW is [].", "Make it a dict, such as {'TIME_LIMIT': 10.0}."),
        ({"TIMELIMIT": 1}, "E002", "WORKFLOW has the unknown key 'TIMELIMIT'.", "Did you mean 'TIME_LIMIT'?"),
        ({"zzz": 1}, "E002", "WORKFLOW has the unknown key 'zzz'.", "There are: BATCH, CONCURRENCY,"),
        (
            {"TIME_LIMIT": "5"},
            "E003",
            "WORKFLOW['TIME_LIMIT'] is '5'.",
            "Make it a number of seconds above 0, and up to",
        ),
        ({"TIME_LIMIT": 0}, "E003", "WORKFLOW['TIME_LIMIT'] is 0.", "Make it a number of seconds above 0, and up to"),
        (
            {"LEASE": float("inf")},
            "E003",
            "WORKFLOW['LEASE'] is inf.",
            "Make it a number of seconds from 0.5 up, and up to 999,999,999.",
        ),
        (
            {"LEASE": 0.4},
            "E003",
            "WORKFLOW['LEASE'] is 0.4.",
            "Make it a number of seconds from 0.5 up, and up to 999,999,999.",
        ),
        (
            {"LEASE": 1e300},
            "E003",
            "WORKFLOW['LEASE'] is 1e+300.",
            "Make it a number of seconds from 0.5 up, and up to",
        ),
        (
            {"MAIL_LINK_DAYS": 36_501},
            "E003",
            "WORKFLOW['MAIL_LINK_DAYS'] is 36501.",
            "Make it a number of days above 0",
        ),
        ({"POLL_INTERVAL": float("nan")}, "E003", "WORKFLOW['POLL_INTERVAL'] is nan.", "Make it a number of seconds"),
        ({"MEMORY_LIMIT": 1.5}, "E003", "WORKFLOW['MEMORY_LIMIT'] is 1.5.", "Make it a whole number of MiB above 0."),
        ({"BATCH": True}, "E003", "WORKFLOW['BATCH'] is True.", "Make it a whole number above 0."),
        ({"CONCURRENCY": -1}, "E003", "WORKFLOW['CONCURRENCY'] is -1.", "Make it a whole number from 1 to 1,000."),
        ({"CONCURRENCY": 1001}, "E003", "WORKFLOW['CONCURRENCY'] is 1001.", "Make it a whole number from 1 to 1,000."),
        ({"WORKERS": 257}, "E003", "WORKFLOW['WORKERS'] is 257.", "Make it a whole number from 1 to 256."),
        ({"MAIL": "off"}, "E003", "WORKFLOW['MAIL'] is 'off'.", "Make it True or False."),
        ({"SITE_URL": "example.com"}, "E003", "WORKFLOW['SITE_URL'] is 'example.com'.", "Make it the address that"),
        ({"SITE_URL": "https://a.b/?c"}, "E003", "WORKFLOW['SITE_URL'] is 'https://a.b/?c'.", "Make it the address"),
        ({"RUNNER": "docker"}, "E003", "WORKFLOW['RUNNER'] is 'docker'.", "Make it 'sandbox' or 'trusted'."),
        ({"RUNNER": "trusted"}, "W001", "WORKFLOW['RUNNER'] is 'trusted': who may edit code", "Set it to 'sandbox'"),
    ],
)
def test_a_wrong_setting_is_named(settings: Settings, value: Any, number: str, message: str, hint: str) -> None:
    settings.WORKFLOW = value
    (found,) = checks.check_settings(None)
    assert found.id == f"workflow.{number}"
    assert found.msg.startswith(message)
    assert (found.hint or "").startswith(hint)


@pytest.mark.parametrize(("most", "told"), [(1_000, True), (500, True), (1_001, False), (20_000, False), (None, False)])
def test_a_limit_that_keeps_long_drafts_from_being_saved_is_told(
    settings: Settings, most: int | None, *, told: bool
) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = most
    found = checks.check_number_of_fields(None)
    assert [message.id for message in found] == ["workflow.W005"] * told
    if told:
        assert str(most) in found[0].msg
        assert f"about {(most or 0) // 40} tasks" in found[0].msg


def test_this_sites_own_limit_is_high_enough() -> None:
    assert checks.check_number_of_fields(None) == []


IMMEDIATE = f"{queues.__name__}.ImmediateBackend"
QUEUE = f"{queues.__name__}.Losing"


@pytest.mark.parametrize(
    ("given", "tasks", "found"),
    [
        ({}, {"default": {"BACKEND": QUEUE}}, None),
        ({"TASK_QUEUE": "slow"}, {"default": {"BACKEND": QUEUE, "QUEUES": ["slow"]}}, None),
        (
            {},
            {"other": {"BACKEND": QUEUE}},
            ("E011", "WORKFLOW['DISPATCH'] is 'tasks', but TASKS has no backend 'default'."),
        ),
        (
            {"TASK_BACKEND": "mine"},
            {"default": {"BACKEND": QUEUE}},
            ("E011", "WORKFLOW['DISPATCH'] is 'tasks', but TASKS has no backend 'mine'."),
        ),
        (
            {"TASK_QUEUE": "slow"},
            {"default": {"BACKEND": QUEUE, "QUEUES": ["b", "a"]}},
            ("E012", "The backend 'default' of TASKS has no queue 'slow'; it has 'a', 'b'."),
        ),
        (
            {},
            {"default": {"BACKEND": "no.such.Backend"}},
            ("E011", "The backend 'default' of TASKS can't be used: Could not find backend 'no.such.Backend': "),
        ),
        (
            {},
            {"default": {"BACKEND": IMMEDIATE}},
            ("W010", "WORKFLOW['DISPATCH'] is 'tasks', but the backend 'default' of TASKS hands nothing to workers."),
        ),
        ({"DISPATCH": "engine"}, {"other": {"BACKEND": IMMEDIATE}}, None),
        ({"DISPATCH": "celery"}, {}, ("E003", "WORKFLOW['DISPATCH'] is 'celery'.")),
    ],
)
def test_a_task_queue_must_be_there(
    settings: Settings, given: dict[str, str], tasks: dict[str, Any], found: tuple[str, str] | None
) -> None:
    settings.TASKS = tasks
    told = messages(settings, {"DISPATCH": "tasks", **given})
    expected = [] if found is None else [(f"workflow.{found[0]}", found[1])]
    assert [(number, text[: len(found[1])] if found else text) for number, text in told] == expected


def test_a_mail_server_is_not_to_be_waited_for_without_end(settings: Settings) -> None:
    settings.WORKFLOW = {"SITE_URL": "https://workflow.example.com"}
    for name, value in mail_settings("smtp://mail.example.com").items():
        setattr(settings, name, value)
    assert checks.check_mail(None) == []
    if django.VERSION < (6, 1):
        settings.EMAIL_TIMEOUT = None
    else:
        settings.MAILERS["default"]["OPTIONS"].pop("timeout")
    (found,) = checks.check_mail(None)
    assert (found.id, found.msg) == (
        "workflow.W003",
        "A mail server that hangs is waited for without end, and no e-mail is sent meanwhile.",
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    ["secret-of-ours", ["secret-of-ours", "secret-of-ours"], [""], ["secret-of-ours", " "], ["\ud800"], [b"key"], None],
)
def test_a_wrong_key_for_snapshots_is_not_shown(settings: Settings, value: Any) -> None:
    assert messages(settings, {"SNAPSHOT_KEYS": value}) == [
        ("workflow.E003", "WORKFLOW['SNAPSHOT_KEYS'] is not right.")
    ]
    (found,) = checks.check_settings(None)
    assert str(found.hint).startswith("Make it a list of different texts, the newest first;")
    assert "secret" not in str(found).replace("import secrets", "").replace("secrets.token", "")


def test_a_key_for_snapshots_that_could_be_guessed_is_a_warning(settings: Settings) -> None:
    settings.WORKFLOW = {"SNAPSHOT_KEYS": ["x" * 32, "short-one"]}
    assert checks.check_settings(None) == []
    (found,) = checks.check_keys(None)
    assert (found.id, "short-one" in str(found)) == ("workflow.W004", False)
    settings.WORKFLOW = {"SNAPSHOT_KEYS": ["x" * 32]}
    assert checks.check_keys(None) == []


@pytest.mark.django_db  # on SQLite, Django asks it whether it can store JSON
def test_django_runs_the_checks(settings: Settings) -> None:
    settings.WORKFLOW = {"RUNNER": "trusted"}
    assert "workflow.W001" in [message.id for message in run_checks()]
