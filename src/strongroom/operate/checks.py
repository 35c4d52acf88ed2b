"""``./strongroom test``: style, types, import contracts, fast tests, then the tests that start real components.

``STRONGROOM_TESTS`` selects stages by name ("static fast real", the default is all of them); arguments after ``test``
go to pytest in place of the whole suite.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

STAGES = ("static", "fast", "real")
NO_TESTS_COLLECTED = 5


@dataclass(frozen=True)
class Step:
    """One tool run; its stage is what ``STRONGROOM_TESTS`` selects by."""

    stage: str
    title: str
    arguments: tuple[str, ...]


def steps(pytest_arguments: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """All steps in order; every tool is run as a module of this very Python."""
    return (
        Step("static", "ruff", ("-m", "ruff", "check", ".")),
        Step("static", "mypy", ("-m", "mypy", "--strict", "src")),
        Step("static", "import contracts", ("-m", "strongroom.operate.contracts")),
        Step("fast", "fast tests", ("-m", "pytest", "-m", "not real", *pytest_arguments)),
        Step("real", "real tests", ("-m", "pytest", "-m", "real", *pytest_arguments)),
    )


def selected_stages(wanted: str) -> tuple[str, ...]:
    """Stages named in ``STRONGROOM_TESTS``, in our order. Raises ValueError for a name that does not exist."""
    names = wanted.replace(",", " ").split() or list(STAGES)
    unknown = sorted(set(names) - set(STAGES))
    if unknown:
        raise ValueError(f"STRONGROOM_TESTS names {', '.join(unknown)}; the stages are: {', '.join(STAGES)}")
    return tuple(stage for stage in STAGES if stage in names)


def run(checkout: Path, pytest_arguments: tuple[str, ...] = ()) -> int:
    """Run the selected stages; a failure in one keeps the later, slower stages from starting."""
    try:
        stages = selected_stages(os.environ.get("STRONGROOM_TESTS", ""))
    except ValueError as problem:
        print(f"strongroom test: {problem}", file=sys.stderr)
        return 2
    src = str(checkout / "src")
    environ = {**os.environ, "PYTHONPATH": src, "PYTHONUNBUFFERED": "1"}
    all_steps = steps(pytest_arguments)
    failed: list[str] = []
    executed = 0
    for stage in stages:
        for step in (each for each in all_steps if each.stage == stage):
            print(f"\n=== {step.title}", flush=True)
            started = time.monotonic()
            code = subprocess.run([sys.executable, *step.arguments], cwd=checkout, env=environ, check=False).returncode
            print(f"=== {step.title}: exit {code} after {time.monotonic() - started:.0f} s", flush=True)
            executed += stage != "static" and code != NO_TESTS_COLLECTED
            if code != 0 and not (code == NO_TESTS_COLLECTED and pytest_arguments):
                failed.append(step.title)
        if failed:
            break
    if not failed and pytest_arguments and not executed:
        failed.append("no test matches the arguments")
    if failed:
        print(f"\nNot passed: {', '.join(failed)}", file=sys.stderr, flush=True)
    return 1 if failed else 0
