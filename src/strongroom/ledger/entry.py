"""What one entry of the ledger says, how it is checked and the exact bytes that are hashed."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Final

import rfc8785

ACTOR_KINDS: Final = ("person", "process", "rule")
OUTCOMES: Final = ("done", "refused", "failed")
MAX_BYTES: Final = 256 * 1024
SAFE_INTEGER: Final = 2**53 - 1

_REQUIRED: Final = ("at", "actor", "action", "subject", "outcome")
_OPTIONAL: Final = ("project", "purpose", "reason", "policy", "body")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)")
_ACTION: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_encode: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


class BadEntry(ValueError):
    """An entry that the ledger does not take; ``problems`` says all that must be mended."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the ledger entry is refused: " + "; ".join(problems))
        self.problems = problems


def validate(entry: object) -> None:
    """Raise BadEntry unless ``entry`` is one the ledger takes."""
    problems = list(_problems(entry))
    if problems:
        raise BadEntry(problems)


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of a value."""
    try:
        # The standard encoder gives the same bytes, many times faster, wherever key order and numbers leave no choice.
        return _encode(value).encode() if _plain(value) else rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, TypeError, ValueError, RecursionError) as error:
        raise BadEntry([f"it cannot be written as canonical JSON ({error}): use text, whole numbers up to 2^53, "
                        "finite numbers, true, false, null, lists and objects with text keys"]) from error


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-SAFE_INTEGER <= value <= SAFE_INTEGER)
    if kind is dict:
        return all(type(key) is str and key.isascii() and _plain(item) for key, item in value.items())
    return kind is list and all(_plain(item) for item in value)


def _problems(entry: object) -> list[str]:
    if not isinstance(entry, dict):
        return ["an entry is a JSON object"]
    found = [f"'{name}' is missing" for name in _REQUIRED if name not in entry]
    found += [f"'{name}' is not a field of an entry: put it in 'body'"
              for name in entry if name not in _REQUIRED and name not in _OPTIONAL]
    if found:
        return found
    found += _time_problems(entry["at"])
    found += _actor_problems(entry["actor"])
    if not isinstance(entry["action"], str) or not _ACTION.fullmatch(entry["action"]):
        found.append("'action' is words of lower-case letters, digits, - and _ joined by dots, such as egress.approve")
    if entry["outcome"] not in OUTCOMES:
        found.append(f"'outcome' is one of {', '.join(OUTCOMES)}")
    elif entry["outcome"] != "done" and not entry.get("reason"):
        found.append(f"an outcome '{entry['outcome']}' needs a 'reason'")
    for name in ("subject", "body"):
        if name in entry and not isinstance(entry[name], dict):
            found.append(f"'{name}' is an object, such as {{\"dataset\": \"d1\"}}")
    for name in ("project", "purpose", "reason", "policy"):
        if entry.get(name) is not None and not isinstance(entry[name], str):
            found.append(f"'{name}' is text")
    return found


def _time_problems(at: object) -> list[str]:
    mend = "'at' is RFC 3339 in UTC, such as 2026-01-31T09:30:00Z"
    if not isinstance(at, str) or not _TIME.fullmatch(at):
        return [mend]
    try:
        datetime.fromisoformat(at[:19])
    except ValueError as error:
        return [f"{mend} ({error})"]
    return []


def _actor_problems(actor: object) -> list[str]:
    if not isinstance(actor, dict):
        return ["'actor' is an object with 'kind' and 'id'"]
    found = [f"'actor' has no '{name}': it has kind, id, role and name"
             for name in actor if name not in ("kind", "id", "role", "name")]
    if actor.get("kind") not in ACTOR_KINDS:
        found.append(f"'actor.kind' is one of {', '.join(ACTOR_KINDS)}")
    if not isinstance(actor.get("id"), str) or not actor["id"]:
        found.append("'actor.id' is text and not empty")
    found += [f"'actor.{name}' is text" for name in ("role", "name")
              if actor.get(name) is not None and not isinstance(actor[name], str)]
    return found
