"""Several engines of one command: started, watched, started again, and stopped. Small shell scripts take their place."""

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow.engine.workers import FIRST_PAUSE, LONG_ENOUGH, LONGEST_PAUSE, Workers, next_pause

UP = "trap '' PIPE; printf . >&0"
LIVE = f"{UP}; cat; exit 0"  # until the lifeline ends


class Moments:
    """In place of signals: looks each hundredth of a second, and gives the next one once it is time for it."""

    def __init__(self, *moments: tuple[Callable[[], bool], int]) -> None:
        self.moments = list(moments)

    def next(self, timeout: float | None = None) -> int | None:
        time.sleep(min(0.01, 0.01 if timeout is None else timeout))
        return self.moments.pop(0)[1] if self.moments and self.moments[0][0]() else None


@pytest.fixture(autouse=True)
def told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="workflow")


@pytest.fixture
def started(tmp_path: Path) -> Callable[[], list[str]]:
    """The numbers of the workers that have been started so far, in order."""
    return lambda: (tmp_path / "started").read_text().split() if (tmp_path / "started").exists() else []


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """Runs workers with that script; gives the exit code."""

    def run(script: str, *moments: tuple[Callable[[], bool], int], count: int = 2, until_idle: bool = False) -> int:
        noted = f"cd '{tmp_path}'; echo $WORKFLOW_WORKER >> started; {script}"
        hearing = Moments(*moments)
        return Workers(count=count, command=["sh", "-c", noted], until_idle=until_idle, hearing=hearing).run()

    return run


def test_all_are_started_and_stopped(run: Callable[..., int], started: Callable[[], list[str]]) -> None:
    assert run(LIVE, (lambda: len(started()) == 3, signal.SIGTERM), count=3) == 0
    assert sorted(started()) == ["1", "2", "3"]


def test_one_that_dies_is_started_again(
    run: Callable[..., int], started: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    one_dies = f"mkdir died && exit 7; {LIVE}"
    assert run(one_dies, (lambda: len(started()) == 3, signal.SIGTERM)) == 0
    first, second, again = started()
    assert {first, second} == {"1", "2"}
    assert caplog.messages == [f"Worker {again} ended with exit code 7; it is started again in 0.5 seconds."]


def test_one_that_is_killed_is_started_again(
    run: Callable[..., int], started: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    script = f"{UP}; mkdir killed && kill -9 $$; {LIVE}"
    assert run(script, (lambda: started() == ["1", "1"], signal.SIGINT), count=1) == 0
    assert caplog.messages[0] == "Worker 1 ended with exit code 137; it is started again in 0.5 seconds."


def test_one_that_has_warned_of_its_death_is_started_again_at_once(
    run: Callable[..., int], started: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    lives = "case $(wc -l < started) in 1) exit 7;; 2|3) echo $$ >&0; exit 7;; 4) echo 1 >&0; exit 7;; esac"
    assert run(f"{UP}; {lives}; cat; exit 0", (lambda: len(started()) == 5, signal.SIGTERM), count=1) == 0
    pauses = [message.partition("again in ")[2] for message in caplog.messages]
    assert pauses == [f"{seconds} seconds." for seconds in (0.5, 0.0, 0.0, 0.5)]


def test_where_none_comes_up_it_ends_as_they_did(
    run: Callable[..., int], started: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    assert run("exit 3", count=3) == 3
    assert sorted(started())[:3] == ["1", "2", "3"]
    assert caplog.messages[-1] == "All 3 workers ended before they had come up, with exit code 3."


def test_until_idle_it_ends_with_the_last_of_them(run: Callable[..., int], started: Callable[[], list[str]]) -> None:
    assert run(f"{UP}; exit 0", count=3, until_idle=True) == 0
    assert sorted(started()) == ["1", "2", "3"], "each has run once"


def test_until_idle_one_that_dies_is_started_again(run: Callable[..., int], started: Callable[[], list[str]]) -> None:
    assert run(f"{UP}; mkdir died && exit 7; exit 0", until_idle=True) == 0
    assert len(started()) == 3


def test_a_second_signal_ends_them_at_once(run: Callable[..., int], started: Callable[[], list[str]]) -> None:
    both = (lambda: len(started()) == 2, signal.SIGTERM)
    began = time.monotonic()
    assert run("exec sleep 60", both, (lambda: True, signal.SIGTERM)) == 143
    assert time.monotonic() - began < 30


def test_one_that_does_not_stop_cleanly_is_told(run: Callable[..., int], started: Callable[[], list[str]]) -> None:
    assert run(f"{UP}; cat; exit 4", (lambda: len(started()) == 2, signal.SIGTERM)) == 4


def test_one_that_ctrl_c_reaches_before_it_has_begun_held_nothing(
    run: Callable[..., int], started: Callable[[], list[str]]
) -> None:
    assert run("cat; kill -INT $$", (lambda: len(started()) == 2, signal.SIGINT)) == 0


def test_pauses_double_for_one_that_dies_at_once() -> None:
    pauses = [0.0]
    for _ in range(6):
        pauses.append(next_pause(LONG_ENOUGH - 1, pauses[-1]))
    assert pauses[1:] == [FIRST_PAUSE, 1.0, 2.0, 4.0, LONGEST_PAUSE, LONGEST_PAUSE]
    assert next_pause(LONG_ENOUGH, LONGEST_PAUSE) == 0
