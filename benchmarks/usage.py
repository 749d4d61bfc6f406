"""What processes take of the machine, as Linux tells it under /proc."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def children(parent: int) -> list[int]:
    """The processes that it has started and that still run, and theirs."""
    own = [pid for pid in _all() if _parent(pid) == parent]
    return own + [pid for child in own for pid in children(child)]


def cpu_seconds(pid: int) -> float:
    """Processor time that the process and its children have taken."""
    return sum(_ticks(one) for one in (pid, *children(pid))) / TICKS


def memory(pid: int) -> float:
    """MiB that the process holds now."""
    return _status(pid, "VmRSS")


def peak_memory(pid: int) -> float:
    """MiB that the process has held at most."""
    return _status(pid, "VmHWM")


def _all() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may have spaces; none for a process that has just ended."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _status(pid: int, name: str) -> float:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)
