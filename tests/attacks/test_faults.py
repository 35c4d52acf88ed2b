"""kill -9 of each process in turn: it comes back by itself, people go on, nothing that was decided is lost."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from strongroom.operate.demo.person import PageError
from strongroom.operate.leftovers import start_time
from tests.attacks.attacker import ALIVE, Attacker, eventually
from tests.attacks.conftest import Who
from tests.installation import Installation
from tests.proves import proves

pytestmark = pytest.mark.real
LONGEST = 30


def processes(whole: Installation) -> dict[str, dict[str, Any]]:
    """What `./strongroom status` says of each process."""
    rows: dict[str, dict[str, Any]] = json.loads(whole.door("status", "--json").stdout)["processes"]
    return rows


def kill(row: dict[str, Any]) -> None:
    """End a process without warning, and no other that has taken its number."""
    assert start_time(row["pid"]) == row["start_time"]
    os.kill(row["pid"], signal.SIGKILL)


def back(whole: Installation, name: str, before: dict[str, Any]) -> bool:
    """Whether everything runs and the killed process is a new one."""
    rows = processes(whole)
    return rows[name]["pid"] != before["pid"] and all(row["phase"] == "running" for row in rows.values())


def agree_again(attacker: Attacker, who: Who) -> None:
    """An act through the pages, from form to record and to the record's copy that pages show."""
    words = f"Tables of at least 10 pupils in each cell, and figures drawn from them ({time.monotonic_ns()})."
    who("representative").submit(f"/projects/{ALIVE}/work-packages/attainment/classification", form=words)
    assert words in attacker.project().work_packages["attainment"].forms.values()
    newest = attacker.entries()[-1].seq
    eventually(lambda: attacker._adopted() >= newest, 20, "the pages do not show what was recorded")


def works_again(attacker: Attacker, who: Who) -> None:
    """The act, tried until the process serves again; only the wait is forgiven, not a refusal for good."""
    ends = time.monotonic() + LONGEST
    while True:
        try:
            agree_again(attacker, who)
            return
        except (PageError, OSError) as error:
            assert time.monotonic() < ends, f"no act was possible again: {error}"
            time.sleep(0.5)


@proves("P127")
@pytest.mark.parametrize("name", ["web", "worker", "identity", "gateway", "warden"])
def test_killed_it_comes_back_and_an_act_works(attacker: Attacker, who: Who, whole: Installation, name: str) -> None:
    who("representative").open("/projects")
    before, row = attacker.entries(), processes(whole)[name]
    kill(row)
    eventually(lambda: back(whole, name, row), LONGEST, f"{name} did not come back within {LONGEST} s")
    works_again(attacker, who)
    if name == "identity":
        whole.person("referee").open("/projects")
    again = Attacker(whole.layout).entries()
    assert again[: len(before)] == before, "what was decided stays decided"


@proves("P127", "satre:2.5.03")
def test_after_the_kills_the_ledger_verifies(attacker: Attacker, who: Who, whole: Installation, tmp_path: Path) -> None:
    """One more kill of both that write the logs, in the middle of acts; then export and verify."""
    for name in ("warden", "worker"):
        row = processes(whole)[name]
        agree_again(attacker, who)
        kill(row)
        eventually(lambda name=name, row=row: back(whole, name, row), LONGEST)
    works_again(attacker, who)
    newest = attacker.entries()[-1].seq
    eventually(lambda: attacker._adopted() >= newest, 20)
    # A checkpoint is signed each second; the export holds what a checkpoint covers.
    eventually(lambda: exported(whole, tmp_path / f"audit-{time.monotonic_ns()}", newest), 30)


def exported(whole: Installation, folder: Path, newest: int) -> bool:
    """Export and verify; whether the newest entry is in it already."""
    assert whole.door("audit", "export", str(folder)).returncode == 0
    verified = whole.door("audit", "verify", str(folder))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    return len((folder / "warden.jsonl").read_text(encoding="utf-8").splitlines()) >= newest
