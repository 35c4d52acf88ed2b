"""Keeps the processes of one instance running (``python -m strongroom.operate.supervisor``, as root).

One thread, no network. What it knows is in a status file, from which the next start ends what a killed supervisor left.
"""

from __future__ import annotations

import ctypes
import fcntl
import grp
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strongroom.layout import Layout
from strongroom.operate import gateway, leftovers
from strongroom.operate.processes import ROOT, Process, table

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
LARGEST_LOG = 5_000_000
LONGEST_PAUSE = 10.0
HEALTHY_SECONDS = 30.0
TICK, TICK_WHEN_CALM = 0.2, 1.0
_LIBC = ctypes.CDLL(None, use_errno=True)


def lock_path(layout: Layout) -> Path:
    """Held locked by the supervisor as long as it lives."""
    return layout.run / "supervisor.lock"


def status_path(layout: Layout) -> Path:
    """What the supervisor last knew, as JSON."""
    return layout.run / "status.json"


def read_status(layout: Layout) -> dict[str, Any]:
    """The status file; empty when there is none."""
    try:
        read: dict[str, Any] = json.loads(status_path(layout).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return read


def is_running(layout: Layout) -> bool:
    """Whether a supervisor holds the lock."""
    try:
        with lock_path(layout).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _in_child() -> None:
    """Between fork and exec: no new privileges ever, end with the supervisor, and hear signals again."""
    _LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def launch(process: Process, argv: tuple[str, ...], user: str, log: Path) -> subprocess.Popen[bytes]:
    """Start a command of a process as a user, with its log as output."""
    account = pwd.getpwnam(user)
    groups = [] if user == ROOT else [grp.getgrnam(name).gr_gid for name in process.groups]
    with log.open("ab") as output:
        log.chmod(0o640)
        return subprocess.Popen(
            argv,
            cwd="/",
            env=process.environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=groups,
            umask=process.umask,
            start_new_session=True,
            preexec_fn=_in_child,  # noqa: PLW1509  there is one thread
        )


def answers(process: Process) -> bool:
    """Whether every socket and port of the process takes connections."""
    for address in (*process.sockets, *process.ports):
        family = socket.AF_INET if isinstance(address, int) else socket.AF_UNIX
        with socket.socket(family) as probe:
            probe.settimeout(2)
            try:
                probe.connect(("127.0.0.1", address) if isinstance(address, int) else str(address))
            except OSError:
                return False
    return True


def cap_log(log: Path) -> None:
    """Keep one older part of a log that grew too large; writers append, so they go on at the new end."""
    try:
        if log.stat().st_size <= LARGEST_LOG:
            return
    except FileNotFoundError:
        return
    shutil.copyfile(log, log.with_suffix(".log.1"))
    log.with_suffix(".log.1").chmod(0o640)
    os.truncate(log, 0)


@dataclass
class Child:
    """One row of the table and what has become of it."""

    process: Process
    popen: subprocess.Popen[bytes] | None = None
    prepared: bool = False
    preparing: int = 0
    ready: bool = False
    started: float = 0.0
    not_before: float = 0.0
    failures: int = 0
    restarts: int = 0
    last_exit: int | None = None

    @property
    def phase(self) -> str:
        if self.popen is None:
            return "failing" if self.failures else "waiting"
        if not self.prepared:
            return "preparing"
        return "running" if self.ready else "starting"


@dataclass
class Supervisor:
    """The loop; `processes` is the table in order of start."""

    layout: Layout
    processes: tuple[Process, ...]
    clock: Callable[[], float] = time.monotonic
    children: dict[str, Child] = field(default_factory=dict)
    written: str = ""

    def __post_init__(self) -> None:
        self.children = {process.name: Child(process) for process in self.processes}

    def log(self, name: str) -> Path:
        return self.layout.logs / f"{name}.log"

    def tick(self) -> None:
        """One round: see who ended, start who may, write down what is."""
        now = self.clock()
        for child in self.children.values():
            self._reap(child, now)
            self._start(child, now)
            self._look(child, now)
            cap_log(self.log(child.process.name))
        cap_log(self.log("supervisor"))
        self._write()

    def _reap(self, child: Child, now: float) -> None:
        code = None if child.popen is None else child.popen.poll()
        if child.popen is None or code is None:
            return
        lasted, child.popen, child.ready, child.last_exit = now - child.started, None, False, code
        if not child.prepared and code == 0:
            child.preparing += 1
            child.failures = 0
            return
        child.failures = 1 if lasted > HEALTHY_SECONDS else child.failures + 1
        child.restarts += 1
        pause = min(LONGEST_PAUSE, 0.1 * 2**child.failures)
        child.not_before = now + pause
        print(f"{child.process.name} ended with {code}; again in {pause:.1f} s", flush=True)

    def _start(self, child: Child, now: float) -> None:
        if child.popen is not None or now < child.not_before:
            return
        if not child.prepared and not all(self.children[name].ready for name in child.process.needs):
            return
        child.prepared = child.preparing >= len(child.process.prepare)
        process = child.process
        argv, user = process.argv, process.user
        if child.prepared:
            for path in process.sockets:
                path.unlink(missing_ok=True)
        else:
            argv, user = process.prepare[child.preparing], process.prepared_by or process.user
        try:
            child.popen = launch(process, argv, user, self.log(process.name))
        except (OSError, subprocess.SubprocessError, KeyError) as problem:
            child.failures += 1
            child.not_before = now + min(LONGEST_PAUSE, 0.1 * 2**child.failures)
            print(f"{process.name} does not start: {problem}", flush=True)
        child.started = now

    def _look(self, child: Child, now: float) -> None:
        if child.popen is None or not child.prepared:
            return
        if not child.ready and answers(child.process):
            child.ready = child.process.name != "gateway" or gateway.serves(self.layout)
        if child.ready and now - child.started > HEALTHY_SECONDS:
            child.failures = 0

    def status(self) -> dict[str, Any]:
        """What is known, in a form that the next supervisor and the operator read."""
        rows = {}
        for name, child in self.children.items():
            pid = child.popen.pid if child.popen else None
            rows[name] = {
                "phase": child.phase,
                "user": child.process.user,
                "pid": pid,
                "start_time": leftovers.start_time(pid) if pid else None,
                "restarts": child.restarts,
                "last_exit": child.last_exit,
            }
        me = {"pid": os.getpid(), "start_time": leftovers.start_time(os.getpid())}
        return {"instance": self.layout.instance, "port": self.layout.port, "supervisor": me, "processes": rows}

    def _write(self) -> None:
        text = json.dumps(self.status(), indent=1)
        if text != self.written:
            path = status_path(self.layout)
            fresh = path.with_suffix(".new")
            fresh.write_text(text)
            fresh.chmod(0o644)
            fresh.replace(path)
            self.written = text

    def stop(self) -> None:
        """End all, in reverse order; whoever does not go in time is killed with its whole session."""
        for child in reversed(self.children.values()):
            if child.popen is None:
                continue
            child.popen.terminate()
            try:
                child.popen.wait(child.process.stop_seconds)
            except subprocess.TimeoutExpired:
                print(f"{child.process.name} did not stop in {child.process.stop_seconds} s; killed", flush=True)
            leftovers.kill_session(child.popen.pid)
            child.popen.wait()
            child.popen = None
            self._write()


def run(layout: Layout, processes: tuple[Process, ...]) -> int:
    """Hold the lock and keep the table running until told to stop."""
    with lock_path(layout).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another supervisor runs this instance", file=sys.stderr)
            return 1
        leftovers.end_recorded(read_status(layout))
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        supervisor = Supervisor(layout, processes)
        while True:
            supervisor.tick()
            calm = all(child.ready for child in supervisor.children.values())
            arrived = signal.sigtimedwait(SIGNALS, TICK_WHEN_CALM if calm else TICK)
            if arrived is not None and arrived.si_signo in (signal.SIGTERM, signal.SIGINT):
                break
        supervisor.stop()
        status_path(layout).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    here = Layout.current()
    sys.exit(run(here, table(here, os.environ)))
