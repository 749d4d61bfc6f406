"""The site's settings, each in a process of its own, since Django reads them once."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PRODUCTION = {
    "SECRET_KEY": "a long random text of nobody's but of these tests, 0123456789-abcdef",
    "ALLOWED_HOSTS": "workflow.example.com",
    "EMAIL_URL": "smtp+tls://us%40er:p%2Fw@mail.example.com:587",
    "SITE_URL": "https://workflow.example.com",
}


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process whose environment has nothing but these variables, and no .env."""
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": "", "PYTHONWARNINGS": "error", **variables}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def settings(*names: str, **variables: str) -> dict[str, Any]:
    """What the settings of these names are, with these variables."""
    code = f"import json; from config import settings as s; print(json.dumps({{n: getattr(s, n) for n in {names}}}))"
    done = run("-c", code, **variables)
    assert not done.returncode, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def setting(name: str, **variables: str) -> Any:
    return settings(name, **variables)[name]


def refusal(**variables: str) -> str:
    """The last line of what settings say that can't be."""
    done = run("-c", "import config.settings", **variables)
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


def test_a_deployment_passes_djangos_own_checks() -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


def test_djangos_checks_can_fail() -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, HTTPS="off")
    assert done.returncode == 1
    assert "security.W004" in done.stderr


class TestSecretKey:
    def test_without_one_the_site_does_not_start_and_says_what_to_set(self) -> None:
        assert refusal() == (
            "django.core.exceptions.ImproperlyConfigured: SECRET_KEY is not set. Set it in the environment or in .env to "
            "a long random text, which `python3 -c 'import secrets; print(secrets.token_urlsafe(50))'` makes; or set "
            "DEBUG=on to develop without one."
        )

    def test_a_blank_one_is_none(self) -> None:
        assert "SECRET_KEY is not set" in refusal(SECRET_KEY="  ")

    def test_a_short_one_is_refused_but_for_development(self) -> None:
        assert refusal(SECRET_KEY="x" * 31) == (
            "django.core.exceptions.ImproperlyConfigured: SECRET_KEY has 31 characters, and needs 32 or more: log-ins and "
            "links in e-mails are only as safe as it is. `python3 -c 'import secrets; print(secrets.token_urlsafe(50))'` "
            "makes one."
        )
        assert setting("SECRET_KEY", SECRET_KEY="x" * 32) == "x" * 32
        assert setting("SECRET_KEY", SECRET_KEY="short", DEBUG="on") == "short"

    def test_a_short_one_that_was_replaced_is_warned_of(self) -> None:
        done = run("manage.py", "check", "--deploy", **PRODUCTION, SECRET_KEY_FALLBACKS="short")
        assert "Your SECRET_KEY_FALLBACKS[0] has less than 50 characters" in done.stderr

    def test_for_development_one_is_made(self) -> None:
        assert setting("SECRET_KEY", DEBUG="on").startswith("django-insecure-")

    def test_the_one_given_is_taken(self) -> None:
        assert setting("SECRET_KEY", SECRET_KEY="mine", DEBUG="on") == "mine"


class TestDatabase:
    def test_by_default_it_is_a_file_in_the_project(self) -> None:
        database = setting("DATABASES", DEBUG="on")["default"]
        assert database["ENGINE"] == "django.db.backends.sqlite3"
        assert database["NAME"] == str(ROOT / "db.sqlite3")

    def test_a_relative_path_starts_at_the_project(self) -> None:
        database = setting("DATABASES", DEBUG="on", DATABASE_URL="sqlite:///data/mine.sqlite3")["default"]
        assert database["NAME"] == str(ROOT / "data" / "mine.sqlite3")

    def test_options_in_the_url_come_before_ours(self) -> None:
        database = setting("DATABASES", DEBUG="on", DATABASE_URL="sqlite:////tmp/x.sqlite3?timeout=5")["default"]
        assert database["OPTIONS"]["timeout"] == 5
        database = setting("DATABASES", DEBUG="on", DATABASE_URL="sqlite:////tmp/x.sqlite3?timeout=0.5")["default"]
        assert database["OPTIONS"]["timeout"] == 0.5
        assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"

    def test_sqlite_is_opened_for_many_readers_one_writer_and_power_cuts(self, tmp_path: Path) -> None:
        code = (
            "import django; django.setup()\n"
            "from django.db import connection, transaction\n"
            "cursor = connection.cursor()\n"
            "for name in ('journal_mode', 'synchronous', 'busy_timeout', 'foreign_keys'):\n"
            "    print(name, *cursor.execute(f'PRAGMA {name}').fetchone())\n"
            "with transaction.atomic():\n"
            "    import sqlite3; other = sqlite3.connect(connection.settings_dict['NAME'], timeout=0)\n"
            "    try: other.execute('BEGIN IMMEDIATE')\n"
            "    except sqlite3.OperationalError as error: print(error)\n"
        )
        url = f"sqlite:///{tmp_path}/site.sqlite3"
        done = run("-c", code, DEBUG="on", DATABASE_URL=url, DJANGO_SETTINGS_MODULE="config.settings")
        assert done.stdout.splitlines() == [
            "journal_mode wal",
            "synchronous 2",
            "busy_timeout 20000",
            "foreign_keys 1",
            "database is locked",
        ], done.stderr

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
    def test_postgresql_is_named_by_a_url(self, scheme: str) -> None:
        url = f"{scheme}://anna:p%40ss@db.example.com:5433/workflow?sslmode=require"
        database = setting("DATABASES", DEBUG="on", DATABASE_URL=url)["default"]
        assert database == {
            "ENGINE": "django.db.backends.postgresql",
            "USER": "anna",
            "PASSWORD": "p@ss",
            "HOST": "db.example.com",
            "PORT": 5433,
            "NAME": "workflow",
            "OPTIONS": {"connect_timeout": 10, "sslmode": "require"},
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }

    def test_switches_of_djangos_own_can_stand_in_the_url(self) -> None:
        url = "postgres://anna@db.example.com/workflow?server_side_binding=true&connect_timeout=3"
        options = setting("DATABASES", DEBUG="on", DATABASE_URL=url)["default"]["OPTIONS"]
        assert options == {"server_side_binding": True, "connect_timeout": 3}

    def test_another_kind_is_refused(self) -> None:
        assert refusal(DEBUG="on", DATABASE_URL="sqlite:////tmp/x.sqlite3?timeout=soon") == (
            "django.core.exceptions.ImproperlyConfigured: The timeout in DATABASE_URL is 'soon'. It must be a number of seconds."
        )
        assert refusal(DEBUG="on", DATABASE_URL="mysql://root@localhost/workflow") == (
            "django.core.exceptions.ImproperlyConfigured: DATABASE_URL starts with 'mysql'. It must be "
            "sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME."
        )


def test_cookies_and_pages_go_by_https_unless_told_otherwise() -> None:
    names = ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS")
    assert set(settings(*names, **PRODUCTION).values()) == {True, 31_536_000}
    assert set(settings(*names, **PRODUCTION, HTTPS="off").values()) == {False}  # 0 equals False
    assert set(settings(*names, DEBUG="on").values()) == {False}


def test_no_browser_keeps_the_site_on_its_list_unless_asked() -> None:
    assert [setting("SECURE_HSTS_PRELOAD", **PRODUCTION, HSTS_PRELOAD=given) for given in ("", "off", "on")] == [
        False,
        False,
        True,
    ]


def test_the_proxys_header_is_believed_only_on_request() -> None:
    assert setting("SECURE_PROXY_SSL_HEADER", **PRODUCTION, BEHIND_PROXY="on") == ["HTTP_X_FORWARDED_PROTO", "https"]
    assert (
        "AttributeError" in run("-c", "from config import settings as s; s.SECURE_PROXY_SSL_HEADER", DEBUG="on").stderr
    )


@pytest.mark.parametrize(
    ("variables", "granted"), [({}, False), ({"DEBUG": "on"}, True), ({"DEBUG": "on", "SAMPLES": "off"}, False)]
)
def test_actions_of_the_samples_are_granted_only_while_developing(variables: dict[str, str], granted: bool) -> None:
    apps = setting("INSTALLED_APPS", **PRODUCTION, **variables)
    assert ("config.samples" in apps) is granted


def test_apps_of_ones_own_are_installed() -> None:
    assert {"shop", "crm.sales"} <= set(setting("INSTALLED_APPS", **PRODUCTION, APPS="shop, crm.sales"))


def test_the_engines_settings_are_json() -> None:
    read = setting("WORKFLOW", **PRODUCTION, WORKFLOW='{"TIME_LIMIT": 2.5}')
    assert read == {"TIME_LIMIT": 2.5, "SITE_URL": "https://workflow.example.com"}


def test_a_deployment_without_its_address_is_told_that_mail_has_no_links() -> None:
    production = {**PRODUCTION, "SITE_URL": ""}
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **production)
    assert done.returncode == 1
    assert "workflow.W002" in done.stderr
    assert not run(
        "manage.py", "check", "--deploy", "--fail-level", "WARNING", **production, WORKFLOW='{"MAIL": false}'
    ).returncode


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"HTTPS": "onn"}, "HTTPS is 'onn'. It must be on or off."),
        ({"WORKFLOW": "[]"}, 'WORKFLOW is []. It must be a JSON object, like {"TIME_LIMIT": 10}.'),
        ({"WORKFLOW": "{"}, "WORKFLOW is not JSON: Expecting property name enclosed in double quotes: line 1 column 2"),
        ({"EMAIL_URL": "pigeon://mail"}, "Invalid email schema pigeon"),
    ],
)
def test_a_wrong_value_is_told(variables: dict[str, str], told: str) -> None:
    assert told in refusal(**{**PRODUCTION, **variables})


def test_mail_goes_where_the_url_says() -> None:
    code = (
        "import django; django.setup()\n"
        "from django.core import mail\n"
        "b = mail.mailers['default'] if hasattr(mail, 'mailers') else mail.get_connection()\n"
        "print(type(b).__module__, b.host, b.port, b.username, b.password, b.use_tls, b.timeout)\n"
    )
    done = run("-c", code, **PRODUCTION, DJANGO_SETTINGS_MODULE="config.settings")
    assert done.stdout.split() == [
        "django.core.mail.backends.smtp",
        "mail.example.com",
        "587",
        "us@er",
        "p/w",
        "True",
        "30",
    ]
    assert done.stderr == ""


def test_a_file_in_place_of_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "site.env"
    key = "from the file, of 32 characters or more"
    file.write_text(f"SECRET_KEY={key}\nTIME_ZONE=Asia/Tokyo\n")
    read = settings("SECRET_KEY", "TIME_ZONE", ENV_FILE=str(file), TIME_ZONE="Europe/Lisbon")
    assert read == {"SECRET_KEY": key, "TIME_ZONE": "Europe/Lisbon"}


class TestExample:
    """`.env.example` and the settings name the same variables."""

    text = (ROOT / ".env.example").read_text()

    def test_it_names_every_variable_and_no_other(self) -> None:
        code = (ROOT / "config" / "settings.py").read_text()
        read = {*re.findall(r'\benv\.\w+\(\s*"([A-Z_]+)"', code), *re.findall(r'os\.environ\.get\("([A-Z_]+)"', code)}
        assert set(re.findall(r"^(?:# )?([A-Z_]+)=", self.text, flags=re.MULTILINE)) == read

    def test_each_variable_is_explained(self) -> None:
        lines = self.text.splitlines()
        bare = [line for before, line in zip(["", *lines], lines, strict=False) if "=" in line and before[:1] != "#"]
        assert not bare

    def test_copied_as_it_is_it_leaves_the_defaults(self, tmp_path: Path) -> None:
        names = (
            "DEBUG",
            "DATABASES",
            "TIME_ZONE",
            "LANGUAGE_CODE",
            "WORKFLOW",
            "SECURE_SSL_REDIRECT",
            "INSTALLED_APPS",
        )
        (tmp_path / ".env").write_text(self.text)
        given = {"SECRET_KEY": PRODUCTION["SECRET_KEY"]}
        assert settings(*names, **given, ENV_FILE=str(tmp_path / ".env")) == settings(*names, **given)


def test_the_checkers_know_the_migrations() -> None:
    done = run("manage.py", "makemigrations", "--check", "--dry-run", DEBUG="on", DATABASE_URL="sqlite://:memory:")
    assert done.returncode == 0, done.stdout


class TestPages:
    """What the site's own addresses answer."""

    def test_the_front_page_is_the_inbox_of_whoever_logs_in(self, client: Any) -> None:
        assert client.get("/").headers["Location"] == "/login/?next=/"

    def test_the_log_in_has_the_sites_name(self, client: Any, db: None) -> None:
        for page in ("/admin/login/", "/login/"):
            assert "Workflow</a>" in client.get(page).text

    @pytest.mark.parametrize("page", ["/login/", "/admin/login/", "/nothing/"])
    def test_browsers_run_and_load_nothing_but_the_sites_own_files(self, client: Any, db: None, page: str) -> None:
        policy = client.get(page).headers["Content-Security-Policy"]
        assert policy == (
            "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )

    @pytest.mark.parametrize("page", ["/login/", "/nothing/"])
    def test_browsers_let_it_use_no_device(self, client: Any, db: None, page: str) -> None:
        policy = client.get(page).headers["Permissions-Policy"]
        assert {"camera=()", "geolocation=()", "microphone=()", "usb=()"} <= set(policy.split(", "))

    def test_static_files_are_served_without_being_collected(self, client: Any, settings: Any) -> None:
        settings.WHITENOISE_AUTOREFRESH = False  # as where it is in earnest
        response = client.get("/static/admin/css/base.css")
        assert response.headers["Content-Type"] == 'text/css; charset="utf-8"'
        assert b"DJANGO Admin styles" in b"".join(response.streaming_content)


def test_commands_say_what_is_wrong_with_the_settings_in_one_line() -> None:
    done = run("manage.py", "migrate", "--help")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error in the settings: SECRET_KEY is not set.")


def test_a_log_level_that_is_none_is_refused() -> None:
    said = refusal(**PRODUCTION, LOG_LEVEL="foo")
    assert said.endswith("LOG_LEVEL is 'foo'. It must be one of DEBUG, INFO, WARNING, ERROR.")
    assert setting("LOG_LEVEL", **PRODUCTION, LOG_LEVEL="warning") == "WARNING"
    said = refusal(**PRODUCTION, LOG_FORMAT="xml")
    assert said.endswith("LOG_FORMAT is 'xml'. It must be one of LOGFMT, JSON.")
