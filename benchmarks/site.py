"""The site as a deployment has it: its environment, its commands, and its models in this process."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def environment(url: str) -> dict[str, str]:
    """A child's whole environment: what a deployment must set, and the defaults for all else."""
    return {
        "PATH": os.environ["PATH"],
        "ENV_FILE": "",
        "SECRET_KEY": "for-benchmarks-only-" * 4,
        "DEBUG": "off",
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


def manage(url: str, *arguments: str) -> None:
    """Run a command of `manage.py` to its end."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(url), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def set_up(url: str) -> None:
    """Have the site's models in this process, on that database."""
    import django

    os.environ.update(environment(url))
    django.setup()
