"""The process as a whole: that it has a name, tasks and rows, and a form to start it that makes sense."""

from collections.abc import Iterator

from workflow import questions
from workflow.definition import Definition
from workflow.findings import Finding
from workflow.language import gettext as _


def findings(definition: Definition) -> Iterator[Finding]:
    if not definition.name.strip():
        yield Finding(level="error", field="name", message=_("The process has no name. Give it one."))
    if not definition.tasks:
        yield Finding(
            level="error", message=_("The process has no tasks. Add one, and a transition that gives it a step.")
        )
    elif not definition.rows:
        yield Finding(
            level="error", message=_("The process has no transitions. Add one for each task: it says at which step.")
        )
    for fault in questions.faults(definition.fields):
        yield Finding(level=fault.level, field="fields", entry=fault.entry, message=fault.message)
