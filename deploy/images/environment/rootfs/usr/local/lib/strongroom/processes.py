"""Keeps a few processes running and buries orphans: the first process of a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

QUICK_DEATH = 2.0


@dataclass
class Kept:
    """One process that is started again when it ends."""

    argv: Sequence[str]
    env: dict[str, str]
    ready: Callable[[], bool] = lambda: True
    pass_fds: tuple[int, ...] = ()
    before: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = None
    started: float = field(default=0.0)

    def start(self) -> None:
        """Start it, unless it died just now (then the next round does)."""
        now = time.monotonic()
        if now - self.started < QUICK_DEATH or not self.ready():
            return
        self.started = now
        self.before()
        self.process = subprocess.Popen(
            self.argv, env=self.env, stdin=subprocess.DEVNULL, pass_fds=self.pass_fds, start_new_session=True
        )


def keep(kept: Sequence[Kept]) -> None:
    """Run until told to stop."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    while True:
        for one in kept:
            if one.process is None:
                one.start()
        _bury(kept)
        time.sleep(0.1)


def _bury(kept: Sequence[Kept]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        for one in kept:
            if one.process is not None and one.process.pid == pid:
                print(f"{one.argv[0]} ended with {os.waitstatus_to_exitcode(status)}", file=sys.stderr, flush=True)
                one.process = None
