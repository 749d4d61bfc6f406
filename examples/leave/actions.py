"""What code of processes may call."""

from datetime import date, timedelta

from workflow import action, current_run


@action(checkpoint=False)
def working_days(first: date, last: date) -> int:
    """The days from Monday to Friday in that time, its last day included."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return sum(day.weekday() < 5 for day in days)


@action
def book(days: int) -> str:
    """Book days off in the calendar of all; returns what the booking is called there."""
    return f"{days} days, {current_run().key}"
