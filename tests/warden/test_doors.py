"""What the reading doors show to whom, and how much they take."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom.domain.work import Work, pending
from strongroom.warden import doors as doors_module
from strongroom.warden.decide import NotReady
from strongroom.warden.doors import Doors
from strongroom.warden.server import NotAllowed, Reply, Request
from strongroom.warden.volumes.errors import VolumeFull
from strongroom.warden.works import outputs
from tests.domain.story import CAST, TIER_2, TIER_3, Story
from tests.proves import proves
from tests.warden.desk import Bench
from tests.warden.test_names import told


class Shelves:
    """Volumes as folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, volume: str) -> Path:
        path = self.folder / volume
        path.mkdir(exist_ok=True)
        return path


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def doors(bench: Bench, tmp_path: Path) -> Doors:
    layout = SimpleNamespace(run=tmp_path / "run")
    hands = SimpleNamespace(record=bench.record, layout=layout, volumes=Shelves(tmp_path))
    hands.make_volume = lambda project, volume, *_: hands.volumes.open(volume)
    return Doors(bench.desk, cast(Any, hands), cast(Any, None))


def request(bench: Bench, who: str, *match: str, body: bytes = b"") -> Request:
    found = re.fullmatch("/".join(["(.*)"] * len(match)), "/".join(match))
    assert found
    token = bench.provider.token(CAST[who])
    return Request(found, {}, {"authorization": f"Bearer {token}"}, body)


def put(doors: Doors, bench: Bench, who: str, body: bytes, digest: str = "") -> Reply:
    return doors.blob(request(bench, who, digest or hashlib.sha256(body).hexdigest(), body=body))


def test_only_a_representative_hands_over_and_only_so_much(
    doors: Doors, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(bench, Story().begin())
    assert put(doors, bench, "researcher", b"x").status == 403
    assert put(doors, bench, "representative", b"x", "0" * 64).status == 400
    for number in range(doors_module.MOST_STAGED):
        assert put(doors, bench, "representative", str(number).encode()).status == 200
    assert put(doors, bench, "representative", b"0").status == 200
    assert put(doors, bench, "representative", b"more").status == 503
    monkeypatch.setattr(doors_module, "STAGED_SECONDS", -60)
    assert put(doors, bench, "representative", b"more").status == 200
    assert len(list(doors.staging.iterdir())) == 1


@proves("P87")
def test_a_document_is_kept_whole_or_not(doors: Doors, bench: Bench, tmp_path: Path) -> None:
    told(bench, Story().begin().agree())
    content = b"signed"
    digest = hashlib.sha256(content).hexdigest()
    document = {"name": "a.pdf", "sha256": digest, "size": len(content)}
    order = bench.order("representative", "agreement.lodge", agreement="dsa", document=document, certifies=True)
    assert put(doors, bench, "representative", content).status == 200
    (doors.staging / digest).write_bytes(b"sIgned")
    with pytest.raises(NotReady):
        doors.keep_document(order, CAST["representative"])
    (doors.staging / digest).write_bytes(content)
    doors.keep_document(order, CAST["representative"])
    assert [path.name for path in (tmp_path / "chem97-documents").iterdir()] == [digest]


def test_the_same_document_in_two_projects_is_read_where_one_may(doors: Doors, bench: Bench) -> None:
    told(bench, Story().begin().agree())
    other = Story("physics").begin().agree()
    other.act("programme", "person.remove", role="investigator", person=CAST["investigator"].id, reason="left")
    told(bench, other)
    digest = other.state.agreements["dsa"].document["sha256"]  # type: ignore[index]
    (doors.hands.volumes.open("chem97-documents") / digest).write_bytes(b"signed")
    assert doors.document(request(bench, "investigator", digest)).body == b"signed"
    with pytest.raises(NotAllowed):
        doors.document(request(bench, "researcher", digest))


def test_a_representative_reads_agreements_about_their_own_data_alone(doors: Doors, bench: Bench) -> None:
    story = Story().begin()
    story.appoint("programme", "representative", "system")
    told(bench, story.agree())
    digest = story.state.agreements["dsa"].document["sha256"]  # type: ignore[index]
    (doors.hands.volumes.open("chem97-documents") / digest).write_bytes(b"signed")
    assert doors.document(request(bench, "representative", digest)).body == b"signed"
    with pytest.raises(NotAllowed):
        doors.document(request(bench, "system", digest))


@proves("U15", "satre:1.5.03", "satre:4.2.02")
def test_names_of_outputs_are_for_those_who_may_enter(doors: Doors, bench: Bench) -> None:
    told(bench, Story().begin().agree().deposit().classify(TIER_2).analyse())
    folder = doors.hands.volumes.open("lab-output")
    (folder / "t.csv").write_text("1")
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "tree").symlink_to("/etc")
    seen = doors.outputs(request(bench, "researcher", "lab"))
    assert json.loads(seen.body)["files"] == [{"name": "t.csv", "size": 1}]
    for who in ("untrained", "referee", "manager"):
        with pytest.raises(NotAllowed):
            doors.outputs(request(bench, who, "lab"))
    assert bench.record.entries(0, 500)[-1].outcome == "refused"
    assert doors.outputs(request(bench, "investigator", "look")).status == 409


@proves("P154")
def test_names_of_outputs_need_the_counter_approval_of_tier_3(doors: Doors, bench: Bench) -> None:
    told(bench, Story().begin().agree().deposit().classify(TIER_3).analyse())
    with pytest.raises(NotAllowed, match="Representative"):
        doors.outputs(request(bench, "researcher", "lab"))


def test_a_representative_of_other_data_sees_no_preview(doors: Doors, bench: Bench) -> None:
    story = Story().begin()
    other = CAST["auditor"]
    story.appoint("programme", "representative", "auditor")
    story.agree().deposit().classify(TIER_2).analyse().submit()
    told(bench, story)
    assert ("representative", other.id) in story.state.members
    with pytest.raises(NotAllowed):
        doors.preview(request(bench, "auditor", "first"))


def test_an_attestation_is_for_the_projects_people_and_overseers(
    doors: Doors, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(bench, Story().begin().agree().deposit().classify(TIER_2).analyse())
    monkeypatch.setattr(doors_module.attesting, "attestation", lambda _hands, _state, item: {"environment": item.id})
    for who in ("researcher", "referee", "representative", "auditor", "system"):
        reply = doors.attestation(request(bench, who, "lab"))
        assert (reply.status, bench.record.entries(0, 500)[-1].kind) == (200, "read.attestation"), who
    assert bench.do("manager", "person.remove", role="researcher", person=CAST["researcher"].id, reason="left").done
    with pytest.raises(NotAllowed):
        doors.attestation(request(bench, "researcher", "lab"))
    assert doors.attestation(request(bench, "auditor", "nowhere")).status == 404


@proves("P124")
def test_a_copy_that_does_not_fit_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story().begin().agree().deposit().classify(TIER_2).analyse()
    body = {"environment": "lab", "description": "Means", "script": "a.py", "files": ["a.py"]}
    story.act("researcher", "egress.submit", id="first", work_package="first-output", **body)
    facts: list[tuple[str, dict[str, Any]]] = []
    shelves = Shelves(tmp_path)
    source = shelves.open("lab-output")
    (source / "a.py").write_text("1")
    with (source / "big.bin").open("wb") as sparse:
        sparse.truncate(90 << 20)
    hands = SimpleNamespace(
        volumes=shelves,
        state=lambda _: story.state,
        make_volume=lambda project, volume, *_: shelves.open(volume),
        fact=lambda kind, project, **body: facts.append((kind, body)),
    )
    outputs.freeze(cast(Any, hands), "chem97", "first")
    assert facts[-1][0] == "egress.frozen"
    assert [path.name for path in (tmp_path / "first-sealed" / "files").iterdir()] == ["a.py"]

    def full(*_: object) -> None:
        raise VolumeFull("no room")

    monkeypatch.setattr(outputs, "freeze_files", full)
    outputs.freeze(cast(Any, hands), "chem97", "first")
    # Said first: the volume goes afterwards, so a kill in between leaves nothing that cannot be done again.
    assert facts[-1][0] == "egress.refused"
    story.fact(facts[-1][0], **facts[-1][1])
    assert Work("egress.discard", "chem97", "first") in set(pending(story.state))
