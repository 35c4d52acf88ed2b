"""Writing the records; called by use cases inside ``guard.writing()`` and one transaction."""

from __future__ import annotations

import hashlib
import json

from strongroom.domain.acts import Entry
from strongroom.ledger.entry import canonical
from strongroom.records import ledger
from strongroom.records.letter import Letter
from strongroom.records.models import Event, Mail, Person


def store_entry(entry: Entry) -> None:
    """Keep a copy of an entry and write its line in the app's ledger, which names the warden's line by number and hash."""
    raw = entry.to_json()
    Event.objects.create(
        seq=entry.seq,
        at=entry.at,
        project=entry.project,
        kind=entry.kind,
        actor_id=entry.actor.id,
        actor_name=entry.actor.name,
        outcome=entry.outcome,
        body=dict(entry.body),
        raw=json.dumps(raw),
    )
    outcome = entry.outcome if entry.outcome in ("done", "refused") else "failed"
    body: dict[str, object] = {"entry_sha256": hashlib.sha256(canonical(raw)).hexdigest()}
    if entry.digest:
        # What an auditor compares between the two logs: every witnessed act, by number and digest.
        body |= {"warden_seq": entry.seq, "decision": entry.digest}
    ledger.line(
        entry.at,
        entry.actor,
        entry.kind,
        {"warden_entry": entry.seq},
        project=entry.project,
        outcome=outcome,
        reason=entry.reason or ("" if outcome == "done" else "no reason was given"),
        role=entry.role,
        body=body,
    )


def store_letter(entry: Entry, letter: Letter) -> None:
    """Keep a message once for each entry, person and topic; the worker writes it out."""
    Mail.objects.get_or_create(
        key=f"{entry.seq} {letter.to} {letter.topic}"[:150],
        defaults={"to": letter.to, "subject": letter.subject[:200], "text": letter.text, "at": entry.at},
    )


def store_person(sub: str, name: str, email: str, groups: tuple[str, ...], at: str) -> None:
    """Remember somebody as the directory describes them now."""
    Person.objects.update_or_create(
        sub=sub, defaults={"name": name, "email": email, "groups": list(groups), "last_seen": at}
    )
