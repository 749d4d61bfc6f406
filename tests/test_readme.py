"""What the README and the pages of docs/ tell people to type, tried."""

import ast
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from config.samples.load import load
from tests.conftest import Manage
from workflow import conf
from workflow.models import InstanceState, RunningProcesses

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The arguments of every `manage.py` in the blocks of shell."""
    lines = "\n".join(blocks(text, "sh")).splitlines()
    return [shlex.split(line.split("manage.py ", 1)[1]) for line in lines if "manage.py " in line]


def section(title: str) -> str:
    """The part of the README under that heading."""
    return README.split(f"### {title}\n", 1)[1].split("\n#", 1)[0]


def anchors(text: str) -> set[str]:
    """The headings of a page, as links name them."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.slow
def test_its_walk_from_start_to_end_runs_as_it_is_printed(manage: Manage, transactional_db: None) -> None:
    load()
    for arguments in commands(section("Start, run, approve")):
        done = manage(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    instance = RunningProcesses.objects.get()
    # Finance rejected it, so it has gone back to who may correct it.
    assert instance.state == InstanceState.WAITING
    assert list(instance.waiting.values_list("task_name", flat=True)) == ["Correct claim"]


@pytest.mark.slow
def test_processes_are_checked_as_it_is_printed(manage: Manage, transactional_db: None) -> None:
    load()
    for arguments in commands(section("Define a process")):
        done = manage(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one_with_such_options(page: Path) -> None:
    for name, *arguments in commands(page.read_text()):
        assert name in get_commands()
        command = load_command_class(get_commands()[name], name)
        command.create_parser("manage.py", name).parse_args(arguments)


def test_ci_runs_the_line_that_it_tells_for_the_tests() -> None:
    (block,) = [block for block in blocks(README, "sh") if "-m tests" in block]
    assert block.strip() in (ROOT / ".ci" / "run").read_text()


def test_its_table_of_settings_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", section("Settings"), flags=re.MULTILINE)
    assert {name: ast.literal_eval(default) for name, default in rows} == conf.DEFAULTS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_python_is_python_and_imports_what_there_is(page: Path) -> None:
    for block in blocks(page.read_text(), "python"):
        imports = [node for node in ast.parse(block).body if isinstance(node, ast.ImportFrom)]
        exec(compile(ast.Module(body=imports, type_ignores=[]), str(page), "exec"), {})
