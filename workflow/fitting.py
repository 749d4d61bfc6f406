"""System checks of the project around the app: whether its database, its settings and its users are such that the app works.

None of them connects to the database, so that `check` needs none.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.module_loading import import_string

VENDORS = ("postgresql", "sqlite")
IMMEDIATE = ("IMMEDIATE", "EXCLUSIVE")

MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)
"""What the pages need, in this order."""

PROCESSORS = (
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
)
DJANGO_TEMPLATES = "django.template.backends.django.DjangoTemplates"

USER_FIELDS = ("groups", "is_active", "is_staff", "is_superuser")


@register()
def check_database(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Whether the database is one that the app works on, and has all of the app's tables."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor not in VENDORS:
        return [
            _error(
                "E020",
                f"The database is {connection.display_name}, which workflow does not work on.",
                "Set DATABASES['default'] to PostgreSQL, or to SQLite for small sites.",
            )
        ]
    mode = str(connection.settings_dict["OPTIONS"].get("transaction_mode") or "DEFERRED")
    found = list(_routed_elsewhere())
    if connection.vendor == "sqlite" and mode.upper() not in IMMEDIATE:
        found.append(
            CheckWarning(
                f"SQLite begins transactions as {mode.upper()}: writers fail with 'database is locked' instead of waiting.",
                hint="Set 'transaction_mode': 'IMMEDIATE' in DATABASES['default']['OPTIONS'].",
                id="workflow.W020",
            )
        )
    return found


def _routed_elsewhere() -> Iterator[CheckMessage]:
    models: list[Any] = [*apps.get_app_config("workflow").get_models(), get_user_model(), Group, ContentType]
    for model in models:
        aliases = {router.db_for_read(model), router.db_for_write(model)} - {DEFAULT_DB_ALIAS}
        if not aliases and router.allow_migrate_model(DEFAULT_DB_ALIAS, model):
            continue
        where = " and ".join(map(repr, sorted(aliases))) or "another database"
        yield _error(
            "E022",
            f"DATABASE_ROUTERS sends {model._meta.label} to {where}; workflow works in the database 'default' alone.",
            "Have the routers return None for the models of workflow, users, groups and content types.",
        )


@register()
def check_surroundings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Whether the project's settings and users are such that engines and the admin work."""
    found: list[CheckMessage] = []
    if not settings.USE_TZ:
        hint = "Set USE_TZ = True: due dates, leases and histories are moments, wherever a machine is."
        found.append(_error("E021", "USE_TZ is False.", hint))
    if apps.is_installed("django.contrib.admin"):
        found += _missing_app("django_ace", "The admin edits code with it.")
    if missing := [name for name in USER_FIELDS if not _has_field(get_user_model(), name)]:
        found.append(
            _error(
                "E027",
                f"AUTH_USER_MODEL {settings.AUTH_USER_MODEL!r} has no {_listed(missing)}.",
                "Derive it from PermissionsMixin, and add the fields that are missing: tasks are for users and groups.",
            )
        )
    return found


@register(Tags.urls)
def check_pages(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Where the project includes the app's pages, whether they find what they need."""
    if not _has_pages():
        return []
    return [
        *_missing_app("django_htmx", "The pages get its script from it."),
        *_missing_middleware(),
        *_missing_processors(),
        *_unresolved_login(),
    ]


def _has_pages() -> bool:
    if not getattr(settings, "ROOT_URLCONF", None):
        return False
    try:
        reverse("workflow:inbox")
    except NoReverseMatch:
        return False
    return True


def _missing_app(app: str, why: str) -> list[CheckMessage]:
    if apps.is_installed(app):
        return []
    return [_error("E024", f"{app!r} is not in INSTALLED_APPS. {why}", f"Add {app!r} to INSTALLED_APPS.")]


def _missing_middleware() -> list[CheckMessage]:
    missing = [name for name in MIDDLEWARE if not _has_middleware(name)]
    if not missing:
        return []
    hint = "Add it to MIDDLEWARE, in this order: " + ", ".join(MIDDLEWARE) + "."
    return [_error("E025", f"The pages need {_listed(missing)} in MIDDLEWARE.", hint)]


def _has_middleware(wanted: str) -> bool:
    """Whether it, or a project's own that derives from it, is installed."""
    if wanted in settings.MIDDLEWARE:
        return True
    base = import_string(wanted)
    installed = map(import_string, settings.MIDDLEWARE)
    return any(isinstance(one, type) and issubclass(one, base) for one in installed)


def _missing_processors() -> list[CheckMessage]:
    configured: Any = settings.TEMPLATES
    engines = [one for one in configured if one.get("BACKEND") == DJANGO_TEMPLATES]
    given: Iterable[str] = engines[0].get("OPTIONS", {}).get("context_processors", ()) if engines else ()
    missing = [name for name in PROCESSORS if name not in given]
    if not missing:
        return []
    hint = f"Configure {DJANGO_TEMPLATES}, and list them in its OPTIONS['context_processors']."
    return [_error("E026", f"The pages need {_listed(missing)} in TEMPLATES.", hint)]


def _unresolved_login() -> list[CheckMessage]:
    login = str(settings.LOGIN_URL)
    if "://" in login or login.startswith("//"):
        return []
    told = f"LOGIN_URL is {login!r}, which is no page of this site: people who are not logged in find none."
    hint = (
        "Set LOGIN_URL to the name or the path of the page to log in, such as 'login', and add that page to the URLs."
    )
    try:
        if "/" in login:
            resolve(login.removeprefix(get_script_prefix().rstrip("/")).partition("?")[0])
        else:
            reverse(login)
    except NoReverseMatch:
        return [_error("E023", told, hint)]
    except Resolver404:  # another server may have that path
        return [CheckWarning(told, hint=hint, id="workflow.W021")]
    return []


def _has_field(model: Any, name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _error(number: str, message: str, hint: str) -> Error:
    return Error(message, hint=hint, id=f"workflow.{number}")
