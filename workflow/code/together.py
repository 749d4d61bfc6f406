"""Short code of many instances, run by one feed: to hand code to the sandbox and wait for it takes longer than most code.

Each piece is a function of its own there, so that it leaves no name behind, and can name nothing that is not its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from threading import Lock
from time import monotonic
from typing import Any, Final, NamedTuple

from pydantic_monty import MontyComplete, MontyError, MontySession, NameLookupSnapshot, SyncSnapshot

from workflow.code.faults import was_stopped
from workflow.code.job import Job
from workflow.code.text import Text, text_of

SHORT: Final = 0.002
"""Seconds in which code is to have run by itself once, to and fro included, before it is run together with other code."""

LONGEST: Final = 0.1
"""Seconds that code may compute together, before all of it is run piece by piece. No code may have less by itself."""

AGAIN: Final = 20
"""Runs by itself in which code has to be short once it was not; twice as many the next time."""

_MOST_KNOWN: Final = 4_000

_MOST_USES: Final = 200
"""Feeds of one session: each leaves a little behind."""

Piece = tuple[Job, Text]

Pair = tuple[Any, Any]
"""The value of a piece of code, and its data."""


class ShortCode:
    """What code is known to be short, in this OS process.

    Where code has taken long together, any of it may be to blame, or a machine that stood still: each has to run shortly by
    itself again, more often each time.

    `clock` measures how long code takes, in seconds; `longest` is `LONGEST`, but for tests, in which a busy machine is no fault of the code.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic, longest: float = LONGEST) -> None:
        self.clock = clock
        self.longest = longest
        self._trials: dict[str, _Trial] = {}
        self._lock = Lock()

    def is_short(self, code: str) -> bool:
        """Whether that is known."""
        trial = self._trials.get(code)
        return trial is not None and not trial.left

    def took(self, code: str, seconds: float) -> None:
        """The code ran to its end by itself, and called and printed nothing."""
        if seconds >= self.longest:
            self.refuse([code])
        elif seconds < SHORT and not self.is_short(code):
            with self._lock:
                trial = self._trials.get(code, _Trial(left=1, again=AGAIN))
                self._note(code, trial._replace(left=trial.left - 1))

    def refuse(self, codes: Iterable[str]) -> None:
        """One of these is not short, or does not bear company."""
        with self._lock:
            for code in set(codes):
                again = self._trials[code].again if code in self._trials else AGAIN
                self._note(code, _Trial(left=again, again=again * 2))

    def _note(self, code: str, trial: "_Trial") -> None:
        self._trials[code] = trial
        if len(self._trials) > _MOST_KNOWN:
            del self._trials[next(iter(self._trials))]


class _Trial(NamedTuple):
    """How many short runs are `left` until code is known to be short, and how many it would have to show `again`."""

    left: int
    again: int


class Together:
    """Runs short code together, in a session that is kept from one time to the next.

    `checkout` opens one for so many MiB, in which a feed may take `LONGEST`. Code that is found not to fit is `known` then.
    """

    def __init__(self, checkout: Callable[[int], AbstractContextManager[MontySession]], *, known: ShortCode) -> None:
        self._checkout = checkout
        self._known = known
        self._stack = ExitStack()
        self._memory_limit = 0
        self._uses = 0

    def close(self) -> None:
        """Give the session back."""
        self._stack.close()
        self._memory_limit = 0

    def run(self, jobs: Sequence[Job]) -> list[Pair | None]:
        """What each of the jobs gives, in their order; nothing for one that is to be run by itself."""
        limit = jobs[0].memory_limit
        pieces = {place: (job, text_of(job.code)) for place, job in enumerate(jobs) if job.memory_limit == limit}
        gives: list[Pair | None] = [None] * len(jobs)
        for place, pair in zip(pieces, self._run(list(pieces.values())), strict=True):
            gives[place] = pair
        return gives

    def _run(self, pieces: Sequence[Piece]) -> list[Pair | None]:
        try:
            step = self._fed(pieces)
            while isinstance(step, NameLookupSnapshot):
                step = step.resume()
            if isinstance(step, MontyComplete):
                return step.output  # type: ignore[no-any-return]
        except MontyError as error:
            if was_stopped(error):
                self.close()
                return [None] * len(pieces)
        # Which of them it was will show when each runs by itself.
        self._known.refuse(job.code for job, _ in pieces)
        self.close()
        return [None] * len(pieces)

    def _fed(self, pieces: Sequence[Piece]) -> SyncSnapshot:
        numbers = {body: number for number, body in enumerate({text.body: None for _, text in pieces})}
        given = [(numbers[text.body], job.data, job.results, job.run) for job, text in pieces]
        return self._session(pieces[0][0].memory_limit).feed_start(_source(numbers), inputs={"__given": given})

    def _session(self, memory_limit: int) -> MontySession:
        if memory_limit != self._memory_limit or self._uses >= _MOST_USES:
            self.close()
            self._kept = self._stack.enter_context(self._checkout(memory_limit))
            self._memory_limit, self._uses = memory_limit, 0
        self._uses += 1
        return self._kept


def _source(numbers: Mapping[str, int]) -> str:
    """What is fed for functions with these bodies, by their numbers."""
    functions = "".join(f"def __piece{number}(data, results, run):\n{body}\n" for body, number in numbers.items())
    pieces = ", ".join(f"__piece{number}" for number in numbers.values())
    return f"{functions}__pieces = [{pieces}]\n{_EACH}"


_EACH: Final = """\
__done = []
for __number, __data, __results, __run in __given:
    try:
        __done.append(__pieces[__number](__data, __results, __run))
    except BaseException:
        __done.append(None)
__data = __results = __run = __given = None
__done
"""
