"""The whole platform started by the door, looked at, killed, started again, stopped and removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.layout import Layout
from strongroom.operate import control, leftovers, supervisor
from tests.operate import standins
from tests.proves import proves

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
DOOR = Path(__file__).parents[2] / "strongroom"


def door(layout: Layout, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **layout.environ()}
    return subprocess.run([DOOR, *words], env=environ, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def layout() -> Iterator[Layout]:
    made = standins.free_layout("up")
    try:
        yield made
    finally:
        control.destroy(made)


def status(layout: Layout) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(door(layout, "status", "--json").stdout)
    return said


def test_up_serves_and_says_so(layout: Layout) -> None:
    done = door(layout, "up")
    assert done.returncode == 0, done.stderr
    assert layout.app_url in done.stdout
    client = standins.Client(layout.authority)
    assert client.ask(layout.app_host, "/")[0] in (200, 302, 303)
    assert client.ask(layout.identity_host, "/.well-known/openid-configuration")[0] == 200
    assert client.ask(layout.environment_host("none"), "/")[0] == 401
    assert status(layout)["up"]


@proves("satre:2.2.02")
def test_up_again_changes_nothing(layout: Layout) -> None:
    before = {name: row["pid"] for name, row in status(layout)["processes"].items()}
    assert door(layout, "up").returncode == 0
    assert {name: row["pid"] for name, row in status(layout)["processes"].items()} == before


@pytest.mark.parametrize("name", ["identity", "warden", "web", "worker", "gateway"])
def test_a_killed_process_comes_back(layout: Layout, name: str) -> None:
    before = status(layout)["processes"][name]["pid"]
    os.kill(before, signal.SIGKILL)
    standins.wait_for(lambda: supervisor.read_status(layout)["processes"][name]["pid"] not in (None, before), "restart")
    standins.wait_for(lambda: control.status(layout)["up"], "not all up again", 60)


def test_a_killed_supervisor_is_followed_by_a_new_one(layout: Layout) -> None:
    before = supervisor.read_status(layout)
    os.kill(before["supervisor"]["pid"], signal.SIGKILL)
    standins.wait_for(lambda: not supervisor.is_running(layout), "the lock is still held")
    assert not status(layout)["up"]
    assert door(layout, "up").returncode == 0
    after = supervisor.read_status(layout)
    assert after["supervisor"]["pid"] != before["supervisor"]["pid"]
    assert all(leftovers.start_time(row["pid"]) != row["start_time"] for row in before["processes"].values())


@proves("satre:2.2.06")
def test_down_leaves_nothing_also_after_the_supervisor_was_killed(layout: Layout) -> None:
    before = supervisor.read_status(layout)
    os.kill(before["supervisor"]["pid"], signal.SIGKILL)
    done = door(layout, "down")
    assert done.returncode == 0, done.stderr
    assert leftovers.find(layout) == []
    assert not layout.run.exists()
    assert all(leftovers.start_time(row["pid"]) != row["start_time"] for row in before["processes"].values())
    assert layout.state.is_dir()


def test_down_of_what_is_not_running_is_no_error(layout: Layout) -> None:
    assert door(layout, "down").returncode == 0


def test_state_outlives_down_and_destroying_needs_consent(layout: Layout) -> None:
    key = layout.authority.read_bytes()
    assert door(layout, "up").returncode == 0
    assert layout.authority.read_bytes() == key
    refused = door(layout, "destroy-instance")
    assert refused.returncode == 2
    assert f"--yes {layout.instance}" in refused.stderr
    assert layout.state.is_dir()
    done = door(layout, "destroy-instance", "--yes", layout.instance)
    assert done.returncode == 0, done.stderr
    for folder in (layout.state, layout.run, layout.code):
        assert not folder.exists()
    assert leftovers.find(layout) == []
