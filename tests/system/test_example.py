"""The example project, with the app as it is installed from a wheel: what a wheel has, what a type checker knows, and its tests."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "workflow")
KINDS = ("*.html", "*.txt", "*.css", "*.js", "*.svg", "*.mo", "*.po", "py.typed")

TYPED = """
from typing import assert_type

import workflow
from workflow import action, current_run, start_many
from workflow.models import RunningProcesses


@action
def plain(number: int, *, text: str = "") -> str:
    return text * number


@action(atomic=True)
def atomic(number: int) -> bytes:
    return bytes(number)


assert_type(plain(2, text="x"), str)
assert_type(atomic(2), bytes)
assert_type(current_run().key, str)
assert_type(start_many("Order", [{}]), list[RunningProcesses])
plain("2")  # type: ignore[arg-type]
atomic()  # type: ignore[call-arg]
workflow.strat("Order")  # type: ignore[attr-defined]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app lies that a wheel has installed, and nothing else."""
    source, wheels, target = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "installed"))
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    built = pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(source))
    if "Could not find a version" in built.stderr or "No matching distribution" in built.stderr:
        pytest.skip("To build a wheel, pip needs setuptools from a package index.")
    assert not built.returncode, built.stderr
    (wheel,) = wheels.glob("*.whl")
    done = pip("install", "--no-deps", "--no-index", "--target", str(target), str(wheel))
    assert not done.returncode, done.stderr
    return target


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pip", "-q", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def python(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has all that this one has, and the app as a wheel has installed it."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "there.pth").write_text(f"{installed}\n{sysconfig.get_path('purelib')}\n")
    return environment / "bin" / "python"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, beside which no source of ours is found."""
    return Path(shutil.copytree(ROOT / "examples", tmp_path_factory.mktemp("project") / "examples"))


def run(python: Path, project: Path, *arguments: str) -> str:
    """The output of a command in the example, which must succeed."""
    ours = ("DJANGO_", "DATABASE_", "TEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment["MONTY_BIN"] = str(Path(sys.executable).with_name("monty"))  # looked for beside the Python that runs
    done = subprocess.run(
        [str(python), *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_wheel_has_all_that_is_no_python(installed: Path) -> None:
    def others(root: Path) -> set[str]:
        return {str(one.relative_to(root)) for kind in KINDS for one in root.rglob(kind)}

    assert others(installed / "workflow") == others(ROOT / "workflow")
    assert (installed / "workflow" / "py.typed").exists()


def test_it_passes_checks_and_its_own_tests(python: Path, project: Path) -> None:
    assert "no issues" in run(python, project, "manage.py", "check", "--fail-level", "WARNING")
    assert "OK" in run(python, project, "-W", "error", "manage.py", "test")


def test_a_strict_type_checker_passes_it(python: Path, project: Path) -> None:
    (project / "leave" / "typed.py").write_text(TYPED)
    checked = ("-m", "mypy", "--strict", "--config-file", "mypy.ini", "--cache-dir", str(project / "cache"), "leave")
    assert "Success" in run(python, project, *checked)
