"""Rows: definitions (drafts and frozen versions) and instances (with their history)."""

from workflow.models.calendars import BusinessCalendar
from workflow.models.decisions import Absence, AbsenceChange, Decision, Upload
from workflow.models.definitions import FormField, Process, ProcessVersion, Task, TaskTransitions
from workflow.models.engines import Engine
from workflow.models.instances import (
    ActionCall,
    Intervention,
    Mailbox,
    RunningProcesses,
    Signal,
    TaskRun,
)
from workflow.models.notices import MailPreference, MailWish, Notice, NoticeKind, NoticeState
from workflow.models.states import MOVES, InstanceState, Priority, RunState
from workflow.models.waiting import Assignee, Barred, WaitingForApproval

__all__ = [
    "MOVES",
    "Absence",
    "AbsenceChange",
    "ActionCall",
    "Assignee",
    "Barred",
    "BusinessCalendar",
    "Decision",
    "Engine",
    "FormField",
    "InstanceState",
    "Intervention",
    "MailPreference",
    "MailWish",
    "Mailbox",
    "Notice",
    "NoticeKind",
    "NoticeState",
    "Priority",
    "Process",
    "ProcessVersion",
    "RunState",
    "RunningProcesses",
    "Signal",
    "Task",
    "TaskRun",
    "TaskTransitions",
    "Upload",
    "WaitingForApproval",
]
