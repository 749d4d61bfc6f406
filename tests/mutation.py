"""Changes small things in the code that most depends on, one at a time, and runs the tests that reach each: one that no test notices is
a gap. `python -m tests.mutation [--seed 20] [--per-module 25] [MODULE ...]`, such as `workflow.transitions.events`.

It takes what requirements-mutation.txt names, and about an hour for all modules, so it is no part of the suite. What is changed, and which
tests run, pyproject.toml says under [tool.mutmut]. mutmut works in the folder `mutants`, and remembers there which test reaches what.
TEST_DATABASE=postgres is for the mutants that SQLite cannot notice: name their modules.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import tests.settings  # noqa: F401  # so that all that mutmut starts has one environment, and a folder that is removed in the end

ROOT = Path(__file__).parent.parent
MUTANTS = ROOT / "mutants"
BUILT = MUTANTS / "built.sqlite3"
"""The tests' database, see tests/mutants.py."""

FIRST = "workflow.people.starters.x_may_start__mutmut_1"
"""A mutant to begin with, that few tests reach: mutmut makes those of all modules, and finds out what the tests reach, before it runs this."""

NOTICED = {"killed": (1, 3), "timeout": (24, 36, 152, -24), "crashed": (-11, -9)}
"""How mutmut says that a test has failed, that the tests came to no end, or that Python has not survived them. Not 255, which it takes for
a timeout: pytest has not found the tests.
"""
SURVIVED, UNREACHED = 0, (5, 33)


def main() -> int:
    """0 if all mutants that were drawn were noticed, else 1."""
    chosen = _parsed()
    if not chosen.show:
        BUILT.unlink(missing_ok=True)
        _forget_another_database()
    if not (chosen.show or _are_made()):
        _run([FIRST], chosen.max_children)
    drawn = {
        module: _drawn(names, seed=f"{chosen.seed} {module}", most=chosen.per_module)
        for module, names in _mutants().items()
        if not chosen.modules or module in chosen.modules
    }
    if unknown := set(chosen.modules) - drawn.keys():
        raise SystemExit(f"No mutants are made of {', '.join(sorted(unknown))}; see only_mutate in pyproject.toml.")
    if not chosen.show:
        _run([name for names in drawn.values() for name in names], chosen.max_children)
    return _tell(drawn)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="all that pyproject.toml names, by default")
    parser.add_argument("--seed", type=int, default=20, help="draws the same mutants of a module that has not changed")
    parser.add_argument("--per-module", type=int, default=25)
    parser.add_argument(
        "--max-children", type=int, default=1, help="so many mutants at a time; more than 1 on SQLite only"
    )
    parser.add_argument("--show", action="store_true", help="run nothing, and show what the last run has found")
    return parser.parse_args()


def _forget_another_database() -> None:
    """Which test reaches what depends on the database."""
    database, last = os.environ.get("TEST_DATABASE", "sqlite"), MUTANTS / "database"
    if last.exists() and last.read_text() != database:
        (MUTANTS / "mutmut-stats.json").unlink(missing_ok=True)
    MUTANTS.mkdir(exist_ok=True)
    last.write_text(database)


def _run(names: Sequence[str], at_a_time: int) -> None:
    command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", str(at_a_time), *names]
    if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SystemExit(f"mutmut ended with {code}: see above.")


def _are_made() -> bool:
    """Whether the mutants are of the sources as they are now."""
    made = {path: path.stat().st_mtime for path in MUTANTS.rglob("*.py.meta")}
    sources = {path: ROOT / path.relative_to(MUTANTS).with_suffix("") for path in made}
    return bool(made) and all(
        source.exists() and source.stat().st_mtime < made[path] for path, source in sources.items()
    )


def _results() -> dict[str, dict[str, int | None]]:
    """By module, the exit code of each mutant's tests; `None` where they have not run."""
    found = {}
    for path in sorted(MUTANTS.rglob("*.py.meta")):
        module = str(path.relative_to(MUTANTS)).removesuffix(".py.meta").replace("/", ".").removesuffix(".__init__")
        if codes := json.loads(path.read_text())["exit_code_by_key"]:
            found[module] = codes
    return found


def _mutants() -> dict[str, list[str]]:
    return {module: sorted(codes) for module, codes in _results().items()}


def _drawn(names: Sequence[str], *, seed: str, most: int) -> list[str]:
    return sorted(Random(seed).sample(names, min(most, len(names))))


def _tell(drawn: dict[str, list[str]]) -> int:
    results = _results()
    left = {module: list(_unnoticed(results[module], names)) for module, names in drawn.items()}
    for survivors in left.values():
        for name, why in survivors:
            print(f"\n--- {name}: {why}")
            subprocess.run([Path(sys.executable).with_name("mutmut"), "show", name], cwd=ROOT, check=False)
    print(f"\n{'module':45} {'mutants':>8} {'noticed':>8} {'score':>7}")
    for module, names in drawn.items():
        noticed = len(names) - len(left[module])
        print(f"{module:45} {len(names):8} {noticed:8} {noticed / len(names):7.0%}")
    return int(any(left.values()))


def _unnoticed(codes: dict[str, int | None], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Those that no test has noticed, and why."""
    noticed = {code for some in NOTICED.values() for code in some}
    for name in names:
        code = codes[name]
        if code == SURVIVED:
            yield name, "survived"
        elif code in UNREACHED:
            yield name, "no test reaches it"
        elif code not in noticed:
            yield name, f"its tests did not run (exit code {code})"


if __name__ == "__main__":
    sys.exit(main())
