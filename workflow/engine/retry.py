"""When a failed task is tried again. Pure: time and chance are arguments."""

from datetime import datetime, timedelta

LONGEST = timedelta(days=1)


def retry_at(attempt: int, *, delay: float, now: datetime, jitter: float) -> datetime:
    """The time of the attempt after `attempt` (counted from 1).

    `delay` seconds after the first, doubling with each further one, up to a day; `jitter`, from 0 to 1, adds up to a
    tenth, so that what failed together does not come back together.
    """
    seconds = min(delay * 2.0 ** min(attempt - 1, 64), LONGEST.total_seconds())
    return now + timedelta(seconds=seconds * (1 + jitter / 10))
