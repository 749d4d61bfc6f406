"""Measures, and prints one table: `python -m benchmarks [NAME…] [--database URL] [--quick] [--output FILE]`."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import databases, table
from benchmarks.measures import Measure
from benchmarks.site import ROOT, environment, manage

NAMES = ("raw", "steps", "start", "latency", "sleepers", "mixed", "memory", "pages", "dbos", "absurd", "procrastinate")
PACKAGES = ("Django", "psycopg", "pydantic-monty", "dbos", "absurd-sdk", "procrastinate")


def main() -> None:
    """Run what was asked for, on each database."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _options()
    names = ["raw", *(name for name in options.names or NAMES if name != "raw")]  # what the others are compared with
    servers = options.database or _default_databases()
    about = _about(servers, options.size)
    print("\n".join(about), file=sys.stderr)
    results: dict[str, list[Measure]] = {}
    for server in servers:
        found = results.setdefault("SQLite" if server == databases.SQLITE else "PostgreSQL", [])
        for name in names:
            found += _run(name, server, options)
            _write(options.output, results, about)
        found += [_again(measure) for measure in _run("raw", server, options)]
        _write(options.output, results, about)
    print(table.as_markdown(results, about))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure how fast the engine is.")
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument(
        "--database",
        action="append",
        type=_database,
        metavar="URL",
        help="'sqlite', or the URL of a PostgreSQL server on which databases may be created; may be given again "
        "(default: sqlite, and the PostgreSQL of DATABASE_URL if that is set)",
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", dest="size", action="store_const", const="quick", help="less of everything")
    sizes.add_argument(
        "--tiny", dest="size", action="store_const", const="tiny", help="only to see that all of it runs"
    )
    parser.add_argument(
        "--parked", type=int, metavar="N", help="how many instances are parked for the second latency; 0: none"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the table there too; as JSON if it ends so")
    parser.set_defaults(size="full")
    return parser.parse_args()


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no benchmark {text!r}; there are {', '.join(NAMES)}")
    return text


def _database(text: str) -> str:
    if text != databases.SQLITE and not text.startswith(("postgres://", "postgresql://")):
        raise argparse.ArgumentTypeError(f"it is 'sqlite' or a URL such as postgres://user@host:5432/, not {text!r}")
    return text


def _default_databases() -> list[str]:
    url = os.environ.get("DATABASE_URL", "")
    return [databases.SQLITE, *([url] if url.startswith("postgres") else [])]


def _run(name: str, server: str, options: argparse.Namespace) -> list[Measure]:
    """One benchmark, in a new database and a new process."""
    parked = "" if options.parked is None else str(options.parked)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, databases.fresh(server, Path(folder)) as url:
        print(f"{name} on {url.partition(':')[0]} …", file=sys.stderr, flush=True)
        manage(url, "migrate", "--verbosity", "0")
        told = _child(name, options.size, parked, url, folder)
    return [Measure(**{**fields, "against": tuple(fields["against"])}) for fields in json.loads(told)]


def _child(name: str, *arguments: str) -> str:
    """What the benchmark's process prints. It ends its engines when it is told to stop, which we wait for."""
    command = [sys.executable, "-m", "benchmarks.child", name, *arguments]
    url = arguments[2]
    # A group of its own: Ctrl-C is for us, who tell it once.
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(url), stdout=subprocess.PIPE, text=True, process_group=0
    ) as child:
        try:
            told, _ = child.communicate()
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            raise SystemExit("Stopped.") from None
    if child.returncode:
        raise SystemExit(f"The benchmark {name} failed.")
    return told


def _again(raw: Measure) -> Measure:
    """The raw loop at the end of the run: a ratio far from 1 says that the machine had other things to do."""
    return replace(raw, name=f"{raw.name}, at the end", against=(raw.name,))


def _write(output: Path | None, results: table.Results, about: list[str]) -> None:
    if output:
        table.write(output, results, about)


def _about(servers: list[str], size: str) -> list[str]:
    versions = ", ".join(f"{package} {_version(package)}" for package in PACKAGES)
    machine = f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    return [f"Size: {size}", machine, versions, *map(databases.described, servers)]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
