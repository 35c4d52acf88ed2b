"""The one way a person acts: ask the warden with their own token, then take its record over."""

from __future__ import annotations

import hashlib

from strongroom.domain.acts import Act
from strongroom.layout import Layout
from strongroom.orders.client import Warden, WardenUnreachable
from strongroom.orders.protocol import Order, Outcome
from strongroom.usecases.adopting import catch_up
from strongroom.usecases.people import SignedIn


def warden() -> Warden:
    """The warden of this installation."""
    return Warden(Layout.current().warden_socket)


def perform(person: SignedIn, act: Act, key: str, id_token: str = "", address: str = "") -> Outcome:
    """Ask the warden for an act. No transaction is open while it decides; its entry is adopted afterwards.

    Raises WardenUnreachable: nothing was decided, the same key may be sent again.
    """
    short = hashlib.sha256(key.encode()).hexdigest()
    outcome = warden().order(Order(act, short, person.access_token(), id_token, address))
    try:
        refresh()
    except WardenUnreachable:
        # The decision stands in the warden's record; the worker takes it over when the warden answers again.
        return outcome
    return outcome


def refresh() -> int:
    """Take over whatever the warden's record has that the records have not; how many entries were new."""
    return catch_up(warden().feed)
