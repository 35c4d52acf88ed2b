"""Starting, stopping and looking at an instance."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from strongroom.layout import Layout
from strongroom.operate import install, leftovers, processes, supervisor

UP_SECONDS = 180.0
DOWN_SECONDS = 120.0
TROUBLED_AFTER = 5


class ControlFailed(Exception):
    """Starting or stopping did not succeed; the text says why and what to do."""


def status(layout: Layout) -> dict[str, Any]:
    """What runs: ``up`` (all processes running), ``url``, ``outside_url``, ``processes`` (phase, pid, restarts each)."""
    alive = supervisor.is_running(layout)
    known = supervisor.read_status(layout)
    # A supervisor that has just taken over has not written yet; what is there is the word of one that is gone.
    writer = known.get("supervisor", {"pid": 0, "start_time": None})
    current = alive and leftovers.start_time(writer["pid"]) == writer["start_time"] is not None
    rows = known.get("processes", {}) if current else {}
    return {
        "instance": layout.instance,
        "up": bool(rows) and all(row["phase"] == "running" for row in rows.values()),
        "supervised": alive,
        "url": layout.app_url,
        "outside_url": layout.outside_url,
        "processes": rows,
    }


def _tail(path: Path, lines: int = 15) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def _start_supervisor(layout: Layout) -> subprocess.Popen[bytes]:
    log = layout.logs / "supervisor.log"
    environ = {**os.environ, **layout.environ(), "PYTHONPATH": str(layout.code / "src"), "PYTHONUNBUFFERED": "1"}
    python = processes.venv(layout) / "bin" / "python"
    with log.open("ab") as output:
        return subprocess.Popen(
            [python, "-m", "strongroom.operate.supervisor"],
            cwd="/",
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _wait_until_up(layout: Layout, started: subprocess.Popen[bytes] | None) -> None:
    ends = time.monotonic() + UP_SECONDS
    while time.monotonic() < ends:
        now = status(layout)
        if now["up"]:
            return
        for name, row in now["processes"].items():
            if row["restarts"] >= TROUBLED_AFTER:
                raise ControlFailed(f"{name} does not stay up; the end of its log:\n{_tail(layout.logs / f'{name}.log')}")
        if started is not None and started.poll() is not None:
            raise ControlFailed(f"the supervisor ended:\n{_tail(layout.logs / 'supervisor.log')}")
        time.sleep(0.1)
    waiting = [name for name, row in status(layout)["processes"].items() if row["phase"] != "running"]
    tails = "\n".join(f"{name}:\n{_tail(layout.logs / f'{name}.log')}" for name in waiting)
    raise ControlFailed(f"not up after {UP_SECONDS:.0f} s; still waiting for {', '.join(waiting)}\n{tails}")


def up(layout: Layout, checkout: Path) -> dict[str, Any]:
    """Install what differs, start what does not run, and return the status once all of it answers.

    Raises ControlFailed or install.InstallFailed.
    """
    with install.one_at_a_time(layout):
        running = supervisor.is_running(layout)
        if install.install(layout, checkout) and running:
            _stop_supervisor(layout)
            running = False
        started = None
        if not running:
            leftovers.end_recorded(supervisor.read_status(layout))
            leftovers.kill_users_processes(layout)
            started = _start_supervisor(layout)
        _wait_until_up(layout, started)
        install.forget_old_code(layout)
    return status(layout)


def _stop_supervisor(layout: Layout) -> None:
    known = supervisor.read_status(layout)
    if supervisor.is_running(layout) and (me := known.get("supervisor")):
        leftovers.end(me["pid"], me["start_time"], DOWN_SECONDS)
    # Whatever a killed supervisor left: its children by number and start time, then anyone running as our users.
    leftovers.end_recorded(known)
    leftovers.kill_users_processes(layout)


def _warden_down(layout: Layout) -> None:
    if not layout.code.exists() or not layout.state_of("warden").is_dir():
        return
    python = processes.venv(layout) / "bin" / "python"
    environ = {**os.environ, **layout.environ(), "PYTHONPATH": str(layout.code / "src")}
    command = [str(python), "-m", "strongroom.warden", "--down"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        raise ControlFailed(f"the warden could not take down its environments:\n{done.stderr.strip()[-2000:]}")


def down(layout: Layout) -> None:
    """Stop everything and leave no process, mount, container, network or nft table; state stays.

    Works as well after any of the processes was killed. Raises ControlFailed naming what is still there.
    """
    with install.one_at_a_time(layout):
        _stop_supervisor(layout)
        _warden_down(layout)
        if left := leftovers.find(layout):
            raise ControlFailed("stopped, but still there:\n  " + "\n  ".join(left))
        shutil.rmtree(layout.run, ignore_errors=True)


def destroy(layout: Layout) -> None:
    """Stop the instance and remove all of it from this machine, state and users included."""
    down(layout)
    install.remove(layout)
