"""Runs the whole suite on SQLite, then on PostgreSQL, and what is about people in a project with other users, too:
`python -m tests [pytest's arguments]`.

Two tests take longer if they are asked to: KILL_EVERYWHERE=1 kills engines at each of their commits instead of at some, and
CHAOS_SECONDS=600 disturbs them for ten minutes instead of some seconds; CHAOS_SEED draws the same disturbances again.
"""

import os
import subprocess
import sys

DATABASES = ("sqlite", "postgres")
PROJECTS = ("tests.settings", "tests.settings_uuid")
NO_TESTS = 5  # pytest's exit code where the arguments name none that this run has


def main() -> int:
    """0 if all tests passed in each run, else pytest's exit code of the first that did not."""
    codes = [_run(database, project, sys.argv[1:]) for project in PROJECTS for database in DATABASES]
    failed = [code for code in codes if code not in {0, NO_TESTS}]
    return next(iter(failed), 0 if 0 in codes else NO_TESTS)


def _run(database: str, project: str, arguments: list[str]) -> int:
    print(f"--- {project} on {database}, Python {sys.version.split()[0]}", flush=True)
    command = [sys.executable, "-m", "pytest", f"--ds={project}", "--numprocesses", "auto", "--dist", "worksteal"]
    environment = {**os.environ, "TEST_DATABASE": database}
    return subprocess.run([*command, *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
