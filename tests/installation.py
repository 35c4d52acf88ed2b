"""One whole installation for tests that need everything: the demonstration, run through the door a user takes."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongroom.layout import Layout
from strongroom.operate.demo.cast import cast
from strongroom.operate.demo.person import Person

ROOT = Path(__file__).parents[1]
# A name and ports of this run alone, so that several runs on one machine do not meet.
LAYOUT = Layout(f"w{os.getpid() % 100_000}", 10_480 + 2 * (os.getpid() % 2_000))
LONGEST = 1500


@dataclass
class Installation:
    """A running installation in which project A has been destroyed and project B is alive."""

    layout: Layout
    report: dict[str, Any]

    def person(self, key: str) -> Person:
        """Somebody of the cast, with a browser of their own."""
        return cast(self.layout)[key]

    def door(self, *words: str, timeout: int = LONGEST) -> subprocess.CompletedProcess[str]:
        """Run ``./strongroom`` for this installation."""
        return door(*words, timeout=timeout)


def door(*words: str, timeout: int = LONGEST) -> subprocess.CompletedProcess[str]:
    """Run ``./strongroom`` for the installation of these tests."""
    environ = {**os.environ, **LAYOUT.environ()}
    environ.pop("PYTHONPATH", None)
    return subprocess.run(
        [str(ROOT / "strongroom"), *words], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=timeout
    )


def raise_up(report: Path) -> Installation:
    """Run the demonstration to its end."""
    done = door("demo", "--json", str(report))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{last_lines()}"
    return Installation(LAYOUT, json.loads(report.read_text(encoding="utf-8")))


def last_lines() -> str:
    """The ends of the logs, which go with the instance."""
    return "\n".join(f"{log.name}: {log.read_text('utf-8', 'replace')[-3000:]}" for log in LAYOUT.logs.glob("*.log"))


def tear_down() -> None:
    """Leave nothing of it on the machine."""
    door("destroy-instance", "--yes", LAYOUT.instance)
