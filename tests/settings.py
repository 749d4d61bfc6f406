"""The site's settings, with a database for tests.

`TEST_DATABASE` is `sqlite` (default) or `postgres`. A process that a test starts is given all of it in its environment.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.postgres import postgres_url

# The tests' own, whatever a developer's environment and .env say.
VARIABLES = {
    "ENV_FILE": "",
    "SECRET_KEY": "for-tests-only-" * 4,
    "DEBUG": "off",
    "HTTPS": "off",
    "ALLOWED_HOSTS": "*",
    "SAMPLES": "on",
    "EMAIL_URL": "memorymail://",
    **dict.fromkeys(
        (
            "APPS",
            "BEHIND_PROXY",
            "CSRF_TRUSTED_ORIGINS",
            "DEFAULT_FROM_EMAIL",
            "HSTS_PRELOAD",
            "HSTS_SECONDS",
            "MEDIA_ROOT",
        ),
        "",
    ),
    **dict.fromkeys(
        ("LANGUAGE_CODE", "LOG_FORMAT", "LOG_LEVEL", "SECRET_KEY_FALLBACKS", "SITE_URL", "TIME_ZONE", "WORKFLOW"), ""
    ),
}


def _settle() -> None:
    """The environment of a run of the tests, made by the first process of it; the workers and children inherit it."""
    folder = tempfile.mkdtemp(prefix="workflow-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(VARIABLES, TEST_FOLDER=folder, DATABASE_URL=_database_url(Path(folder)))


def _database_url(folder: Path) -> str:
    match os.environ.get("TEST_DATABASE", "sqlite"):
        case "sqlite":
            return f"sqlite:///{folder}/site.sqlite3"
        case "postgres":
            return postgres_url(folder)
        case other:
            raise SystemExit(f"TEST_DATABASE is {other!r}; it must be 'sqlite' or 'postgres'.")


if "mypy" in sys.modules:  # it reads the settings, but uses no database
    os.environ.update(VARIABLES)
elif "TEST_FOLDER" not in os.environ:
    _settle()
FOLDER = Path(os.environ.get("TEST_FOLDER", tempfile.gettempdir()))

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, INSTALLED_APPS  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "tests.app"]
MEDIA_ROOT = str(FOLDER / "media")
# Files are looked for when they are asked for; else each client of each test would look through all of them as it is made.
WHITENOISE_AUTOREFRESH = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file: engines, commands and the live server are processes and threads of their own.
    DATABASES["default"]["TEST"] = {"NAME": str(FOLDER / "test.sqlite3")}
else:
    DATABASES["default"]["TEST"] = {"NAME": f"test_workflow_{FOLDER.name[-8:].lower()}"}
    # The test database is dropped while nothing but the tests' own connections may be open.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
