"""The session of a thread's own, in which code runs that comes one after the other."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final

from pydantic_monty import MontySession

from workflow.code.job import Job
from workflow.code.text import Text

_MOST_USES: Final = 200
"""Pieces of code that one session runs: each leaves a little behind."""


class Kept:
    """A session that is used for one piece of code after the other, as long as none can see what another has left.

    Code that makes calls begins a new one: its snapshots would keep what others have left. `checkout` opens one with a job's
    limits; `names` are those of what code may call.
    """

    def __init__(
        self, checkout: Callable[[Job], AbstractContextManager[MontySession]], *, names: Callable[[], Iterable[str]]
    ) -> None:
        self._checkout = checkout
        self._names = names
        self._stack = ExitStack()
        self._session: MontySession | None = None
        self._limits: tuple[float, int, str] | None = None
        self._left: set[str] = set()
        self._uses = 0

    def close(self) -> None:
        """Give the session back."""
        self._limits = None
        self._stack.close()

    @property
    def was_used(self) -> bool:
        """Whether other code ran in the session before: what that has left counts towards its limits, too."""
        return self._uses > 1

    @contextmanager
    def session(self, job: Job, text: Text, inputs: Mapping[str, Any], *, anew: bool) -> Iterator[MontySession]:
        """The session that is kept, or a new one, to be kept in its stead."""
        limits = (job.time_limit, job.memory_limit, job.seed if text.is_alone else "")
        # A snapshot holds all that a session has in memory: neither what is another's, nor what has grown, is to be in it.
        may_be_saved = not text.uses.isdisjoint(self._names())
        is_safe = not (anew or text.is_alone or may_be_saved or (self._left - inputs.keys()) & text.uses)
        if not is_safe or self._limits != limits or self._uses >= _MOST_USES:
            self._stack.close()
            self._session = self._stack.enter_context(self._checkout(job))
            self._limits, self._left, self._uses = limits, set(), 0
        assert self._session is not None
        self._uses += 1
        try:
            yield self._session
        except BaseException:
            self.close()
            raise
        self._left |= text.binds | inputs.keys()
        if text.is_alone or anew:
            self._limits = None
