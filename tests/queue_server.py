"""A Redis for the tests of task queues: the one that is offered, one that runs on this machine, or one that is installed."""

import atexit
import os
import shutil
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

LOCAL = "redis://127.0.0.1:6379/0"
START_UP = 20  # seconds


def redis_url(folder: Path) -> str | None:
    """The URL of a server; `folder` is where one of our own may live. `None` where there is none, and none installed."""
    if url := os.environ.get("TEST_REDIS_URL"):
        return url
    if _answers(LOCAL):
        return LOCAL
    program = shutil.which("redis-server")
    return _start(program, folder) if program else None


def _answers(url: str) -> bool:
    try:
        with Redis.from_url(url, socket_connect_timeout=3) as server:
            return bool(server.ping())
    except RedisError:
        return False


def _start(program: str, folder: Path) -> str:
    """Starts a server that keeps nothing, until this process ends; it listens on a socket in `folder` alone."""
    socket = folder / "redis.sock"
    server = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder],
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the tests
    )
    atexit.register(server.terminate)
    url = f"unix://{socket}"
    deadline = time.monotonic() + START_UP
    while not _answers(url):
        if time.monotonic() > deadline:
            raise SystemExit("Redis did not start.")
        time.sleep(0.05)
    return url
