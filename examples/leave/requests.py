"""Days off, as the rest of the project asks for them."""

from datetime import date

from django.contrib.auth.models import User

from leave.actions import working_days
from workflow import approve, start
from workflow.models import Process, RunningProcesses, Task, TaskTransitions, WaitingForApproval

NAME = "Leave"
BOOK = 'data["booked"] = book(working_days(data["first"], data["last"]))'


def define(approver: str) -> Process:
    """The process, as the admin would make it: somebody approves, then the days are booked."""
    leave = Process.objects.create(name=NAME)
    sign = Task.objects.create(parent=leave, name="Approve", manual=True, approver=approver, not_starter=True)
    booking = Task.objects.create(parent=leave, name="Book", code=BOOK)
    for number, task in enumerate((sign, booking), 1):
        TaskTransitions.objects.create(process=leave, task=task, sequence=number * 10)
    return leave


def ask(user: User, first: date, last: date) -> RunningProcesses:
    """Ask for days off in a user's name. Raises `ValueError` where there is nothing to ask for."""
    if not working_days(first, last):
        raise ValueError("There is no working day in that time.")
    return start(NAME, {"first": first, "last": last}, user=user)


def grant(request: RunningProcesses, manager: User) -> None:
    """Approve what somebody asked for."""
    approve(WaitingForApproval.objects.get(rpid=request, task_name="Approve"), by=manager)
