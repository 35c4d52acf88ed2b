"""The worker's round: adopt, write mail, remind, sign. Each part stands on the database alone, so a kill loses nothing."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

from django.db import close_old_connections

from strongroom import usecases
from strongroom.layout import Layout
from strongroom.orders.client import WardenUnreachable
from strongroom.records import ledger
from strongroom.records.guard import writing
from strongroom.usecases.clock import now
from strongroom.usecases.reminding import remind
from strongroom.worker.keys import ledger_key
from strongroom.worker.postman import Postman

ROUND = 0.5
REMIND_EACH = 300.0
log = logging.getLogger("worker")


class Worker:
    """Runs rounds; what fails in one round is tried again in the next."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        folder = layout.state_of("worker")
        self.key = ledger_key(folder)
        self.postman = Postman(folder / "maildir")
        self.reminded = 0.0
        ledger.publish_key(self.key, layout.state_of("web"))

    def run(self, stop: threading.Event) -> None:
        """Rounds until told to stop."""
        log.info("the worker serves %s", self.layout.instance)
        silent = False
        while not stop.is_set():
            try:
                self.round(now())
                silent = False
            except WardenUnreachable as error:
                if not silent:
                    log.warning("%s; trying on", error)
                silent = True
            except Exception:
                log.exception("a round of the worker failed; the next one tries again")
            close_old_connections()
            stop.wait(ROUND)

    def round(self, at: datetime) -> int:
        """One round; how many entries were adopted. Raises WardenUnreachable, after doing what needs no warden."""
        try:
            return usecases.refresh()
        finally:
            if time.monotonic() - self.reminded > REMIND_EACH:
                remind(at)
                self.reminded = time.monotonic()
            self.postman.deliver()
            with writing():
                ledger.sign_checkpoint(self.key)
