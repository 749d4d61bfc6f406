"""The site's settings, with a database for tests.

`TEST_DATABASE` is `sqlite` (default) or `postgres`. A child process of a test is given `DATABASE_URL`, and uses that.
"""

import os
import tempfile
from pathlib import Path

from tests.postgres import postgres_url

os.environ.setdefault("SECRET_KEY", "for-tests-only-" * 4)
# One folder a run, known to the workers that pytest-xdist starts.
FOLDER = Path(os.environ.setdefault("TEST_FOLDER", tempfile.mkdtemp(prefix="workflow-tests-")))
if "DATABASE_URL" not in os.environ:
    kind = os.environ.get("TEST_DATABASE", "sqlite")
    if kind not in {"sqlite", "postgres"}:
        raise SystemExit(f"TEST_DATABASE is {kind!r}; it must be 'sqlite' or 'postgres'.")
    os.environ["DATABASE_URL"] = postgres_url() if kind == "postgres" else f"sqlite:///{FOLDER}/site.sqlite3"

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, INSTALLED_APPS  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "tests.app"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
ALLOWED_HOSTS = ["*"]
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file: engines, commands and the live server are processes and threads of their own.
    DATABASES["default"]["TEST"] = {"NAME": str(FOLDER / "test.sqlite3")}
else:
    DATABASES["default"]["TEST"] = {"NAME": f"test_workflow_{FOLDER.name[-8:].lower()}"}
