"""The release after this one: a copy of the source with a new action, a new field of definitions, and a new migration."""

import shutil
from pathlib import Path

from tests.conftest import ROOT

MIGRATION = "9000_of_the_next_release"

_FORMAT = "FORMAT = 1\n"
_LAST_OF_TASK = "    memory_limit: int | None = None\n"
_LAST_OF_MODEL = "    memory_limit = models.PositiveIntegerField(\n"
_LAST_OF_DRAFT = "        memory_limit=task.memory_limit,\n"
_CODE = "            code=task.code,\n"

EDITS = {
    "workflow/definition.py": [
        (_FORMAT, "FORMAT = 2\n"),
        ("import hashlib\n", "import dataclasses\nimport hashlib\n"),
        (_LAST_OF_TASK, f'{_LAST_OF_TASK}    before: str = dataclasses.field(default="", metadata={{"since": 2}})\n'),
    ],
    "workflow/models/definitions.py": [(_LAST_OF_MODEL, f"    before = models.TextField(null=True)\n{_LAST_OF_MODEL}")],
    "workflow/models/drafts.py": [(_LAST_OF_DRAFT, f'{_LAST_OF_DRAFT}        before=task.before or "",\n')],
    "workflow/engine/held.py": [(_CODE, '            code=f"{task.before}\\n{task.code}",\n')],
}
"""By file: what is replaced, and by what. A task gets code that is run before its own."""

ACTION = """

@action
def ring(text: str) -> str:
    \"\"\"Note it, as only this release can.\"\"\"
    note(text)
    return text
"""

MIGRATE = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workflow", "{after}")]
    operations = [migrations.AddField("task", "before", models.TextField(null=True))]
"""


def make_next_release(folder: Path) -> Path:
    """The root of its source, in that folder."""
    root = folder / "next-release"
    for name in ("workflow", "config", "templates", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "locale", "browser"))
    shutil.copy(ROOT / "manage.py", root)
    for name, edits in EDITS.items():
        path = root / name
        text = path.read_text()
        for old, new in edits:
            assert text.count(old) == 1, f"{name} has changed: it has {old!r} {text.count(old)} times."
            text = text.replace(old, new)
        path.write_text(text)
    with (root / "tests/app/actions.py").open("a") as actions:
        actions.write(ACTION)
    (root / "workflow/migrations" / f"{MIGRATION}.py").write_text(MIGRATE.format(after=newest_migration()))
    return root


def newest_migration() -> str:
    """The newest migration of this release."""
    return max(path.stem for path in (ROOT / "workflow/migrations").glob("0*.py"))
