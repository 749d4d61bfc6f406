"""System checks of the project around the app: each fault is told with what would be right, and ours has none."""

from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import connection, connections
from django.test import override_settings
from django.urls import clear_url_caches, include, path

from workflow import fitting


class Elsewhere:
    """Sends some models to another database."""

    models: tuple[str, ...] = ("workflow.RunningProcesses",)

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "other" if model._meta.label in self.models else None


class Readers:
    """Reads from a replica."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "replica" if model._meta.label == "workflow.RunningProcesses" else None


class Users(Elsewhere):
    """Keeps groups by themselves."""

    models = ("auth.Group",)


class Nowhere:
    """Makes no tables of ours."""

    def allow_migrate(self, alias: str, app_label: str, **hints: Any) -> bool | None:
        return False if app_label == "workflow" and hints.get("model_name") == "notice" else None


def found(**settings: Any) -> list[tuple[str, str, str]]:
    """Id, message and hint of all that the checks find in a project that has these settings instead of ours."""
    with override_settings(**settings):
        clear_url_caches()
        told = [*fitting.check_database(None), *fitting.check_surroundings(None), *fitting.check_pages(None)]
    clear_url_caches()
    return [(str(one.id).removeprefix("workflow."), one.msg, one.hint or "") for one in told]


def without(name: str, *settings: str) -> list[str]:
    from django.conf import settings as ours

    return [one for one in getattr(ours, name) if one not in settings]


def only(**settings: Any) -> tuple[str, str, str]:
    (one,) = found(**settings)
    return one


def test_our_project_has_no_fault() -> None:
    assert found() == []


def test_django_runs_them_without_a_database(django_db_blocker: Any) -> None:
    with override_settings(USE_TZ=False), django_db_blocker.block():
        without_models = [apps.get_app_config("django_ace")]  # Django's own check of JSON columns may ask the database
        assert "workflow.E021" in [one.id for one in run_checks(without_models)]


def test_a_database_that_it_does_not_work_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"], "vendor", "mysql")
    monkeypatch.setattr(connections["default"], "display_name", "MySQL")
    number, message, hint = only()
    assert (number, message) == ("E020", "The database is MySQL, which workflow does not work on.")
    assert hint.startswith("Set DATABASES['default'] to PostgreSQL")


def test_moments_without_a_zone() -> None:
    number, message, hint = only(USE_TZ=False)
    assert (number, message, hint[:18]) == ("E021", "USE_TZ is False.", "Set USE_TZ = True:")


@pytest.mark.parametrize(
    ("other", "where", "model"),
    [
        (Elsewhere, "'other'", "workflow.RunningProcesses"),
        (Readers, "'replica'", "workflow.RunningProcesses"),
        (Users, "'other'", "auth.Group"),
        (Nowhere, "another database", "workflow.Notice"),
    ],
)
def test_a_router_that_sends_rows_elsewhere(other: type, where: str, model: str) -> None:
    number, message, hint = only(DATABASE_ROUTERS=[f"{__name__}.{other.__name__}"])
    assert number == "E022"
    assert message == f"DATABASE_ROUTERS sends {model} to {where}; workflow works in the database 'default' alone."
    assert hint.startswith("Have the routers return None")


@pytest.mark.parametrize("mode", [None, "DEFERRED"])
def test_sqlite_whose_writers_do_not_wait(monkeypatch: pytest.MonkeyPatch, mode: str | None) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "transaction_mode", mode)
    number, message, hint = only()
    assert (number, message[:39]) == ("W020", "SQLite begins transactions as DEFERRED:")
    assert hint == "Set 'transaction_mode': 'IMMEDIATE' in DATABASES['default']['OPTIONS']."


@pytest.mark.parametrize("app", ["django_ace", "django_htmx"])
def test_an_app_that_is_not_installed(app: str) -> None:
    try:
        number, message, hint = only(INSTALLED_APPS=without("INSTALLED_APPS", app))
    finally:
        assert apps.is_installed(app)
    assert (number, hint) == ("E024", f"Add '{app}' to INSTALLED_APPS.")
    assert message.startswith(f"'{app}' is not in INSTALLED_APPS.")


def test_middleware_that_the_pages_need() -> None:
    gone = "django.contrib.messages.middleware.MessageMiddleware"
    number, message, hint = only(MIDDLEWARE=without("MIDDLEWARE", gone))
    assert (number, message) == ("E025", f"The pages need '{gone}' in MIDDLEWARE.")
    assert gone in hint


def test_context_processors_that_the_pages_need() -> None:
    number, message, hint = only(TEMPLATES=[{"BACKEND": fitting.DJANGO_TEMPLATES, "APP_DIRS": True}])
    assert (number, "context_processors.auth" in message) == ("E026", True)
    assert hint.startswith("Configure django.template")


@pytest.mark.parametrize(("login", "number"), [("nowhere", "E023"), ("/nowhere/", "W021")])
def test_a_log_in_that_is_not_there(login: str, number: str) -> None:
    told, message, hint = only(LOGIN_URL=login)
    assert (told, message[:30]) == (number, f"LOGIN_URL is '{login}', which is no page"[:30])
    assert hint.startswith("Set LOGIN_URL to the name")


@pytest.mark.parametrize(
    "login", ["login", "/login/", "/login/?next=/", "https://sso.example.com/", "//sso.example.com"]
)
def test_a_log_in_that_is_there_or_elsewhere(login: str) -> None:
    assert found(LOGIN_URL=login) == []


def test_users_of_no_groups() -> None:
    number, message, hint = only(AUTH_USER_MODEL="sessions.Session")
    listed = "'groups', 'is_active', 'is_staff', 'is_superuser'"
    assert (number, message) == ("E027", f"AUTH_USER_MODEL 'sessions.Session' has no {listed}.")
    assert hint.startswith("Derive it from PermissionsMixin")


urlpatterns = [path("nothing/", include(([], "nothing")))]


def test_without_pages_nothing_is_asked_of_them() -> None:
    bare = {"ROOT_URLCONF": __name__, "MIDDLEWARE": [], "LOGIN_URL": "nowhere", "TEMPLATES": []}
    assert found(**bare, INSTALLED_APPS=without("INSTALLED_APPS", "django_htmx")) == []
