"""Runs the whole suite on SQLite, then on PostgreSQL: `python -m tests [pytest's arguments]`.

Two tests take longer if they are asked to: KILL_EVERYWHERE=1 kills engines at each of their commits instead of at some, and
CHAOS_SECONDS=600 disturbs them for ten minutes instead of some seconds; CHAOS_SEED draws the same disturbances again.
"""

import os
import subprocess
import sys

DATABASES = ("sqlite", "postgres")


def main() -> int:
    """0 if all tests passed on both, else pytest's exit code of the first that did not."""
    codes = [_run(database, sys.argv[1:]) for database in DATABASES]
    return next((code for code in codes if code), 0)


def _run(database: str, arguments: list[str]) -> int:
    print(f"--- The suite on {database}, Python {sys.version.split()[0]}", flush=True)
    command = [sys.executable, "-m", "pytest", "--numprocesses", "auto", "--dist", "worksteal", *arguments]
    return subprocess.run(command, env={**os.environ, "TEST_DATABASE": database}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
