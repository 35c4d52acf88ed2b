"""The cast: one person for each role, with random passwords and second factors that this installation makes for itself."""

from __future__ import annotations

import json
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from strongroom.identity import manage
from strongroom.layout import Layout
from strongroom.operate.demo.person import Person

CAST_FILE = "demo-cast.json"


@dataclass(frozen=True)
class Part:
    """A part in the play: key, role as the page shows it, name, directory group ("" for none)."""

    key: str
    role: str
    name: str
    group: str = ""


PARTS = (
    Part("programme", "Programme Manager", "Priya Rao", "programme-managers"),
    Part("manager", "Project Manager", "Max Weber"),
    Part("investigator", "Investigator", "Ines Duarte"),
    Part("researcher", "Researcher", "Rosa Klein"),
    Part("untrained", "Researcher who has not done the training", "Uwe Lang"),
    Part("referee", "Referee", "Ravi Nair"),
    Part("representative", "Dataset Provider Representative", "Dora Hughes"),
    Part("system", "System Manager", "Sam Okoro", "system-managers"),
    Part("auditor", "Auditor", "Aoife Byrne", "auditors"),
)


def _email(part: Part) -> str:
    return f"{part.name.lower().replace(' ', '.')}@demo.invalid"


def cast(layout: Layout) -> dict[str, Person]:
    """Everybody, by key; makes the accounts the first time and keeps their secrets for ``/demo``."""
    path = layout.state_of("web") / CAST_FILE
    if not path.exists():
        asked = [
            {"name": part.name, "email": _email(part), "groups": [part.group] if part.group else []} for part in PARTS
        ]
        made = {one["email"]: one for one in manage.call(layout, "add-people", stdin=json.dumps(asked))}
        told = [{"key": part.key, "role": part.role, "name": part.name, **made[_email(part)]} for part in PARTS]
        _keep(path, json.dumps(told, indent=1), layout.user("web"))
    people = json.loads(path.read_text(encoding="utf-8"))
    return {
        one["key"]: Person(
            one["role"], one["name"], one["email"], one["password"], one["totp_secret"], one["sub"], layout
        )
        for one in people
    }


def _keep(path: Path, text: str, user: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    owner = pwd.getpwnam(user)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchown(file.fileno(), owner.pw_uid, owner.pw_gid)
    fresh.replace(path)
