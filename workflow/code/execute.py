"""Runs one job to its end, answering the calls that its code makes."""

import logging
from collections.abc import Mapping
from contextlib import closing
from inspect import BoundArguments

from django.db import close_old_connections

from workflow import values
from workflow.code.actions import Action, actions
from workflow.code.job import Answer, Call, Job, Outcome, Raised, Returned
from workflow.code.runner import Runner
from workflow.values import ValueProblem

logger = logging.getLogger(__name__)


def execute(job: Job, runner: Runner, *, granted: Mapping[str, Action] | None = None) -> Outcome:
    """The outcome of the job, whose code may call what is `granted`: by default all actions.

    Blocks; to be called outside any transaction. What an action raises reaches the code; only what is no
    `Exception` (`KeyboardInterrupt`, `SystemExit`) goes through to the caller, and abandons the job.
    """
    granted = actions() if granted is None else granted
    with closing(runner.run(job)) as running:
        try:
            call = next(running)
            while True:
                call = running.send(_answer(call, job=job, granted=granted))
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


def _answer(call: Call, *, job: Job, granted: Mapping[str, Action]) -> Answer:
    if call.name not in granted:
        return Raised(NameError(f"name '{call.name}' is not defined"))
    try:
        bound = granted[call.name].bind(call.args, call.kwargs)
    except TypeError as error:
        return Raised(error)
    return _called(granted[call.name], bound, job=job)


def _called(action: Action, bound: BoundArguments, *, job: Job) -> Answer:
    close_old_connections()  # this thread may have lived longer than its connection to the database
    try:
        returned = action.call_bound(bound)
    except Exception as error:  # noqa: BLE001 - whatever the project's function raises is the code's to handle
        _log(action, error, job=job)
        return Raised(error)
    finally:
        close_old_connections()
    try:
        return Returned(values.check(returned, f"What {action.name}() returned"))
    except ValueProblem as problem:
        return Raised(TypeError(str(problem)))


def _log(action: Action, error: Exception, *, job: Job) -> None:
    """For the developer: the code gets the exception, but not the traceback of the function."""
    logger.warning(
        "%s() raised %s for instance %s, task %r",
        action.name,
        type(error).__name__,
        job.run.id,
        job.run.task,
        exc_info=error,
        extra={"action": "action_raised", "instance": job.run.id},
    )
