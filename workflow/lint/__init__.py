"""What is wrong with a definition, found before anything runs (DESIGN.md 3, "Validation").

Pure: what only the sandbox or the database know is asked through the functions that `lint` is given. Only what
is certain is an error, because an error keeps the process from being started; what is merely odd is a warning.

`checklist` has it all, in reading order: what is wrong with the `process` as a whole, with its `tasks` and the `people` who
decide them, with its `code`, with its `rows` and the `keys` of the data that they change, and with the ways from one of its `steps` to the next.
"""

from workflow.findings import Finding
from workflow.lint.checklist import lint
from workflow.lint.people import DECIDERS

__all__ = ["DECIDERS", "Finding", "lint"]
