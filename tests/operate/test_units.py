"""The units in the repository are the ones that the process table gives."""

from __future__ import annotations

from pathlib import Path

from strongroom.layout import Layout
from strongroom.operate import processes, units

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"


def test_the_committed_units_are_current() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert committed == units.units(Layout()), "run: PYTHONPATH=src python -m strongroom.operate.units deploy/systemd"


def test_only_the_warden_runs_as_root() -> None:
    rooted = [process.name for process in processes.table(Layout(), {}) if process.user == "root"]
    assert rooted == ["warden"]


def test_each_process_comes_after_what_it_needs() -> None:
    seen: set[str] = set()
    for process in processes.table(Layout(), {}):
        assert set(process.needs) <= seen, process.name
        seen.add(process.name)


def test_what_the_operator_set_for_mirrors_reaches_the_warden_alone() -> None:
    given = {"PIP_INDEX_URL": "u", "https_proxy": "p", "STRONGROOM_INSTANCE": "other", "SECRET": "s"}
    for process in processes.table(Layout("x", 9000), given):
        kept = {name for name in given if process.environ.get(name) == given[name]}
        assert kept == ({"PIP_INDEX_URL", "https_proxy"} if process.name == "warden" else set())
        assert process.environ["STRONGROOM_INSTANCE"] == "x"
