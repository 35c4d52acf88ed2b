"""Verifying what a warden signed about an environment: ``./strongroom attest verify FILE [--key KEY]``.

Works anywhere with nothing but the file. An attestation says what was asked for, what was read back from the running
pod, every probe with its evidence, and under which rules; it is signed with the warden's key (Ed25519 over canonical
JSON, RFC 8785). ``--key`` is the warden's key as an auditor keeps it (``warden.key`` of an audit export).
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from strongroom.ledger import BadNote, read_key_line

KIND = "strongroom-attestation-1"
STRICT_FROM = 2
# Letters of 32 bytes in base64.
BARE_KEY = 44


class NotSound(ValueError):
    """The file is no attestation, or its signature does not hold; says which."""


@dataclass(frozen=True)
class Verdict:
    """What a sound attestation says. ``faults`` are the reasons why the isolation does not hold; none: it does."""

    key: str
    faults: tuple[str, ...]


def verify(document: Mapping[str, Any], key: str = "") -> Verdict:
    """Check signature and sums of an attestation, and judge what it says. Raises NotSound."""
    signed_by = _signature(document, key)
    if document.get("kind") != KIND:
        raise NotSound(f"this is no attestation of an environment: its kind is {document.get('kind')!r}")
    try:
        return Verdict(signed_by, tuple(_faults(document)))
    except (KeyError, TypeError, AttributeError) as error:
        raise NotSound(f"a part is missing or has another form: {error}") from error


def _signature(document: Mapping[str, Any], key: str) -> str:
    rest = {name: value for name, value in document.items() if name != "signature"}
    try:
        raw = base64.b64decode(str(document["key"]), validate=True)
        Ed25519PublicKey.from_public_bytes(raw).verify(
            base64.b64decode(str(document["signature"]), validate=True), rfc8785.dumps(rest)
        )
    except (KeyError, binascii.Error, ValueError, rfc8785.CanonicalizationError) as error:
        raise NotSound(f"it is not signed in the form of a warden: {error}") from error
    except InvalidSignature:
        raise NotSound("the signature does not fit: something in the file was changed") from None
    if key and _raw(key) != raw:
        raise NotSound("it is signed with another key than the one you hold")
    return str(document["key"])


def _raw(key: str) -> bytes:
    """A key line of an audit export, or the bare key in base64."""
    try:
        return base64.b64decode(key, validate=True) if len(key) == BARE_KEY else read_key_line(key)[1].public_bytes_raw()
    except (BadNote, binascii.Error) as error:
        raise NotSound(f"the key you gave cannot be read: {error}") from error


def _faults(document: Mapping[str, Any]) -> list[str]:
    counts = Counter(str(one["state"]) for one in document["probes"])
    if {name: counts[name] for name in ("holds", "broken", "unknown")} != dict(document["summary"]):
        raise NotSound("the summary is not the sum of its probes")
    red = {"broken", "unknown"} if document["tier"] >= STRICT_FROM else {"broken"}
    faults = [f"{one['probe']}: {one['state']}, {one['evidence']}" for one in document["probes"] if one["state"] in red]
    faults += [] if counts["holds"] else ["no probe has answered"]
    faults += [f"running differs from asked: {words}" for words in document["drift"]]
    faults += [] if document["phase"] == "ready" else [f"the environment is {document['phase']}"]
    return faults


def main(words: list[str]) -> int:
    """0 when the signature holds and the isolation did; 1 otherwise."""
    parser = argparse.ArgumentParser(prog="strongroom attest", description=__doc__)
    parser.add_argument("action", choices=("verify",))
    parser.add_argument("file", type=Path, help="an attestation, from the environment's page")
    parser.add_argument("--key", default="", help="the warden's key that you hold, or a file with it")
    arguments = parser.parse_args(words)
    try:
        document = json.loads(arguments.file.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise NotSound("it holds no JSON object")
        found = verify(document, _key_given(arguments.key))
    except (OSError, ValueError) as error:
        print(f"NOT VERIFIED: {arguments.file}: {error}", file=sys.stderr)
        return 1
    print(_told(document))
    print(f"signed with {found.key}" + (", the key you hold" if arguments.key else "; compare it with the one you hold"))
    for fault in found.faults:
        print(f"  {fault}")
    print("The signature holds, the ISOLATION DOES NOT." if found.faults else "VERIFIED: the isolation held.")
    return 1 if found.faults else 0


def _key_given(text: str) -> str:
    return Path(text).read_text(encoding="utf-8").strip() if text and Path(text).is_file() else text


def _told(document: Mapping[str, Any]) -> str:
    sums = document["summary"]
    return (
        f"{document['environment']} of {document['project']}, Tier {document['tier']}, image {document['image'][:19]}, "
        f"rules {document['rules'][:12]}\n"
        f"probed {document['probed_at']}: {sums['holds']} hold, {sums['broken']} broken, {sums['unknown']} unknown; "
        f"read back {document['at']}: {document['phase']}, {len(document['drift'])} differences"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
