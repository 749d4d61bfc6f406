"""Runs one benchmark in a process of its own: `python -m benchmarks.child NAME SIZE URL FOLDER`; prints JSON."""

import importlib
import json
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.site import set_up
from benchmarks.sizes import SIZES


def main(name: str, size: str, parked: str, url: str, folder: str) -> None:
    """Measure, and tell the process that asked for it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # engines are ended on the way out
    set_up(url)
    sized = SIZES[size] if not parked else replace(SIZES[size], parked=int(parked))
    at = Bench(url=url, folder=Path(folder), size=sized, postgres=url.startswith("postgres"))
    measures = importlib.import_module(f"benchmarks.suite.{name}").measure(at)
    print(json.dumps([asdict(measure) for measure in measures]))


if __name__ == "__main__":
    main(*sys.argv[1:])
