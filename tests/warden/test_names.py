"""Ids come from the asker: no name on the host ever belongs to two things, and no line makes a project unreadable."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.acts import Act, Entry
from strongroom.policy.workflows import WorkflowError
from strongroom.warden import claims
from strongroom.warden.record import Record
from tests.domain.story import CAST, DIGEST, TIER_2, Story
from tests.proves import proves
from tests.warden.desk import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def told(bench: Bench, story: Story) -> Story:
    """Put a story into the bench's record."""
    with bench.record.transaction() as db:
        for entry in story.entries:
            bench.record.append(db, entry)
    bench.provider.now = story.now.timestamp() + 60
    return story


def second(bench: Bench) -> Story:
    """Two projects with the same people: the first up to a submitted request, the second up to its assessment."""
    told(bench, Story().begin().agree().deposit().classify(TIER_2).analyse().submit())
    other = Story("physics").begin()
    for entry in Story("physics").begin().agree().entries:
        if entry.kind not in ("environment.create", "environment.ready") and entry.seq > len(other.entries):
            other._keep(entry)
    return told(bench, other)


@proves("satre:2.1.14")
def test_another_projects_environment_id_is_taken(bench: Bench) -> None:
    second(bench)
    outcome = bench.do("manager", "environment.create", project="physics", id="look", work_package="attainment")
    assert outcome.status == "refused" and "taken" in outcome.reason
    assert bench.record.project_of("environments", "look") == "chem97"
    own = bench.do("manager", "environment.create", project="physics", id="look-two", work_package="attainment")
    assert own.done


@pytest.mark.parametrize("ident", ["delivery", "lab", "first", "warden"])
def test_another_projects_deposit_id_is_taken(bench: Bench, ident: str) -> None:
    other = second(bench)
    other.act("manager", "environment.create", id="view", work_package="attainment")
    other.ready("view")
    with bench.record.transaction() as db:
        for entry in other.entries[-2:]:
            bench.record.append(db, entry)
    asked = {
        "dataset": "pupils",
        "environment": "view",
        "size_mb": 64,
        "networks": ["127.0.0.0/8"],
        "expires": "2027-01-01T00:00:00+00:00",
    }
    outcome = bench.do("manager", "deposit.open", project="physics", id=ident, **asked)
    assert outcome.status == "refused" and "taken" in outcome.reason
    assert bench.do("manager", "deposit.open", project="physics", id=f"{ident}-new", **asked).done


def test_names_that_run_together_are_taken() -> None:
    story = Story().begin().agree().deposit().classify(TIER_2).analyse()
    other = Story("physics").begin().agree()
    for kind, body in {
        "deposit.open": {"id": "delivery"},
        "egress.submit": {"id": "lab"},
        "project.create": {"id": "lab"},
        "environment.create": {"id": "physics", "work_package": "attainment"},
    }.items():
        taken = claims.refusal(Act(kind, "physics", body), other.state, [story.state, other.state])
        assert taken is not None and "taken" in taken.reason, kind
    long = Act("environment.create", "physics", {"id": "e" * 40, "work_package": "attainment"})
    other.state.work_packages["attainment"].datasets = ("d" * 40,)
    refused = claims.refusal(long, other.state, [])
    assert refused is not None and "too long" in refused.reason
    other.state.work_packages["attainment"].datasets = ("output",)
    same = Act("environment.create", "physics", {"id": "env", "work_package": "attainment"})
    assert claims.refusal(same, other.state, []) is not None


def test_a_fact_that_the_workflow_forbids_is_never_kept(bench: Bench) -> None:
    bench.create()
    reopened = Record(bench.path)
    entry = Entry(0, "2026-03-02T09:00:00Z", CAST["programme"], "project.destroyed", "chem97", {"certificate": {}})
    with pytest.raises(WorkflowError), reopened.transaction() as db:
        reopened.append(db, entry)
    with pytest.raises(KeyError):
        reopened.fact("environment.ready", "chem97", datetime.now(UTC), environment="none")
    assert Record(bench.path).state("chem97").state == "open"


def test_what_could_not_be_committed_does_not_count(bench: Bench) -> None:
    bench.create()
    real = bench.record._db

    class Full:
        """A disk that is full at the commit."""

        in_transaction = True

        def execute(self, statement: str, *values: Any) -> Any:
            if statement == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return real.execute(statement, *values)

    bench.record._db = Full()  # type: ignore[assignment]
    with pytest.raises(sqlite3.OperationalError):
        bench.do("programme", "project.close", note="")
    bench.record._db = real
    assert bench.record.state("chem97").state == "open"
    assert bench.do("programme", "project.close", note="").done


def test_refusals_for_invented_projects_are_no_projects(bench: Bench) -> None:
    assert bench.do("researcher", "project.close", project="invented", note="").status == "refused"
    assert bench.record.projects() == []
    assert bench.record._states == {}
    for project in ("", "../up", "chem97"):
        outcome = bench.do("researcher", "training.certify", project=project, module="data-handling", version="2026-1")
        assert outcome.status == ("malformed" if project else "done")


@pytest.mark.parametrize(
    "document",
    [
        {"name": {"a": 1}, "sha256": DIGEST, "size": 9},
        {"name": "a", "sha256": "../../x", "size": 9},
        {"name": "a", "sha256": 7, "size": 9},
        {"name": "a", "sha256": DIGEST, "size": 9.0},
        {"name": "a" * 300, "sha256": DIGEST, "size": 9},
    ],
)
def test_a_document_is_named_by_a_hash_and_a_size(bench: Bench, document: dict[str, Any]) -> None:
    bench.create()
    outcome = bench.do("representative", "agreement.lodge", agreement="dsa", document=document, certifies=True)
    assert outcome.status == "malformed"
