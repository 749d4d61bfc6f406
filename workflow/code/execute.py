"""Runs one job to its end, answering the calls that its code makes."""

import logging
from contextlib import closing

from django.db import close_old_connections

from workflow import values
from workflow.code.actions import actions
from workflow.code.job import Answer, Call, Job, Outcome, Raised, Returned
from workflow.code.runner import Runner
from workflow.values import ValueProblem

logger = logging.getLogger(__name__)


def execute(job: Job, runner: Runner) -> Outcome:
    """The outcome of the job. Blocks; to be called outside any transaction.

    What an action raises reaches the code; only what is no `Exception` (`KeyboardInterrupt`, `SystemExit`)
    goes through to the caller, and abandons the job.
    """
    with closing(runner.run(job)) as running:
        try:
            call = next(running)
            while True:
                call = running.send(_answer(call, job))
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


def _answer(call: Call, job: Job) -> Answer:
    action = actions().get(call.name)
    if action is None:
        return Raised(NameError(f"name '{call.name}' is not defined"))
    close_old_connections()
    try:
        returned = action.call(call.args, call.kwargs)
    except Exception as error:  # noqa: BLE001 - whatever the project's function raises is the code's to handle
        logger.warning(
            "%s() raised %s for instance %s, task %r",
            call.name,
            type(error).__name__,
            job.run.id,
            job.run.task,
            exc_info=error,
            extra={"action": "action_raised", "instance": job.run.id},
        )
        return Raised(error)
    finally:
        close_old_connections()
    try:
        return Returned(values.check(returned, f"What {call.name}() returned"))
    except ValueProblem as problem:
        return Raised(TypeError(str(problem)))
