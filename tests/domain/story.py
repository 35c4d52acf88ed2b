"""A whole project's life as acts and facts, each act judged by ``evidence`` before it counts: no impossible histories."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from strongroom.domain.acts import Act, Actor, Entry
from strongroom.domain.evidence import evidence
from strongroom.domain.place import Place
from strongroom.domain.project import Project, apply
from strongroom.domain.verdict import Refused, Verdict
from strongroom.policy.permissions import TERMS_VERSION, TRAINING

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WARDEN = Actor("process", "warden", "warden")
CAST = {
    "programme": Actor("person", "u-programme", "Priya Rao", ("programme-managers",)),
    "manager": Actor("person", "u-manager", "Max Weber"),
    "investigator": Actor("person", "u-investigator", "Ines Duarte"),
    "researcher": Actor("person", "u-researcher", "Rosa Klein"),
    "untrained": Actor("person", "u-untrained", "Uwe Lang"),
    "referee": Actor("person", "u-referee", "Ravi Nair"),
    "representative": Actor("person", "u-representative", "Dora Hughes"),
    "system": Actor("person", "u-system", "Sam Okoro", ("system-managers",)),
    "auditor": Actor("person", "u-auditor", "Aoife Byrne", ("auditors",)),
}
TIER_0 = [
    ["open_generate_new", "no"],
    ["closed_personal", "no"],
    ["include_commercial", "no"],
    ["open_publication", "no"],
]
_PERSONAL = [
    ["open_generate_new", "no"],
    ["closed_personal", "yes"],
    ["special_category", "no"],
    ["public_and_open", "no"],
]
TIER_2 = [
    *_PERSONAL,
    ["no_reidentify", "yes"],
    ["no_reidentify_absolute", "no"],
    ["no_reidentify_strong", "yes"],
    ["include_commercial_personal", "no"],
]
TIER_3 = [*_PERSONAL, ["no_reidentify", "no"], ["substantial_threat", "no"], ["sophisticated_attack", "no"]]
TIER_4 = [*_PERSONAL, ["no_reidentify", "no"], ["substantial_threat", "yes"]]
DIGEST = "d" * 64


class Unexpected(AssertionError):
    """An act of the story was refused."""


@dataclass
class Story:
    """Tells a project's life step by step; ``state`` is what the record folds to."""

    project: str = "chem97"
    now: datetime = BEGIN
    place: Place = Place("restricted", "high")
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = Project(self.project)

    def ask(self, who: str, kind: str, /, **body: Any) -> Verdict:
        """What the record says to an act now, without keeping it."""
        project = "" if kind == "training.certify" else self.project
        return evidence(Act(kind, project, body), CAST[who], self.state, self.now, self.place)

    def act(self, who: str, kind: str, /, **body: Any) -> Entry:
        """Do an act that must be allowed."""
        verdict = self.ask(who, kind, **body)
        if isinstance(verdict, Refused):
            raise Unexpected(f"{who} {kind}: {verdict.reason}")
        project = "" if kind == "training.certify" else self.project
        act = Act(kind, project, body)
        return self._keep(Entry(0, "", CAST[who], kind, project, body, verdict.role, act.digest))

    def fact(self, kind: str, /, **body: Any) -> Entry:
        return self._keep(Entry(0, "", WARDEN, kind, self.project, body))

    def _keep(self, entry: Entry) -> Entry:
        self.now += timedelta(minutes=1)
        kept = Entry(len(self.entries) + 1, self.now.isoformat().replace("+00:00", "Z"), *_rest(entry))
        self.entries.append(kept)
        apply(self.state, kept)
        return kept

    # Chapters ---------------------------------------------------------------------------------------------------
    def begin(self) -> Story:
        self.act("programme", "project.create", id=self.project, name="Chemistry 1997", summary="Attainment by gender")
        for role, who in (
            ("investigator", "investigator"),
            ("project_manager", "manager"),
            ("representative", "representative"),
        ):
            self.appoint("programme", role, who)
        for role, who in (("referee", "referee"), ("researcher", "researcher"), ("researcher", "untrained")):
            self.appoint("manager", role, who)
        for who in ("investigator", "referee"):
            self.join(who)
        return self

    def appoint(self, by: str, role: str, who: str) -> None:
        person = CAST[who]
        self.act(by, "person.appoint", role=role, person=person.id, name=person.name, organisation="Exam Board")

    def agree(self) -> Story:
        self.act(
            "manager",
            "dataset.register",
            id="pupils",
            name="Chem97",
            description="A-level results",
            provider="Exam Board",
            representative=CAST["representative"].id,
            personal=True,
            lawful_basis="Public task",
            terms="No linking",
        )
        self.act(
            "manager",
            "workpackage.create",
            id="attainment",
            name="Attainment",
            datasets=["pupils"],
            analysis="Regression",
            outputs="Tables",
            tools="R, Python",
        )
        self.act("manager", "agreement.draft", id="dsa", dataset="pupils", text="Agreement")
        self.act(
            "representative",
            "agreement.lodge",
            agreement="dsa",
            document={"name": "a.pdf", "sha256": DIGEST, "size": 9},
            certifies=True,
        )
        self.act("manager", "environment.create", id="look", work_package="attainment")
        self.ready("look")
        return self

    def ready(self, environment: str) -> None:
        self.fact(
            "environment.ready",
            environment=environment,
            milliseconds=5000,
            image="a1",
            summary={"holds": 40, "broken": 0, "unknown": 0},
            results=[],
            drift=[],
        )

    def deposit(self) -> Story:
        ends = (self.now + timedelta(days=1)).isoformat()
        self.act(
            "manager",
            "deposit.open",
            id="delivery",
            dataset="pupils",
            environment="look",
            size_mb=64,
            networks=["127.0.0.0/8"],
            expires=ends,
        )
        self.fact("deposit.opened", deposit="delivery", host="delivery.deposit")
        self.act("representative", "deposit.token", deposit="delivery")
        self.act("representative", "deposit.complete", deposit="delivery")
        self.fact("deposit.sealed", deposit="delivery", receipt={"digest": DIGEST, "files": []})
        self.act("representative", "deposit.confirm", deposit="delivery", digest=DIGEST)
        self.act("investigator", "deposit.mount", deposit="delivery")
        self.fact("deposit.mounted", deposit="delivery", environment="look")
        return self

    def opinion(self, who: str, answers: list[list[str]]) -> None:
        self.act(
            who,
            "classification.opinion",
            work_package="attainment",
            question_set="strongroom-1",
            answers=answers,
            statement="",
        )

    def join(self, who: str) -> None:
        for module, version in TRAINING.items():
            self.act(who, "training.certify", module=module, version=version)
        self.act(who, "terms.accept", version=TERMS_VERSION)

    def classify(self, answers: list[list[str]] = TIER_2) -> Story:
        for who in ("investigator", "representative", "referee"):
            self.opinion(who, answers)
        return self

    def analyse(self) -> Story:
        self.act("manager", "environment.create", id="lab", work_package="attainment")
        self.ready("lab")
        self.join("researcher")
        return self

    def submit(self, request: str = "first", author: str = "researcher", verdict: str = "pass") -> Story:
        self.act(
            author,
            "egress.submit",
            id=request,
            environment="lab",
            work_package=f"{request}-output",
            description="Means",
            script="a.py",
            files=["a.py", "t.csv"],
        )
        self.fact(
            "egress.frozen",
            request=request,
            files=[{"name": "t.csv", "size": 5, "sha256": DIGEST}],
            digest=DIGEST,
            refused=[],
        )
        self.fact(
            "egress.checked", request=request, checks={"verdict": verdict, "profile": "uk-sdap 1", "findings": []}
        )
        return self

    def review(
        self, who: str, decision: str = "approve", request: str = "first", answers: list[list[str]] = TIER_0
    ) -> None:
        self.act(
            who,
            "egress.review",
            request=request,
            digest=DIGEST,
            decision=decision,
            question_set="strongroom-1",
            answers=answers,
            note="" if decision == "approve" else "A small cell",
        )

    def publish(self, request: str = "first") -> Story:
        for who in ("investigator", "representative", "referee"):
            self.review(who, request=request)
        self.act("manager", "egress.release", request=request, digest=DIGEST)
        self.fact("egress.released", request=request, record={"digest": DIGEST})
        return self


def _rest(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.actor,
        entry.kind,
        entry.project,
        entry.body,
        entry.role,
        entry.digest,
        entry.policy,
        entry.outcome,
        entry.reason,
    )


def whole() -> Story:
    """A story up to publication."""
    return Story().begin().agree().deposit().classify().analyse().submit().publish()
