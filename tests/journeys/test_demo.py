"""The demonstration's own report: every step, proof, refusal, hash and probe that it names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strongroom import ledger
from tests.installation import Installation
from tests.proves import proves

pytestmark = pytest.mark.real


@proves("P9", "P16", "P41", "P45", "P53", "P62", "P69", "P105", "P106", "P127")
def test_the_report_says_what_was_done_and_proved(whole: Installation) -> None:
    report = whole.report
    assert {"steps", "environments", "refusals", "release", "certificate", "ledger", "people"} <= set(report)
    assert all({"name", "actor", "seconds", "proof"} == set(step) for step in report["steps"])
    assert len(report["steps"]) > 50
    assert {person["role"] for person in report["people"]} >= {
        "Programme Manager",
        "Investigator",
        "Referee",
        "Auditor",
    }


@proves("P149", "P148")
def test_every_environment_attests_its_isolation(whole: Installation) -> None:
    environments = whole.report["environments"]
    assert sorted(one["tier"] for one in environments) == [2, 2, 3, 3]
    for one in environments:
        assert one["probes"]["holds"] >= 25
        assert (one["probes"]["broken"], one["probes"]["unknown"]) == (0, 0)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("deposit without agreement", "agreement"),
        ("entry of an untrained Researcher", "training"),
        ("approval by the author", "role"),
        ("a second approval by the same person", "reviewed"),
    ],
)
def test_a_refusal_says_why(whole: Installation, what: str, words: str) -> None:
    reasons = {one["what"]: one["reason"] for one in whole.report["refusals"]}
    assert words in reasons[what]


@proves("P64", "P72", "satre:3.3.09")
def test_the_release_is_bound_by_hash(whole: Installation) -> None:
    release = whole.report["release"]
    named = {one["name"]: one["sha256"] for one in release["files"]}
    assert named == {one["name"]: one["sha256"] for one in release["record"]["files"]}
    assert "authority_by_score.csv" not in named
    assert {one["role"] for one in release["record"]["reviews"]} == {"investigator", "representative", "referee"}


@proves("P105", "satre:1.4.04")
def test_the_certificate_lists_every_volume_of_both_environments(whole: Installation) -> None:
    certificate = whole.report["certificate"]
    assert len(certificate["environments"]) == 2
    assert {one["kind"] for one in certificate["volumes"]} >= {
        "data",
        "document",
        "home",
        "scratch",
        "working",
        "output",
    }
    assert all(one["destroyed_at"] and one["key_id"] for one in certificate["volumes"])


@proves("P8", "satre:2.5.03")
def test_the_ledger_verifies_from_its_export_alone_and_one_byte_breaks_it(whole: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    assert whole.door("audit", "export", str(folder)).returncode == 0
    assert whole.door("audit", "verify", str(folder)).returncode == 0
    log = folder / "warden.jsonl"
    content = bytearray(log.read_bytes())
    place = content.index(b"project.create") + 3
    content[place] ^= 1
    log.chmod(0o600)
    log.write_bytes(content)
    assert whole.door("audit", "verify", str(folder)).returncode == 1


def test_a_checkpoint_kept_from_before_the_end_still_holds(whole: Installation, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    assert whole.door("audit", "export", str(folder)).returncode == 0
    note = (whole.layout.state_of("warden") / "demo" / "checkpoint.note").read_text(encoding="utf-8")
    key = ledger.read_key_line((folder / "warden.key").read_text(encoding="utf-8").strip())[1]
    assert ledger.verify_against(folder / "warden.jsonl", note, key).holds


def test_status_says_what_runs(whole: Installation) -> None:
    done = whole.door("status", "--json")
    assert done.returncode == 0
    text = json.dumps(json.loads(done.stdout))
    for name in ("identity", "web", "worker", "warden", "gateway"):
        assert name in text


def test_run_again_it_carries_on(whole: Installation) -> None:
    before = {one["id"] for one in whole.report["environments"]}
    done = whole.door("demo", "--json", str(whole.layout.run / "again.json"))
    assert done.returncode == 0, done.stderr[-2000:]
    again = json.loads((whole.layout.run / "again.json").read_text(encoding="utf-8"))
    assert before <= {one["id"] for one in again["environments"]}
    assert again["ledger"]["verified"]


def test_the_one_time_code_of_a_person(whole: Installation) -> None:
    done = whole.door("code", "Rosa")
    assert done.returncode == 0
    assert done.stdout.strip().isdecimal()
    assert whole.door("code", "nobody").returncode == 1
