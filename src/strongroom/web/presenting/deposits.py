"""A deposit as its page shows it: how far it is, and what the Representative types to send files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.domain.project import Deposit
from strongroom.web.presenting.words import size, spoken, when

STEPS = (
    ("preparing", "An empty volume is prepared"),
    ("waiting", "The Representative sends files"),
    ("sealing", "The volume is sealed and hashed"),
    ("sealed", "The Representative compares hashes"),
    ("confirmed", "The Investigator authorises the mount"),
    ("mounting", "The data is mounted, read only"),
    ("mounted", "The data can be seen in the environment"),
)
HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Step:
    words: str
    state: str


@dataclass(frozen=True)
class Receipt:
    """The warden's signed receipt: its files, and everything else it says as rows."""

    digest: str
    files: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[str, str], ...]


def steps_of(deposit: Deposit) -> tuple[Step, ...]:
    """The way of a deposit with what is done, what is now and what is to come."""
    names = [name for name, _ in STEPS]
    state = {"mismatched": "sealed"}.get(deposit.state, deposit.state)
    if state not in names:
        return ()
    here = names.index(state)
    last = len(names) - 1
    return tuple(
        Step(words, "Done" if number < here or here == last else "Now" if number == here else "To come")
        for number, (_, words) in enumerate(STEPS)
    )


def command(url: str, token: str, authority: str) -> str:
    """What the Representative types on the machine that holds the files; ``authority`` is the certificate to trust."""
    return f"./strongroom deposit --url {url} --token {token} --ca {authority} FILE ..."


def receipt_of(raw: Mapping[str, Any]) -> Receipt:
    """The receipt in rows; nothing of it is left out."""
    files = tuple((str(item["name"]), size(int(item["size"])), str(item["sha256"])) for item in raw.get("files", ()))
    rows = tuple(
        (spoken(str(key)), when(str(value)) if key == "at" else str(value))
        for key, value in raw.items()
        if key not in ("files", "digest")
    )
    return Receipt(str(raw.get("digest", "")), files, rows)


def clean_hash(text: str) -> str:
    """A pasted hash in small letters without spaces. Raises ValueError for what is not a SHA-256."""
    found = "".join(text.split()).lower()
    if not HASH.fullmatch(found):
        raise ValueError("Enter the 64 letters and digits that your own computer showed as the hash")
    return found
