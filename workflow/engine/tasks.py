"""The task that workers of a task queue run. Import it only where `DISPATCH` is "tasks": it needs a configured queue."""

from workflow import compat, conf
from workflow.engine.worker import drive_handed_over


@compat.tasks().task(backend=conf.get("TASK_BACKEND"), queue_name=conf.get("TASK_QUEUE"))  # type: ignore[untyped-decorator]
def drive(*, instance: int, owner: str, fence: int, lease: float) -> None:
    """Drive an instance that an engine has claimed. Run twice, or too late, it does nothing."""
    drive_handed_over(instance=instance, owner=owner, fence=fence, lease=lease)
