"""Functions that the tests grant to code, and jobs that call them."""

from datetime import date
from decimal import Decimal
from typing import Any

from workflow.code.actions import Action
from workflow.code.execute import execute
from workflow.code.job import Job, Outcome, RunInfo
from workflow.code.runner import Runner


class OutOfStock(LookupError):
    """A project's own exception."""


class Declined(Exception):
    """A project's own exception, with no base that says anything."""


def reserve_stock(sku: str, quantity: int = 1, *, by: date | None = None) -> bool:
    """Reserve goods."""
    if sku == "none left":
        raise OutOfStock(sku)
    return quantity < 10


def price(sku: str) -> Decimal:
    return Decimal("12.50")


def decline() -> None:
    raise Declined("card expired")


def stop(how: str) -> None:
    raise {"interrupt": KeyboardInterrupt, "exit": SystemExit}[how]


def echo(value: Any) -> Any:
    return value


def a_set() -> Any:
    return {1, 2}


GRANTED = {
    function.__name__: Action(function.__name__, function)
    for function in (reserve_stock, price, decline, stop, echo, a_set)
}


def job(code: str, *, time_limit: float = 5.0, memory_limit: int = 64, **data: Any) -> Job:
    run = RunInfo(id=7, process="Order", task="Pick", attempt=2, started_by="ann")
    return Job(
        code=code, data=data, results={"Check": {"ok": True}}, run=run, time_limit=time_limit, memory_limit=memory_limit
    )


def run(runner: Runner, code: str, **options: Any) -> Outcome:
    return execute(job(code, **options), runner, granted=GRANTED)
