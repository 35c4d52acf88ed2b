"""Enrolling a second factor, and accepting each one-time code once."""

from __future__ import annotations

import base64
import secrets
import time
from enum import Enum

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt, encrypt
from django.db import transaction

from strongroom.identity.models import Person
from strongroom.identity.totp import matching_step


class Verdict(Enum):
    """What became of a code."""

    ACCEPTED = "accepted"
    USED = "used"
    WRONG = "wrong"


def new_secret() -> str:
    """A random secret of 160 bits, as authenticator apps read it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def enrolled(person: Person) -> Authenticator | None:
    """The person's second factor."""
    found: Authenticator | None = Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).first()
    return found


def enrol(person: Person, secret: str, code: str | None = None) -> Authenticator | None:
    """Make this secret the person's only second factor; a code that proves it is used up by that. None: wrong code."""
    step = -1
    if code is not None:
        found = matching_step(secret, code, time.time())
        if found is None:
            return None
        step = found
    with transaction.atomic():
        Authenticator.objects.filter(user=person).delete()
        made: Authenticator = Authenticator.objects.create(
            user=person, type=Authenticator.Type.TOTP, data={"secret": encrypt(secret), "last_step": step}
        )
    return made


def accept(person: Person, code: str) -> tuple[Verdict, Authenticator | None]:
    """Judge a code. Steps only ever move forward, in one write transaction, so no worker accepts a code twice."""
    with transaction.atomic():
        factor = enrolled(person)
        step = matching_step(decrypt(factor.data["secret"]), code, time.time()) if factor else None
        if factor is None or step is None:
            return Verdict.WRONG, None
        if step <= factor.data.get("last_step", -1):
            return Verdict.USED, None
        factor.data = {**factor.data, "last_step": step}
        factor.save(update_fields=["data"])
    return Verdict.ACCEPTED, factor
