"""Rows: definitions (drafts and frozen versions) and instances (with their history)."""

from workflow.models.definitions import Process, ProcessVersion, Task, TaskTransitions
from workflow.models.engines import Engine
from workflow.models.instances import (
    ActionCall,
    Intervention,
    Mailbox,
    RunningProcesses,
    Signal,
    TaskRun,
    WaitingForApproval,
)
from workflow.models.states import MOVES, InstanceState, Priority, RunState

__all__ = [
    "MOVES",
    "ActionCall",
    "Engine",
    "InstanceState",
    "Intervention",
    "Mailbox",
    "Priority",
    "Process",
    "ProcessVersion",
    "RunState",
    "RunningProcesses",
    "Signal",
    "Task",
    "TaskRun",
    "TaskTransitions",
    "WaitingForApproval",
]
