"""A valid history of a project for page tests: every act passes ``domain.evidence``, so none of them is impossible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from strongroom.domain.acts import Act, Actor, Entry
from strongroom.domain.evidence import evidence
from strongroom.domain.place import Place
from strongroom.domain.project import Project, fold
from strongroom.domain.verdict import Refused
from strongroom.policy.tiers import digest

BEGIN = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PEOPLE = {
    "pat": Actor("person", "sub-pat", "Pat Okafor", ("programme-managers",)),
    "max": Actor("person", "sub-max", "Max Lindqvist"),
    "ines": Actor("person", "sub-ines", "Ines Marques"),
    "rosa": Actor("person", "sub-rosa", "Rosa Iyer"),
    "ref": Actor("person", "sub-ref", "Noor Haddad"),
    "rep": Actor("person", "sub-rep", "Tom Ashdown"),
    "sys": Actor("person", "sub-sys", "Sam Brandt", ("system-managers",)),
}
WARDEN = Actor("process", "warden", "Warden")
ROLES = {
    "max": "project_manager",
    "ines": "investigator",
    "rosa": "researcher",
    "ref": "referee",
    "rep": "representative",
}
TIER_2 = [
    ("open_generate_new", "no"),
    ("closed_personal", "yes"),
    ("special_category", "no"),
    ("public_and_open", "no"),
    ("no_reidentify", "yes"),
    ("no_reidentify_absolute", "no"),
    ("no_reidentify_strong", "yes"),
    ("include_commercial_personal", "no"),
]
TIER_3 = [*TIER_2[:4], ("no_reidentify", "no"), ("substantial_threat", "no"), ("sophisticated_attack", "no")]
TIER_0 = [
    ("open_generate_new", "no"),
    ("closed_personal", "no"),
    ("include_commercial", "no"),
    ("open_publication", "no"),
]
FILE_DIGEST = "a" * 64


class History:
    """Entries in the making; each act takes the story some minutes further."""

    def __init__(self, project: str = "chem97", *, after: list[Entry] | None = None, begin: datetime = BEGIN) -> None:
        self.id = project
        self.entries: list[Entry] = list(after or [])
        self.now = begin

    @property
    def project(self) -> Project:
        return fold(self.id, self.entries)

    def do(self, who: str, kind: str, /, minutes: int = 7, **body: Any) -> Entry:
        """An act of a person; AssertionError with the refusal when the rules do not allow it."""
        act = Act(kind, "" if kind == "training.certify" else self.id, body)
        verdict = evidence(act, PEOPLE[who], self.project, self.now, Place("restricted", "high"))
        assert not isinstance(verdict, Refused), f"{who} {kind}: {verdict}"
        return self._add(PEOPLE[who], act, minutes, verdict.role)

    def refused(self, who: str, kind: str, /, **body: Any) -> Entry:
        """An act that the rules refuse, as the record keeps it."""
        act = Act(kind, self.id, body)
        verdict = evidence(act, PEOPLE[who], self.project, self.now, Place("restricted", "high"))
        assert isinstance(verdict, Refused), f"{who} {kind} was expected to be refused"
        return self._add(PEOPLE[who], act, 1, "", outcome="refused", reason=verdict.reason)

    def fact(self, kind: str, /, minutes: int = 1, **body: Any) -> Entry:
        """A fact that the warden states."""
        return self._add(WARDEN, Act(kind, self.id, body), minutes, "")

    def _add(
        self, actor: Actor, act: Act, minutes: int, role: str, *, outcome: str = "done", reason: str = ""
    ) -> Entry:
        seq = len(self.entries) + 1
        at = self.now.isoformat(timespec="seconds")
        entry = Entry(seq, at, actor, act.kind, act.project, act.body, role, act.digest, digest(), outcome, reason)
        self.entries.append(entry)
        self.now += timedelta(minutes=minutes)
        return entry


PROBES = [
    {"probe": "no_outside_network", "state": "holds", "evidence": "connect 1.1.1.1:443: network is unreachable"},
    {"probe": "no_new_privileges", "state": "holds", "evidence": "NoNewPrivs: 1"},
    {"probe": "root_filesystem_read_only", "state": "holds", "evidence": "touch /x: read-only file system"},
    {"probe": "dns_does_not_leak", "state": "broken", "evidence": "name example.org answered by 10.0.2.3"},
]


def join(story: History, who: str) -> None:
    """Training and terms of one person."""
    story.do(who, "training.certify", module="data-handling", version="2026-1")
    story.do(who, "terms.accept", version="2026-1")


def begun() -> History:
    """People, dataset, agreement and work package are there."""
    story = History()
    story.do("pat", "project.create", id=story.id, name="A-level chemistry 1997", summary="Attainment by authority")
    for who, role in ROLES.items():
        organisation = "Department of Education" if role == "representative" else ""
        person = PEOPLE[who]
        story.do("pat", "person.appoint", role=role, person=person.id, name=person.name, organisation=organisation)
    for who in ("ines", "rosa"):
        join(story, who)
    story.do(
        "max",
        "dataset.register",
        id="chem97",
        name="Chem97",
        description="Results of 31,022 pupils",
        provider="Department of Education",
        representative="sub-rep",
        personal=True,
        lawful_basis="Public task",
        terms="",
    )
    story.do("max", "agreement.draft", id="agreement-1", dataset="chem97", text="The agreement")
    document = {"name": "signed.pdf", "sha256": "d" * 64, "size": 2048}
    story.do("rep", "agreement.lodge", agreement="agreement-1", document=document, certifies=True)
    story.do(
        "max",
        "workpackage.create",
        id="attainment",
        name="Attainment by authority",
        datasets=["chem97"],
        analysis="One regression",
        outputs="A table and a figure",
        tools="Python",
    )
    return story


def prepared(story: History, environment: str, *mounts: tuple[str, str]) -> None:
    """The warden's facts of an environment that comes up well."""
    for mount, kind in mounts:
        volume = f"{environment}-{kind}"
        size = 256 * 2**20
        story.fact(
            "volume.created",
            volume=volume,
            environment=environment,
            mount=mount,
            kind=kind,
            size=size,
            encryption="luks",
        )
    summary = {"holds": 3, "broken": 0, "unknown": 0}
    story.fact(
        "environment.ready",
        environment=environment,
        milliseconds=9400,
        image="a1",
        summary=summary,
        results=PROBES[:3],
        drift=[],
    )


def assessed() -> History:
    """The first-assessment environment runs."""
    story = begun()
    story.do("max", "environment.create", id="look", work_package="attainment")
    prepared(story, "look", ("/home/researcher", "home"), ("/scratch", "scratch"))
    return story


def opened(networks: tuple[str, ...] = ("127.0.0.0/8",)) -> History:
    """A deposit waits for files."""
    story = assessed()
    ends = (story.now + timedelta(days=3650)).isoformat()
    story.do(
        "max",
        "deposit.open",
        id="pupils",
        dataset="chem97",
        environment="look",
        size_mb=200,
        networks=list(networks),
        expires=ends,
    )
    story.fact("deposit.opened", deposit="pupils")
    return story


def receipt(digest_: str = FILE_DIGEST) -> dict[str, Any]:
    """A receipt as the warden states it."""
    return {
        "deposit": "pupils",
        "digest": digest_,
        "files": [{"name": "chem97.csv", "size": 1_234_567, "sha256": "b" * 64}],
        "at": "2026-11-24T13:00:00+00:00",
        "signature": "c" * 86,
    }


def sealed() -> History:
    """Files are in and sealed; hashes are to be compared."""
    story = opened()
    story.do("rep", "deposit.token", deposit="pupils")
    story.do("rep", "deposit.complete", deposit="pupils")
    story.fact("deposit.sealed", deposit="pupils", receipt=receipt())
    return story


def confirmed() -> History:
    """The Representative has confirmed the hash."""
    story = sealed()
    story.do("rep", "deposit.confirm", deposit="pupils", digest=FILE_DIGEST)
    return story


def mounted() -> History:
    """The data can be seen in the first-assessment environment."""
    story = confirmed()
    story.do("ines", "deposit.mount", deposit="pupils")
    story.fact("deposit.mounted", deposit="pupils")
    return story


def opinion(story: History, who: str, answers: list[tuple[str, str]], statement: str = "") -> None:
    """One classifier's opinion on the work package."""
    story.do(
        who,
        "classification.opinion",
        work_package="attainment",
        question_set="strongroom-1",
        answers=[list(pair) for pair in answers],
        statement=statement,
    )


def disagreed() -> History:
    """All needed have answered, and differ."""
    story = mounted()
    join(story, "ref")
    opinion(story, "ines", TIER_2, "No names, coarse ages")
    opinion(story, "rep", TIER_3, "Schools are small")
    opinion(story, "ref", TIER_2)
    return story


def classified() -> History:
    """Consensus at Tier 2 after one revised opinion."""
    story = disagreed()
    opinion(story, "rep", TIER_2, "Agreed after the call")
    return story


def working() -> History:
    """The Tier 2 environment runs."""
    story = classified()
    story.do("rep", "output_form.agree", work_package="attainment", form="Tables with no cell below 10")
    story.do("max", "environment.create", id="analysis", work_package="attainment")
    prepared(story, "analysis", ("/work", "working"), ("/output", "output"))
    story.fact(
        "data.moved",
        environment="analysis",
        dataset="chem97",
        source="pupils-data",
        target="analysis-chem97",
        digest=FILE_DIGEST,
    )
    story.do("rosa", "environment.enter", environment="analysis")
    return story


SMALL_CELL = {
    "file": "table.csv",
    "locator": {"sheet": None, "row": 3, "column": 2},
    "source": "profile 1",
    "rule": "cell-threshold",
    "words": "This cell counts 4 people, fewer than 10.",
    "mend": "Join it with the row next to it.",
    "severity": "fail",
}


def submitted(request: str = "out-1", *, findings: tuple[dict[str, Any], ...] = (), verdict: str = "pass") -> History:
    """An egress request is frozen, checked and in review."""
    story = working()
    submit(story, request, findings=findings, verdict=verdict)
    return story


def submit(story: History, request: str, *, findings: tuple[dict[str, Any], ...] = (), verdict: str = "pass") -> None:
    """Submit, freeze and check one egress request."""
    files = ["analysis.py", "table.csv", "figure.png"]
    story.do(
        "rosa",
        "egress.submit",
        id=request,
        environment="analysis",
        work_package=f"{request}-wp",
        description="Mean score by authority",
        script="analysis.py",
        files=files,
    )
    frozen = [{"name": name, "size": 900 + number, "sha256": str(number) * 64} for number, name in enumerate(files)]
    story.fact("egress.frozen", request=request, files=frozen, digest="e" * 64, refused=[])
    story.fact("egress.checked", request=request, checks={"verdict": verdict, "findings": list(findings)})


def review(story: History, who: str, request: str = "out-1", decision: str = "approve", note: str = "") -> None:
    """One review of a request."""
    answers = [list(pair) for pair in TIER_0] if decision == "approve" else []
    story.do(
        who,
        "egress.review",
        request=request,
        digest="e" * 64,
        decision=decision,
        question_set="strongroom-1",
        answers=answers,
        note=note,
    )


def approved() -> History:
    """Everybody needed has approved."""
    story = submitted()
    for who in ("ines", "rep", "ref"):
        review(story, who)
    return story


def released() -> History:
    """The output is published."""
    story = approved()
    story.do("max", "egress.release", request="out-1", digest="e" * 64)
    files = [{"name": name, "sha256": str(n) * 64} for n, name in enumerate(("analysis.py", "table.csv", "figure.png"))]
    story.fact(
        "egress.released", request="out-1", record={"request": "out-1", "digest": "e" * 64, "files": files, "tier": 0}
    )
    return story


def ended() -> History:
    """The project is closed and everything destroyed."""
    story = released()
    story.do("pat", "project.close", note="Done")
    for volume in ("look-home", "look-scratch", "analysis-working", "analysis-output"):
        when = story.now.isoformat()
        story.fact("volume.destroyed", volume=volume, kind="own", destroyed_at=when, key_id="k1", method="luks erase")
    for environment in ("look", "analysis"):
        story.fact("environment.destroyed", environment=environment)
    certificate = {
        "project": "chem97",
        "at": story.now.isoformat(),
        "volumes": [{"volume": "look-home", "kind": "home", "method": "luks"}],
        "signature": "f" * 86,
    }
    story.fact("project.destroyed", certificate=certificate)
    return story
