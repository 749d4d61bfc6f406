"""Actions for tests: effects that outlive the process that made them."""

import os
import time
from pathlib import Path

from workflow.code.actions import action


@action
def note(text: str) -> int:
    """Append a line to the file that the environment variable EFFECTS names; returns the line's length."""
    with Path(os.environ["EFFECTS"]).open("a") as file:
        file.write(f"{text}\n")
    return len(text)


@action
def pause(seconds: float) -> None:
    """Take a while, as a slow service does."""
    time.sleep(seconds)
