"""The directory: add, change, list and remove people (needs Django set up; ``manage`` does that)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Token
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils import timezone

from strongroom.identity import secondfactor
from strongroom.identity.models import GROUPS, EnrolmentLink, Person, Spent, check_groups
from strongroom.identity.totp import totp_code

LINK_HOURS = 72


def find(email: str) -> Person:
    """The person with this email address. Raises LookupError saying how to see who there is."""
    person = Person.objects.filter(email__iexact=email.strip()).first()
    if person is None:
        raise LookupError(f"nobody has the email address {email}; list everyone with the command `people`")
    return person


def _checked(name: str, email: str, groups: Sequence[str], totp_secret: str | None) -> None:
    if not name.strip():
        raise ValueError("name is empty: give the person's full name")
    try:
        validate_email(email)
        check_groups(list(groups))
    except ValidationError as error:
        known = ", ".join(GROUPS)
        raise ValueError(f"{' '.join(error.messages)} Got {email}, {list(groups)}; groups are: {known}") from error
    if totp_secret is not None:
        totp_code(totp_secret, 0)


def change_password(person: Person, password: str | None) -> None:
    """Set the password (None: none works) and end every session and token made with the old one."""
    person.set_password(password)
    person.save(update_fields=["password"])
    Token.objects.filter(user=person).delete()


def _saved(name: str, email: str, groups: Sequence[str] | None) -> tuple[Person, bool]:
    person = Person.objects.filter(email__iexact=email).first()
    if person is None:
        person = Person(email=email, name=name, groups=sorted(set(groups or [])))
        person.set_unusable_password()
        person.save(force_insert=True)
        EmailAddress.objects.create(user=person, email=email, verified=True, primary=True)
        return person, True
    person.name = name
    if groups is not None:
        person.groups = sorted(set(groups))
    person.save(update_fields=["name", "groups"])
    return person, False


@transaction.atomic
def add_person(
    *,
    name: str,
    email: str,
    groups: Sequence[str] | None = None,
    password: str | None = None,
    totp_secret: str | None = None,
) -> dict[str, Any]:
    """Add a person, or change the one with this email. Raises ValueError on bad input.

    A new person gets a random password and TOTP secret unless given; a person who exists keeps those not given, and
    null is returned for them, because only their hash or sealed form is known.
    """
    email = email.strip().lower()
    _checked(name, email, groups or [], totp_secret)
    person, new = _saved(name.strip(), email, groups)
    if new:
        password = password or secrets.token_urlsafe(18)
        totp_secret = totp_secret or secondfactor.new_secret()
    if password is not None:
        change_password(person, password)
    if totp_secret is not None:
        secondfactor.enrol(person, totp_secret)
    return {"sub": str(person.pk), "email": person.email, "password": password, "totp_secret": totp_secret}


@transaction.atomic
def add_people(*, cast: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add several people at once, all or none; each is a dict of ``add_person``'s arguments. Raises ValueError."""
    known = {"name", "email", "groups", "password", "totp_secret"}
    for one in cast:
        if not isinstance(one, dict) or not {"name", "email"} <= set(one) <= known:
            raise ValueError(f"a person is an object with name and email, perhaps {sorted(known)}; got {one!r}")
    return [add_person(**one) for one in cast]


@transaction.atomic
def enrolment_link(*, email: str, name: str | None = None, groups: Sequence[str] | None = None) -> dict[str, Any]:
    """A one-time link with which the person chooses password and second factor; older links stop working.

    With a name, someone not yet in the directory is added, with no working password. Raises LookupError without one.
    """
    email = email.strip().lower()
    if name is not None:
        _checked(name, email, groups or [], None)
        person, _ = _saved(name.strip(), email, groups)
    else:
        person = find(email)
    token = secrets.token_urlsafe(32)
    EnrolmentLink.objects.filter(person=person).delete()
    expires_at = timezone.now() + timedelta(hours=LINK_HOURS)
    EnrolmentLink.objects.create(hash=hashlib.sha256(token.encode()).hexdigest(), person=person, expires_at=expires_at)
    base = f"https://{settings.IDENTITY_OUTSIDE_HOST}"
    return {
        "sub": str(person.pk),
        "email": person.email,
        "link": f"{settings.LAYOUT.issuer}/enrol/{token}",
        "outside_link": f"{base}/enrol/{token}",
        "expires_at": expires_at.isoformat(timespec="seconds"),
    }


def people() -> list[dict[str, Any]]:
    """Everyone in the directory."""
    return [
        {
            "sub": str(person.pk),
            "name": person.name,
            "email": person.email,
            "groups": sorted(person.groups),
            "password": person.has_usable_password(),
            "second_factor": secondfactor.enrolled(person) is not None,
        }
        for person in Person.objects.order_by("name", "email")
    ]


@transaction.atomic
def set_groups(*, email: str, groups: Sequence[str]) -> dict[str, Any]:
    """Replace a person's directory groups; tokens show it at the next refresh, at most 300 s later."""
    person = find(email)
    _checked(person.name, person.email, groups, None)
    person.groups = sorted(set(groups))
    person.save(update_fields=["groups"])
    return {"sub": str(person.pk), "email": person.email, "groups": person.groups}


@transaction.atomic
def remove_person(*, email: str) -> dict[str, Any]:
    """Remove a person: no session, code or refresh token of theirs works any more. The ``sub`` never returns."""
    person = find(email)
    removed = {"sub": str(person.pk), "email": person.email, "removed": True}
    person.delete()
    return removed


@transaction.atomic
def clean() -> dict[str, int]:
    """Forget what has expired: tokens, sessions, cached codes, the memory of spent tokens, old links."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM identity_cache WHERE expires < %s", [now.replace(tzinfo=None, microsecond=0)])
        codes = cursor.rowcount
    day_ago = now - timedelta(days=1)
    return {
        "codes": codes,
        "tokens": Token.objects.expired().delete()[0],
        "sessions": Session.objects.filter(expire_date__lt=now).delete()[0],
        "spent": Spent.objects.filter(at__lt=day_ago).delete()[0],
        "links": EnrolmentLink.objects.filter(expires_at__lt=now).delete()[0],
    }
