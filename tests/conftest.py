"""Fixtures that tests share: the database's address for child processes, commands, and a browser."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.forking import Forking

ROOT = Path(__file__).parent.parent
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]

# A busy machine is slow, not wrong.
hypothesis_settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("project")

# Benchmarks bring databases of their own, as the demo does as a rule, the runners have none, neither a browser nor a terminal sees which
# one there is, nor does a translation, and only SQLite locks all of it: one of the suite's two runs is enough for them.
IS_SECOND_RUN = os.environ.get("TEST_DATABASE") == "postgres"
ONCE = ["browser", "code", "german", "test_benchmarks.py", "test_demo.py", "system/test_locked.py"]
COMMANDS = Path(__file__).parent / "commands"
# What rows others have locked, only PostgreSQL can tell; and only it is a server, which counts connections, or is taken away.
ON_POSTGRES = [
    "engine/test_held_up.py",
    "system/test_few_connections.py",
    "system/test_own_server.py",
    "test_delays_postgres.py",
    "transitions/test_brief.py",
]
# A project with other users than Django's tries what is about people: pages and all on SQLite, the rest on PostgreSQL, too.
IS_OTHER_PROJECT = os.environ.get("DJANGO_SETTINGS_MODULE") == "tests.settings_uuid"
ABOUT_PEOPLE = ["mail", "people", "test_bulk.py", "test_operations.py", "test_operators.py"]
if not IS_SECOND_RUN:
    ABOUT_PEOPLE += ["admin", "commands", "test_starting.py", "views"]

collect_ignore = ONCE if IS_SECOND_RUN else ON_POSTGRES
if IS_OTHER_PROJECT:
    collect_ignore = [one.name for one in Path(__file__).parent.iterdir() if one.name not in ABOUT_PEOPLE]

Child = Any  # a subprocess.Popen, or a Forked
Manage = Callable[..., subprocess.CompletedProcess[str]]
Spawn = Callable[..., Child]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The second run of the suite is for what another database may change: neither pure code nor pages in a browser.

    The slow tests come first, so that all that run side by side end at about the same time.
    """
    _keep(_depends_on_the_database if IS_SECOND_RUN else _needs_no_server, config, items)
    if IS_OTHER_PROJECT:
        _keep(_holds_in_other_projects, config, items)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _depends_on_the_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    uses_it = item.get_closest_marker("django_db") is not None or "db" in fixtures or "transactional_db" in fixtures
    is_command = COMMANDS in item.path.parents and _needs_no_server(item)
    return uses_it and not is_command and "browser" not in fixtures


def _needs_no_server(item: pytest.Item) -> bool:
    return item.get_closest_marker("postgres") is None


def _holds_in_other_projects(item: pytest.Item) -> bool:
    is_left = item.get_closest_marker("slow") or item.get_closest_marker("demo")
    return is_left is None and "browser" not in getattr(item, "fixturenames", ())


def _keep(which: Callable[[pytest.Item], bool], config: pytest.Config, items: list[pytest.Item]) -> None:
    left = [item for item in items if not which(item)]
    items[:] = [item for item in items if which(item)]
    config.hook.pytest_deselected(items=left)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.section("In CI nothing may be skipped: this run has failed", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped") and not exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _no_language_is_left() -> Iterator[None]:
    """A test's client leaves its language behind, as it does in a thread of a web server."""
    yield
    from django.utils import translation

    translation.deactivate()


@pytest.fixture
def django_assert_max_num_queries(django_assert_max_num_queries: Any) -> Any:
    """pytest-django's, with room for the savepoints in a request where each is a transaction."""
    from django.db import connection

    more = 5 if connection.settings_dict["ATOMIC_REQUESTS"] else 0
    return lambda most, *arguments, **named: django_assert_max_num_queries(most + more, *arguments, **named)


@pytest.fixture(scope="session")
def database_url_of_all(django_db_setup: None) -> str:
    """The address of the tests' database."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


@pytest.fixture
def database_url(database_url_of_all: str, transactional_db: None) -> str:
    """The same for a child's `DATABASE_URL`: this test's rows are committed, so children see them."""
    return database_url_of_all


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """What a child process needs to work on this test's database."""
    return environment_for(database_url)


def environment_for(database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "tests.settings"),
        "PYTHONWARNINGS": "default",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(scope="session")
def forking(database_url_of_all: str) -> Iterator[Forking]:
    """Starts processes that need no environment of their own."""
    server = Forking(environment_for(database_url_of_all))
    yield server
    server.close()


@pytest.fixture
def start_command(environment: dict[str, str], forking: Forking) -> Callable[..., Child]:
    """Starts `manage.py` as a process: by a fork, or afresh as a user does, if it is given variables of its own."""

    def start(arguments: Sequence[str], variables: Mapping[str, str], *, output: int, errors: int) -> Child:
        for_it = {**environment, **variables}
        if forking.serves(for_it):
            return forking.start(arguments, for_it, output=output, errors=errors)
        # Its group is its own, so that a test can signal it with all that it has started.
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=for_it, stdout=output, stderr=errors, process_group=0)

    return start


@pytest.fixture
def manage(start_command: Callable[..., Child]) -> Manage:
    """Runs `manage.py` as a process to its end, and gives its output."""

    def run(*arguments: str, timeout: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
        with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
            child = start_command(arguments, variables, output=output.fileno(), errors=errors.fileno())
            try:
                child.wait(timeout)
            except subprocess.TimeoutExpired:
                child.kill()
                raise
            for file in (output, errors):
                file.seek(0)
            return subprocess.CompletedProcess(child.args, child.returncode, output.read(), errors.read())

    return run


@pytest.fixture
def spawn(start_command: Callable[..., Child], tmp_path: Path) -> Iterator[Spawn]:
    """Starts `manage.py` as a process that the test's end kills, if the test has not. Its output is in `.log`, a path."""
    children: list[Child] = []

    def start(*arguments: str, **variables: str) -> Child:
        log = tmp_path / f"child-{len(children)}.log"
        with log.open("w") as output:
            child = start_command(arguments, variables, output=output.fileno(), errors=output.fileno())
        child.log = log
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGCONT)
            child.kill()
        child.wait(timeout=20)


@pytest.fixture
def effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file outside the database, to which the action `note` appends."""
    path = tmp_path / "effects"
    path.touch()
    monkeypatch.setenv("EFFECTS", str(path))
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"No browser: install one of {', '.join(BROWSERS)} to run the tests of pages.")
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=BROWSER_ARGUMENTS)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page of a browser session of its own, with options of that. What goes wrong on it fails the test: an error in
    a script, and whatever the Content-Security-Policy has kept from it.
    """
    contexts: list[Any] = []
    errors: list[str] = []

    def listen(message: Any) -> None:
        # What the server answers is the test's to look at; the browser tells of each refusal besides.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            errors.append(message.text)

    def open_one(**options: Any) -> Any:
        contexts.append(browser.new_context(**options))
        opened = contexts[-1].new_page()
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", listen)
        return opened

    yield open_one
    for context in contexts:
        context.close()
    assert not errors, f"Errors of the page: {errors}"


@pytest.fixture
def page(open_page: Callable[..., Any]) -> Any:
    """A page of a browser session of its own."""
    return open_page()
