"""Acts that people ask for and entries that the record keeps, in one exact form that can be hashed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import rfc8785

ID = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]")
SHA256 = re.compile("[0-9a-f]{64}")
LONGEST_NAME = 255


class ActError(ValueError):
    """The act is not well formed; says which field and how to mend it."""


@dataclass(frozen=True)
class Act:
    """What somebody asks for: a kind from the permission table, a project ("" for none) and exactly the fields of ``FIELDS``."""

    kind: str
    project: str
    body: Mapping[str, Any] = field(default_factory=dict)

    def canonical(self) -> bytes:
        """Canonical JSON (RFC 8785) of the whole act."""
        return rfc8785.dumps({"kind": self.kind, "project": self.project, "body": dict(self.body)})

    @property
    def digest(self) -> str:
        """SHA-256 of the exact content, hex; the nonce of the fresh login that a grave act needs."""
        return hashlib.sha256(self.canonical()).hexdigest()


@dataclass(frozen=True)
class Actor:
    """Who acts: a person (``id`` is the directory's subject, ``groups`` the directory's groups) or a process."""

    kind: str
    id: str
    name: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One line of the warden's record: an act that was allowed, or a fact the warden states about the world."""

    seq: int
    at: str
    actor: Actor
    kind: str
    project: str
    body: Mapping[str, Any]
    role: str = ""
    digest: str = ""
    policy: str = ""
    outcome: str = "done"
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": self.at,
            "actor": {"kind": self.actor.kind, "id": self.actor.id, "name": self.actor.name},
            "kind": self.kind,
            "project": self.project,
            "body": dict(self.body),
            "role": self.role,
            "digest": self.digest,
            "policy": self.policy,
            "outcome": self.outcome,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Entry:
        actor = raw["actor"]
        rest = {
            key: raw[key]
            for key in ("seq", "at", "kind", "project", "body", "role", "digest", "policy", "outcome", "reason")
        }
        return cls(actor=Actor(actor["kind"], actor["id"], actor.get("name", "")), **rest)


# Fields of each act: name → kind of value. ``text!`` may not be empty.
FIELDS: dict[str, dict[str, str]] = {
    "project.create": {"id": "id", "name": "text!", "summary": "text!"},
    "project.close": {"note": "text"},
    "person.appoint": {"role": "text!", "person": "text!", "name": "text!", "organisation": "text"},
    "person.remove": {"role": "text!", "person": "text!", "reason": "text"},
    "person.counter_approve": {"role": "text!", "person": "text!"},
    "training.certify": {"module": "text!", "version": "text!"},
    "terms.accept": {"version": "text!"},
    "dataset.register": {
        "id": "id",
        "name": "text!",
        "description": "text!",
        "provider": "text!",
        "representative": "text!",
        "personal": "flag",
        "lawful_basis": "text",
        "terms": "text",
    },
    "dataset.withdraw": {"dataset": "id", "reason": "text!"},
    "agreement.draft": {"id": "id", "dataset": "id", "text": "text!"},
    "agreement.lodge": {"agreement": "id", "document": "file", "certifies": "flag"},
    "workpackage.create": {
        "id": "id",
        "name": "text!",
        "datasets": "ids",
        "analysis": "text!",
        "outputs": "text!",
        "tools": "text",
    },
    "environment.create": {"id": "id", "work_package": "id"},
    "environment.enter": {"environment": "id"},
    "environment.suspend": {"environment": "id", "reason": "text!"},
    "environment.resume": {"environment": "id", "reason": "text!"},
    "environment.rebuild": {"environment": "id", "reason": "text!"},
    "environment.tighten": {"environment": "id", "control": "text!", "value": "text!", "reason": "text!"},
    "environment.destroy": {"environment": "id", "reason": "text!"},
    "environment.probe": {"environment": "id"},
    "deposit.open": {
        "id": "id",
        "dataset": "id",
        "environment": "id",
        "size_mb": "number",
        "networks": "texts",
        "expires": "text!",
    },
    "deposit.token": {"deposit": "id"},
    "deposit.complete": {"deposit": "id"},
    "deposit.confirm": {"deposit": "id", "digest": "text!"},
    "deposit.mount": {"deposit": "id"},
    "classification.opinion": {"work_package": "id", "question_set": "text!", "answers": "pairs", "statement": "text"},
    "classification.proceed": {"work_package": "id", "reason": "text!"},
    "output_form.agree": {"work_package": "id", "form": "text!"},
    "egress.submit": {
        "id": "id",
        "environment": "id",
        "work_package": "id",
        "description": "text!",
        "script": "text!",
        "files": "texts",
    },
    "egress.review": {
        "request": "id",
        "digest": "text!",
        "decision": "text!",
        "question_set": "text!",
        "answers": "pairs",
        "note": "text",
    },
    "egress.release": {"request": "id", "digest": "text!"},
}


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _pairs(value: object) -> bool:
    return isinstance(value, list) and all(_texts(item) and len(item) == 2 for item in value)


def _file(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"name", "sha256", "size"}:
        return False
    name, sha256, size = value["name"], value["sha256"], value["size"]
    named = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME
    hashed = isinstance(sha256, str) and bool(SHA256.fullmatch(sha256))
    return named and hashed and isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 10**9


Check = Callable[[Any], bool]


def _id(value: object) -> bool:
    return isinstance(value, str) and bool(ID.fullmatch(value))


CHECKS: dict[str, tuple[Check, str]] = {
    "id": (
        lambda v: isinstance(v, str) and bool(ID.fullmatch(v)),
        "small letters, digits and hyphens, 3 to 40 characters",
    ),
    "ids": (lambda v: _texts(v) and bool(v) and all(ID.fullmatch(item) for item in v), "at least one id"),
    "text": (lambda v: isinstance(v, str) and len(v) <= 20_000, "text of at most 20,000 characters"),
    "text!": (lambda v: isinstance(v, str) and len(v.strip()) > 0 and len(v) <= 20_000, "text that is not empty"),
    "texts": (_texts, "a list of texts"),
    "flag": (lambda v: isinstance(v, bool), "true or false"),
    "number": (lambda v: isinstance(v, int) and not isinstance(v, bool) and 0 < v < 10**9, "a whole number above 0"),
    "pairs": (_pairs, "a list of [question, answer]"),
    "file": (_file, "name, sha256 and size of a file"),
}


def check_form(act: Act) -> None:
    """Raise ActError unless the act has exactly its fields, each of its kind."""
    fields = FIELDS.get(act.kind)
    if fields is None:
        raise ActError(f"{act.kind!r} is not an act")
    if act.kind == "training.certify":
        if act.project:
            raise ActError("project: training counts in every project; leave it empty")
    elif not ID.fullmatch(act.project):
        raise ActError("project: needs a project id: small letters, digits and hyphens")
    if unknown := set(act.body) - set(fields):
        raise ActError(f"unknown field: {', '.join(sorted(unknown))}")
    for name, kind in fields.items():
        test, wanted = CHECKS[kind]
        if name not in act.body:
            raise ActError(f"{name}: is missing; needs {wanted}")
        if not test(act.body[name]):
            raise ActError(f"{name}: needs {wanted}")
