"""The German catalogues: compiled as they are written, with everything in them that the source says to people."""

import gettext
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CATALOGUES = [ROOT / app / "locale" / "de" / "LC_MESSAGES" / "django.po" for app in ("workflow", "config")]
NOT_OURS = ["tests", "benchmarks", "docs", ".venv*"]

pytestmark = pytest.mark.skipif(not shutil.which("msgfmt"), reason="gettext's tools are not installed")


def run(*command: str | Path, **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def compiled(path: Path) -> dict[object, str]:
    with path.open("rb") as file:
        return gettext.GNUTranslations(file)._catalog


def unsaid(catalogue: Path) -> list[str]:
    """What has no translation, or one that somebody has to look at."""
    found = [run("msgattrib", "--no-wrap", option, catalogue) for option in ("--untranslated", "--only-fuzzy")]
    return [line for line in "".join(found).splitlines() if line.startswith('msgid "') and line != 'msgid ""']


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.parts[-5])
class TestCatalogue:
    def test_is_compiled_as_it_is_written(self, catalogue: Path, tmp_path: Path) -> None:
        run("msgfmt", "--check-format", "-o", tmp_path / "django.mo", catalogue)
        assert compiled(catalogue.with_suffix(".mo")) == compiled(tmp_path / "django.mo")

    def test_says_everything(self, catalogue: Path) -> None:
        assert unsaid(catalogue) == []


def test_nothing_that_the_source_says_is_missing_in_them(tmp_path: Path) -> None:
    for name in ("workflow", "config", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    command = [sys.executable, "manage.py", "makemessages", "-l", "de", "--no-location", "--no-wrap"]
    run(*command, cwd=tmp_path, env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"})
    for catalogue in CATALOGUES:
        found = tmp_path / catalogue.relative_to(ROOT)
        assert unsaid(found) == []
        assert run("msgattrib", "--only-obsolete", found) == ""
