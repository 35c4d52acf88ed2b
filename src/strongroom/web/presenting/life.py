"""The life of a project as a swimlane: one lane for each person, time from left to right, drawn from the record alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from strongroom.domain.acts import Entry
from strongroom.domain.case import ROLE_WORDS
from strongroom.domain.project import Project
from strongroom.web.presenting.words import instant, name_of, spoken, when

LANE = 46
LEFT = 178
TOP = 40
RIGHT = 30
TICK = 80
NEAREST, FARTHEST = 15.0, 64.0
FITS, CLOSEST = 740.0, 11.0
SECONDS_FOR_FARTHEST = 3600.0
PLATFORM = "The platform"

PARTS = {
    "project": "people",
    "person": "people",
    "training": "people",
    "terms": "people",
    "dataset": "data",
    "agreement": "data",
    "deposit": "data",
    "data": "data",
    "volume": "data",
    "workpackage": "classification",
    "classification": "classification",
    "output_form": "classification",
    "environment": "environment",
    "egress": "outputs",
    "read": "outputs",
}
PART_WORDS = {
    "people": "Project and people",
    "data": "Data",
    "classification": "Classification",
    "environment": "Environments",
    "outputs": "Outputs",
    "refused": "Refused",
}
ACT_WORDS = {
    "project.create": "Project created",
    "project.close": "Project closed",
    "project.destroyed": "All data destroyed",
    "person.appoint": "Person appointed",
    "person.remove": "Person removed",
    "person.counter_approve": "Member approved",
    "training.certify": "Training certified",
    "terms.accept": "Terms accepted",
    "dataset.register": "Dataset registered",
    "dataset.withdraw": "Dataset withdrawn",
    "agreement.draft": "Agreement drafted",
    "agreement.lodge": "Agreement lodged",
    "workpackage.create": "Work package created",
    "environment.create": "Environment asked for",
    "environment.ready": "Environment ready",
    "environment.failed": "Environment failed",
    "environment.enter": "Desktop opened",
    "environment.suspend": "Environment suspended",
    "environment.broken": "Environment suspended by a probe",
    "environment.resume": "Environment resumed",
    "environment.rebuild": "Environment built anew",
    "environment.tighten": "Environment made stricter",
    "environment.destroy": "Destruction of environment ordered",
    "environment.destroyed": "Environment destroyed",
    "environment.probe": "Probes asked for",
    "environment.probed": "Probes ran",
    "volume.created": "Volume created",
    "volume.destroyed": "Volume's key destroyed",
    "data.moved": "Data moved",
    "deposit.open": "Deposit opened",
    "deposit.opened": "Deposit volume ready",
    "deposit.token": "Upload token taken",
    "deposit.complete": "Deposit completed",
    "deposit.sealed": "Deposit sealed",
    "deposit.confirm": "Hash compared",
    "deposit.mount": "Mount authorised",
    "deposit.mounted": "Data mounted",
    "deposit.verified": "Hash verified again",
    "deposit.damaged": "Hash found changed",
    "deposit.expired": "Deposit window ended",
    "classification.opinion": "Opinion given",
    "classification.proceed": "Proceeded at the highest tier",
    "output_form.agree": "Output form agreed",
    "egress.submit": "Egress request submitted",
    "egress.frozen": "Files frozen",
    "egress.refused": "Egress request refused",
    "egress.checked": "First checks done",
    "egress.review": "Output reviewed",
    "egress.release": "Release ordered",
    "egress.released": "Output released",
    "read.document": "Signed agreement read",
    "read.outputs": "Output volume looked at",
    "read.preview": "Frozen files looked at",
}
SUBJECTS = ("id", "dataset", "work_package", "environment", "deposit", "request", "volume")
# Facts that would bury the story in the drawing; the table below it lists them all.
QUIET = ("volume.", "environment.probe", "deposit.opened", "read.")


@dataclass(frozen=True)
class Mark:
    """One act in the drawing: where it is, what part of the life it belongs to, and its words."""

    x: float
    y: float
    part: str
    words: str
    letter: str


@dataclass(frozen=True)
class Lane:
    name: str
    roles: str
    y: float


@dataclass(frozen=True)
class Line:
    """One row of the table: when, who, in which role, what, and what came of it."""

    when: str
    who: str
    role: str
    what: str
    about: str
    refused: bool
    reason: str


@dataclass(frozen=True)
class Tick:
    x: float
    words: str


@dataclass(frozen=True)
class Life:
    width: int
    height: int
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    path: str
    ticks: tuple[Tick, ...]
    parts: tuple[tuple[str, str, str], ...]
    lines: tuple[Line, ...]


LETTERS = {"people": "P", "data": "D", "classification": "C", "environment": "E", "outputs": "O", "refused": "×"}


def words_for(kind: str) -> str:
    """An act or fact in words."""
    return ACT_WORDS.get(kind) or spoken(kind.replace(".", " "))


def part_of(entry: Entry) -> str:
    """Which part of a project's life an entry belongs to; a refusal is a part of its own."""
    return "refused" if entry.outcome != "done" else PARTS.get(entry.kind.partition(".")[0], "people")


def spacing(entries: Sequence[Entry]) -> list[float]:
    """Where each entry stands on the time axis: long pauses are wider, but never so wide that the acts get lost."""
    places: list[float] = []
    before = None
    for entry in entries:
        now = instant(entry.at)
        if before is None:
            places.append(0.0)
        else:
            share = min(max((now - before).total_seconds(), 0.0) / SECONDS_FOR_FARTHEST, 1.0)
            places.append(places[-1] + NEAREST + (FARTHEST - NEAREST) * share**0.5)
        before = now
    # So that a page shows the whole life at once, unless the marks would then hide each other.
    wide = places[-1] if places else 0.0
    share = min(1.0, max(FITS / wide, CLOSEST / NEAREST)) if wide else 1.0
    return [place * share for place in places]


def life(project: Project) -> Life:
    """Geometry and table of a project's life."""
    told = [entry for entry in project.history if not entry.kind.startswith(QUIET)]
    lanes = _lanes(project, told)
    level = {lane.name: lane.y for lane in lanes}
    marks = []
    for place, entry in zip(spacing(told), told, strict=True):
        part, who = part_of(entry), _who(project, entry)
        words = f"{when(entry.at)}: {who}: {words_for(entry.kind)}{' (refused)' if part == 'refused' else ''}"
        marks.append(Mark(round(LEFT + 16 + place, 1), level[who], part, words, LETTERS[part]))
    last = marks[-1].x if marks else LEFT
    used = {mark.part for mark in marks}
    return Life(
        int(last + RIGHT),
        TOP + LANE * len(lanes) + 10,
        lanes,
        tuple(marks),
        " ".join(f"{'M' if number == 0 else 'L'}{mark.x} {mark.y}" for number, mark in enumerate(marks)),
        _ticks(told, marks),
        tuple((part, LETTERS[part], words) for part, words in PART_WORDS.items() if part in used),
        tuple(_line(project, entry) for entry in project.history),
    )


def _who(project: Project, entry: Entry) -> str:
    if entry.actor.kind != "person":
        return PLATFORM
    return entry.actor.name or name_of(project, entry.actor.id)


def _lanes(project: Project, entries: Iterable[Entry]) -> tuple[Lane, ...]:
    names = dict.fromkeys(_who(project, entry) for entry in entries)
    people = [name for name in names if name != PLATFORM] + [PLATFORM] * (PLATFORM in names)
    roles: dict[str, dict[str, None]] = {name: {} for name in people}
    for entry in entries:
        if entry.role and entry.actor.kind == "person":
            roles[_who(project, entry)].setdefault(ROLE_WORDS.get(entry.role, entry.role))
    for member in [*project.members.values(), *project.former]:
        # Somebody whose every act was refused acted in no role, but holds one.
        if not roles.get(member.name, True):
            roles[member.name].setdefault(ROLE_WORDS.get(member.role, member.role))
    return tuple(
        Lane(name, ", ".join(_short(role) for role in roles[name]), TOP + LANE * number + LANE / 2)
        for number, name in enumerate(people)
    )


def _short(role: str) -> str:
    return role.replace("Dataset Provider ", "")


def _ticks(entries: Sequence[Entry], marks: Sequence[Mark]) -> tuple[Tick, ...]:
    ticks: list[Tick] = []
    for entry, mark in zip(entries, marks, strict=True):
        moment = instant(entry.at)
        words = f"{moment.day} {moment:%b %H:%M}"
        fits = mark.x + TICK <= marks[-1].x + RIGHT
        if fits and (not ticks or mark.x - ticks[-1].x > TICK + 30):
            ticks.append(Tick(mark.x, words))
    return tuple(ticks)


def _line(project: Project, entry: Entry) -> Line:
    people = [name_of(project, str(entry.body["person"]))] if "person" in entry.body else []
    roles = [ROLE_WORDS.get(str(entry.body["role"]), str(entry.body["role"]))] if "role" in entry.body else []
    things = [str(entry.body[key]) for key in SUBJECTS if key in entry.body]
    return Line(
        when(entry.at),
        _who(project, entry),
        ROLE_WORDS.get(entry.role, ""),
        words_for(entry.kind),
        ", ".join(dict.fromkeys([*people, *roles, *things])),
        entry.outcome != "done",
        entry.reason,
    )
