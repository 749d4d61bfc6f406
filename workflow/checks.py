"""System checks of the setting `WORKFLOW`: what is wrong with it, and what would be right."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

import django
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from workflow import compat, conf

RUNNERS = ("sandbox", "trusted")
DRIVERS = ("engine", "tasks")

_HERE_OR_NOWHERE = (".ImmediateBackend", ".DummyBackend")
"""Backends of tasks that run them at once where they are sent, or never."""
DJANGOS_FIELDS = 1_000
"""Django's default of DATA_UPLOAD_MAX_NUMBER_FIELDS."""
FIELDS_OF_A_TASK = 40
"""About as many stand on the page of a process for each task and its row."""
SECRET = frozenset({"SNAPSHOT_KEYS"})
SHORTEST_KEY = 32
"""Characters."""
SMTP = "django.core.mail.backends.smtp.EmailBackend"
WISHES = ("AT_ONCE", "DIGEST", "NONE")


@register()
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """All findings about `settings.WORKFLOW`."""
    given = getattr(settings, "WORKFLOW", {})
    if not isinstance(given, Mapping):
        return [_error("E001", f"WORKFLOW is {given!r}.", "Make it a dict, such as {'TIME_LIMIT': 10.0}.")]
    return [*_unknown(given), *_bad(given), *_dangerous(given), *_undispatched(given)]


@register()
def check_number_of_fields(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Django's limit on the fields of a form, which the page of a long process goes beyond: it answers "Bad Request" then."""
    most: Any = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS  # None is no limit
    if most is None or most > DJANGOS_FIELDS:
        return []
    return [
        CheckWarning(
            f"DATA_UPLOAD_MAX_NUMBER_FIELDS is {most}: drafts of more than about {most // FIELDS_OF_A_TASK} tasks can't be "
            "saved in the admin.",
            hint="Set it to 20_000 in your settings, which is enough for some 500 tasks.",
            id="workflow.W005",
        )
    ]


@register(deploy=True)
def check_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Keys for snapshots that could be guessed."""
    given = getattr(settings, "WORKFLOW", {})
    keys = given.get("SNAPSHOT_KEYS", []) if isinstance(given, Mapping) else []
    if not _are_keys(keys) or all(len(key) >= SHORTEST_KEY for key in keys):
        return []
    return [
        CheckWarning(
            f"WORKFLOW['SNAPSHOT_KEYS'] has a key of less than {SHORTEST_KEY} characters: it could be guessed.",
            hint=f"Put a new one before it, and run manage.py resignsnapshots; {_MAKE_KEY}.",
            id="workflow.W004",
        )
    ]


@register(deploy=True)
def check_mail(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """What keeps e-mails from being of use, where they are on."""
    if not isinstance(getattr(settings, "WORKFLOW", {}), Mapping) or not conf.get("MAIL"):
        return []
    return [*_without_links(), *_without_end()]


def _without_links() -> list[CheckMessage]:
    if conf.get("SITE_URL"):
        return []
    return [
        CheckWarning(
            "WORKFLOW['SITE_URL'] is not set: e-mails have no links by which people could decide.",
            hint="Set it to the address that people reach the site by, such as 'https://workflow.example.com'; or set "
            "WORKFLOW['MAIL'] to False, to send none.",
            id="workflow.W002",
        )
    ]


def _without_end() -> list[CheckMessage]:
    if not _waits_for_ever():
        return []
    return [
        CheckWarning(
            "A mail server that hangs is waited for without end, and no e-mail is sent meanwhile.",
            hint="Set a time-out: EMAIL_TIMEOUT = 30, or in MAILERS the option 'timeout'.",
            id="workflow.W003",
        )
    ]


def _waits_for_ever() -> bool:
    mailer = getattr(settings, "MAILERS", {}).get("default", {})
    if mailer:
        return mailer.get("BACKEND") == SMTP and not mailer.get("OPTIONS", {}).get("timeout")
    if django.VERSION >= (6, 1):  # it would warn of the settings that it has had before
        return False
    return settings.EMAIL_BACKEND == SMTP and not settings.EMAIL_TIMEOUT


def _unknown(given: Mapping[Any, Any]) -> list[CheckMessage]:
    return [
        _error("E002", f"WORKFLOW has the unknown key {key!r}.", _near(str(key)))
        for key in given
        if key not in conf.DEFAULTS
    ]


def _near(key: str) -> str:
    near = get_close_matches(key.upper(), conf.DEFAULTS, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(conf.DEFAULTS))}."


def _bad(given: Mapping[Any, Any]) -> list[CheckMessage]:
    return [
        _error("E003", _what_is_wrong(key, given[key]), f"Make it {hint}.")
        for key, (is_right, hint) in _RULES.items()
        if key in given and not is_right(given[key])
    ]


def _what_is_wrong(key: str, value: Any) -> str:
    if key in SECRET:
        return f"WORKFLOW[{key!r}] is not right."  # what it is must not be in logs
    return f"WORKFLOW[{key!r}] is {value!r}."


def _dangerous(given: Mapping[Any, Any]) -> list[CheckMessage]:
    if given.get("RUNNER") != "trusted":
        return []
    return [
        CheckWarning(
            "WORKFLOW['RUNNER'] is 'trusted': who may edit code in the admin can do all that this server's user can.",
            hint="Set it to 'sandbox', unless those people may log in to the server anyway. Time and memory limits "
            "are not kept either.",
            id="workflow.W001",
        )
    ]


def _undispatched(given: Mapping[Any, Any]) -> list[CheckMessage]:
    """What keeps a task queue from driving what engines claim."""
    if given.get("DISPATCH") != "tasks":
        return []
    try:
        backends = compat.tasks().task_backends
    except ImportError:
        hint = "Install it: pip install 'django-durable-workflow[tasks]'."
        return [_error("E010", "WORKFLOW['DISPATCH'] is 'tasks', but Django's Tasks framework is missing.", hint)]
    alias, queue = conf.get("TASK_BACKEND"), conf.get("TASK_QUEUE")
    return _bad_queue(backends, alias, queue) if _is_name(alias) and _is_name(queue) else []


def _bad_queue(backends: Any, alias: Any, queue: Any) -> list[CheckMessage]:
    known = getattr(settings, "TASKS", {})
    if alias not in known:
        hint = "Configure it in the setting TASKS, or name one that is there in WORKFLOW['TASK_BACKEND']."
        return [_error("E011", f"WORKFLOW['DISPATCH'] is 'tasks', but TASKS has no backend {alias!r}.", hint)]
    try:
        queues = backends[alias].queues
    except ImproperlyConfigured as error:
        return [_error("E011", f"The backend {alias!r} of TASKS can't be used: {error}", "Correct the setting TASKS.")]
    if queues and queue not in queues:
        told = f"The backend {alias!r} of TASKS has no queue {queue!r}; it has {', '.join(map(repr, sorted(queues)))}."
        return [_error("E012", told, "Add it to its QUEUES, or name one of them in WORKFLOW['TASK_QUEUE'].")]
    if known[alias]["BACKEND"].endswith(_HERE_OR_NOWHERE):
        told = f"WORKFLOW['DISPATCH'] is 'tasks', but the backend {alias!r} of TASKS hands nothing to workers."
        hint = "Configure one with workers, such as RQ's, or leave DISPATCH at 'engine'."
        return [CheckWarning(told, hint=hint, id="workflow.W010")]
    return []


def _error(number: str, message: str, hint: str) -> Error:
    return Error(message, hint=hint, id=f"workflow.{number}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_MAKE_KEY = "`python3 -c 'import secrets; print(secrets.token_urlsafe(50))'` makes one"
_AT_MOST = f", and up to {conf.MOST_SECONDS:,}"


def _up_to(most: int) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: _is_count(value) and value <= most), f"a whole number from 1 to {most:,}"


def _from(least: float) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: _is_time(value) and value >= least), f"a number of seconds from {least:g} up{_AT_MOST}"


def _is_time(value: Any, most: int = conf.MOST_SECONDS) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _are_keys(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_key, value)) and len(set(value)) == len(value)


def _is_key(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(value.strip()) and bool(value.encode())
    except UnicodeEncodeError:
        return False


def _is_address(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return not value or (parts.scheme in {"http", "https"} and bool(parts.netloc) and not parts.query + parts.fragment)


_COUNT = (_is_count, "a whole number above 0")
_SECONDS = (_is_time, f"a number of seconds above 0{_AT_MOST}")
_NAME = (_is_name, "a name, such as 'default'")
_SWITCH = (lambda value: isinstance(value, bool), "True or False")

_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "RUNNER": (lambda value: value in RUNNERS, " or ".join(map(repr, RUNNERS))),
    "TIME_LIMIT": _SECONDS,
    "MEMORY_LIMIT": (_is_count, "a whole number of MiB above 0"),
    "MAX_STEPS": _COUNT,
    "MAX_DEPTH": _COUNT,
    "MAX_DATA_BYTES": _COUNT,
    "MAX_LOG_CHARACTERS": _COUNT,
    "MAX_UPLOAD_BYTES": _COUNT,
    "SNAPSHOT_KEYS": (
        _are_keys,
        f"a list of different texts, the newest first; {_MAKE_KEY}",
    ),
    "POLL_INTERVAL": _SECONDS,
    "CONCURRENCY": _up_to(conf.MOST_CONCURRENCY),
    "BATCH": _COUNT,
    "WORKERS": _up_to(conf.MOST_WORKERS),
    "LEASE": _from(conf.SHORTEST_LEASE),
    "DISPATCH": (lambda value: value in DRIVERS, " or ".join(map(repr, DRIVERS))),
    "TASK_BACKEND": _NAME,
    "TASK_QUEUE": _NAME,
    "MAIL": _SWITCH,
    "SEND_MAIL": _SWITCH,
    "MAIL_DEFAULT": (lambda value: value in WISHES, " or ".join(map(repr, WISHES))),
    "MAIL_LINK_DAYS": (
        lambda value: _is_time(value, conf.MOST_DAYS),
        f"a number of days above 0, and up to {conf.MOST_DAYS:,}",
    ),
    "MAIL_LINK_LOGIN": _SWITCH,
    "SITE_URL": (_is_address, "the address that the site is reached by, such as 'https://workflow.example.com'"),
}
