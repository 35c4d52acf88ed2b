"""The loop that brings the world to the record: looks, works, and looks again; kill it anywhere and it converges."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from strongroom.domain.work import Work, pending
from strongroom.warden.hands import Hands
from strongroom.warden.works import HANDLERS

LOOK_SECONDS = 5.0
RETRY_SECONDS = 10.0
# Projects at a time; most of it is waiting.
WORKERS = 6
KEEP_SECONDS = {"environment.keep": 20.0, "environment.freeze": 20.0, "deposit.verify": 600.0}
log = logging.getLogger("warden")


class Reconciler:
    """Runs pending work, a few things at a time, one thing at a time for each subject."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="work")
        self._busy: dict[str, Future[None]] = {}
        self._not_before: dict[Work, float] = {}
        self._stop = threading.Event()

    def run(self) -> None:
        """Look after every change of the record, and every few seconds."""
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:
                log.exception("looking did not succeed; it is tried again")
            with self._hands.record.changed:
                self._hands.record.changed.wait(LOOK_SECONDS if not self._busy else 0.5)

    def stop(self) -> None:
        """Stop looking; work under way is finished."""
        self._stop.set()
        with self._hands.record.changed:
            self._hands.record.changed.notify_all()
        self._pool.shutdown(wait=True)

    def look(self) -> None:
        """Start what is pending and not under way."""
        self._busy = {subject: work for subject, work in self._busy.items() if not work.done()}
        now = self._hands.clock().timestamp()
        for project in self._hands.record.projects():
            if project in self._busy:
                continue
            if works := [work for work in self._pending(project) if self._not_before.get(work, 0) <= now]:
                self._busy[project] = self._pool.submit(self._do_in_turn, works)

    def _do_in_turn(self, works: list[Work]) -> None:
        """What is kept true, up to the first thing that changes what comes after it."""
        for work in works:
            # What went before took time: somebody may have decided otherwise.
            if work not in self._pending(work.project):
                continue
            self._do(work)
            if work.kind not in STEADY:
                return

    def _pending(self, project: str) -> list[Work]:
        """What one project lacks; a project that cannot be read holds up no other."""
        try:
            # Under the record's lock: nothing is added while the state is walked.
            with self._hands.record.reading():
                return list(pending(self._hands.state(project)))
        except Exception:
            log.exception("the record of %s cannot be read", project)
            return []

    def _do(self, work: Work) -> None:
        try:
            HANDLERS[work.kind](self._hands, work.project, work.subject)
            self._not_before.pop(work, None)
        except Exception:
            log.exception("%s of %s did not succeed; it is tried again", work.kind, work.subject)
            self._not_before[work] = self._hands.clock().timestamp() + RETRY_SECONDS
        if work.kind in STEADY:
            self._not_before[work] = self._hands.clock().timestamp() + KEEP_SECONDS.get(work.kind, LOOK_SECONDS - 1)


# Kept true rather than done once: looked at again every few seconds.
STEADY = {
    "environment.keep",
    "environment.freeze",
    "deposit.receive",
    "deposit.verify",
    "deposit.discard",
    "egress.discard",
}
