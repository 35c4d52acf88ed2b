"""Where the play is given: the people, the record they change, and the report of what each step took and proved."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from strongroom.domain.acts import Entry
from strongroom.domain.project import Project, fold
from strongroom.layout import Layout
from strongroom.operate import foreign
from strongroom.operate.demo.person import PageError, Person, Refused
from strongroom.orders.client import Warden

LONGEST = 120.0


class StoryFailed(RuntimeError):
    """The story cannot go on; says where it stopped."""


@dataclass(frozen=True)
class Step:
    """One step that was done: who did it, how long it took (seconds), and its line in the record."""

    name: str
    actor: str
    seconds: float
    proof: str


@dataclass
class Stage:
    """The layout, the cast by key, and what happened."""

    layout: Layout
    people: dict[str, Person]
    folder: Path
    image: str
    steps: list[Step] = field(default_factory=list)
    refusals: list[dict[str, str]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    _entries: list[Entry] = field(default_factory=list)

    def entries(self) -> list[Entry]:
        """The whole record so far."""
        warden = Warden(self.layout.warden_socket)
        while True:
            after = self._entries[-1].seq if self._entries else 0
            if not (more := warden.feed(after)):
                return self._entries
            self._entries += more

    def project(self, project: str) -> Project:
        """State of a project, folded from the record."""
        return fold(project, self.entries())

    def step(self, name: str, who: str, do: Callable[[], object]) -> None:
        """Do one step, time it, and say which entry of the record proves it."""
        began = time.monotonic()
        before = self.entries()[-1].seq if self.entries() else 0
        actor = self.people[who].name if who in self.people else who
        try:
            do()
        except (PageError, StoryFailed, OSError, ValueError) as error:
            raise StoryFailed(f"“{name}” ({actor}) did not succeed: {error}") from error
        took = time.monotonic() - began
        fresh = [entry for entry in self.entries() if entry.seq > before]
        proof = f"entry {fresh[-1].seq} {fresh[-1].kind}" if fresh else ""
        self.steps.append(Step(name, actor, round(took, 2), proof))
        print(f"  {took:6.1f} s  {actor:<14} {name}{f'  [{proof}]' if proof else ''}", flush=True)

    def refused(self, what: str, do: Callable[[], object]) -> None:
        """Do something that must be refused; keep the reason. StoryFailed when it was not refused."""
        try:
            do()
        except Refused as error:
            reason = " ".join(str(error).split())
            self.refusals.append({"what": what, "reason": reason[:600]})
            return
        raise StoryFailed(f"{what}: this should have been refused")

    def wait(self, project: str, what: str, until: Callable[[Project], bool]) -> Project:
        """Wait until the project is as asked, and return it. StoryFailed after two minutes."""
        ends = time.monotonic() + LONGEST
        while time.monotonic() < ends:
            state = self.project(project)
            if until(state) and self._shown():
                return state
            for item in state.environments.values():
                if item.state == "failed":
                    raise StoryFailed(f"environment {item.id}: {item.reason}")
            time.sleep(0.25)
        raise StoryFailed(f"{what} did not come about within {LONGEST:.0f} seconds: see {self.layout.logs}")

    def _shown(self) -> bool:
        """Whether the pages show all that is on record: the worker takes it over within a second."""
        with foreign.database(self.layout.state_of("web") / "web.sqlite3") as db:
            newest = db.execute("SELECT MAX(seq) FROM records_event").fetchone()[0] or 0
        return bool(newest >= self.entries()[-1].seq)

    def report(self) -> dict[str, Any]:
        """Steps and refusals as plain JSON values."""
        return {"steps": [asdict(step) for step in self.steps], "refusals": self.refusals, **self.notes}


def say(words: str) -> None:
    """One line on the terminal."""
    print(words, flush=True, file=sys.stdout)
