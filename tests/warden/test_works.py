"""The work itself under faults: said before done, killed in between, and never in the way of other projects."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom.domain.project import Project
from strongroom.platforms.protocol import PlatformError
from strongroom.warden import reconcile
from strongroom.warden.hands import Hands
from strongroom.warden.reconcile import Reconciler
from strongroom.warden.record import Record
from strongroom.warden.works import deposits, environments, outputs
from tests.domain.story import DIGEST, TIER_0, TIER_2, TIER_3, Story
from tests.proves import proves

RED = {"broken": ["network"], "summary": {"holds": 1, "broken": 1, "unknown": 0}, "results": [], "drift": []}
GREEN = {**RED, "broken": [], "summary": {"holds": 2, "broken": 0, "unknown": 0}}


class Pod:
    """Remembers what it was told."""

    def __init__(self, phase: str = "ready") -> None:
        self.phase, self.told = phase, list[str]()

    def observe(self, _spec: object) -> Any:
        return SimpleNamespace(phase=self.phase, drift=())

    def suspend(self, _environment: str) -> None:
        self.told.append("suspend")

    def resume(self, _environment: str) -> None:
        self.told.append("resume")


def hands_after(folder: Path, story: Story, platform: Any = None) -> Hands:
    record = Record(folder / "warden.sqlite3")
    with record.transaction() as db:
        for entry in story.entries:
            record.append(db, entry)
    hands = Hands(*(cast(Any, None),) * 8)
    hands.record, hands.platform, hands.clock = record, platform or Pod(), lambda: story.now
    return hands


@pytest.fixture
def lab() -> Story:
    return Story().begin().agree().deposit().classify(TIER_2).analyse()


@proves("satre:2.2.12")
def test_a_broken_isolation_is_on_record_before_it_is_frozen(tmp_path: Path, lab: Story) -> None:
    class Killed(Pod):
        def suspend(self, _environment: str) -> None:
            raise SystemExit

    hands = hands_after(tmp_path, lab, Killed())
    with pytest.raises(SystemExit):
        environments.broken(hands, "chem97", "lab", RED)
    assert Record(tmp_path / "warden.sqlite3").state("chem97").environments["lab"].state == "suspended"


def test_what_cannot_be_recorded_is_frozen_all_the_same(tmp_path: Path, lab: Story) -> None:
    hands = hands_after(tmp_path, lab)
    with pytest.raises(ValueError, match="bytes"):
        environments.broken(hands, "chem97", "lab", {**RED, "drift": ["x" * 300_000]})
    assert cast(Any, hands.platform).told == ["suspend"]


@pytest.mark.parametrize(("found", "state"), [(RED, "suspended"), (GREEN, "running")])
def test_a_frozen_environment_is_looked_at_before_it_runs_on(
    tmp_path: Path, lab: Story, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any], state: str
) -> None:
    monkeypatch.setattr(environments, "look", lambda *_: found)
    monkeypatch.setattr(environments, "spec_of", lambda *_: None)
    hands = hands_after(tmp_path, lab, Pod("suspended"))
    environments.keep(hands, "chem97", "lab")
    assert hands.state("chem97").environments["lab"].state == state
    assert cast(Any, hands.platform).told == ["resume", "suspend"][: 1 + bool(found["broken"])]


class Shelf:
    """A store that is killed before it makes anything."""

    capability = staticmethod(lambda: "fscrypt")
    find = staticmethod(lambda _volume: None)

    def create(self, *_: object) -> Path:
        raise SystemExit


@proves("P105", "P106")
def test_a_volume_said_and_never_made_is_on_the_certificate_all_the_same(tmp_path: Path, lab: Story) -> None:
    hands = hands_after(tmp_path, lab)
    hands.volumes = cast(Any, Shelf())
    with pytest.raises(SystemExit):
        hands.make_volume("chem97", "late", "lab", "/late", "scratch", 1 << 20, 0)
    assert "destroyed" not in hands.state("chem97").volumes["late"]
    hands.destroy_volume("chem97", "late")
    assert hands.state("chem97").volumes["late"]["destroyed"]["method"] == "never made"


@proves("P96")
def test_a_new_token_makes_the_receiver_forget_the_old_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story().begin().agree()
    ends = (story.now + timedelta(days=1)).isoformat()
    body = {"dataset": "pupils", "environment": "look", "size_mb": 9, "networks": ["127.0.0.0/8"], "expires": ends}
    story.act("manager", "deposit.open", id="delivery", **body)
    story.fact("deposit.opened", deposit="delivery", host="h")
    hands = hands_after(tmp_path, story)
    started: list[str] = []

    def start(_layout: object, secret: str) -> Any:
        started.append(secret)
        return SimpleNamespace(poll=lambda: None)

    monkeypatch.setattr(deposits, "_opening", lambda hands, item: hands.record.upload_secret(item.id))
    monkeypatch.setattr(deposits.process, "start", start)
    for secret in ("", "first", "first", "", "", "second"):
        with hands.record.transaction() as db:
            db.execute("INSERT OR REPLACE INTO deposit_secret VALUES ('delivery', '', ?)", (secret,))
        deposits.receive(hands, "chem97", "delivery")
    assert started == ["", ""]


def submitted(lab: Story, name: str = "t.csv") -> Story:
    body = {"environment": "lab", "description": "Means", "script": name, "files": [name]}
    lab.act("researcher", "egress.submit", id="first", work_package="first-output", **body)
    lab.fact("egress.frozen", request="first", files=[], digest="d", refused=[])
    return lab


class Sealed:
    """A volume with one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, _volume: str) -> Path:
        return self.folder


@proves("satre:3.3.04")
def test_a_file_that_breaks_the_checks_is_a_failed_check(tmp_path: Path, lab: Story) -> None:
    hands = hands_after(tmp_path, submitted(lab))

    def never(*_: object) -> bytes:
        raise PlatformError("The checks did not end")

    hands.volumes, hands.check = cast(Any, Sealed(tmp_path)), never
    for _ in range(outputs.TRIES - 1):
        with pytest.raises(PlatformError):
            outputs.check(hands, "chem97", "first")
    assert hands.state("chem97").requests["first"].state == "checking"
    outputs.check(hands, "chem97", "first")
    request = hands.state("chem97").requests["first"]
    assert (request.state, request.checks["verdict"]) == ("review", "fail")
    assert request.checks["findings"][0]["mend"]


def test_more_findings_than_a_record_holds_do_not_stop_the_check(tmp_path: Path, lab: Story) -> None:
    hands = hands_after(tmp_path, submitted(lab))
    finding = {"rule": "cell.small", "severity": "fail", "file": "f" * 900, "locator": {}, "words": "w" * 900}
    told = {"profile": "uk", "profile_version": "1", "verdict": "fail", "findings": [finding] * 400}
    content = json.dumps({"result": told}).encode()
    hands.volumes, hands.check = cast(Any, Sealed(tmp_path)), lambda *_: content
    outputs.check(hands, "chem97", "first")
    request = hands.state("chem97").requests["first"]
    assert (request.state, request.checks["verdict"]) == ("review", "fail")
    assert request.checks["findings"]


def test_a_project_that_cannot_be_read_holds_up_no_other(tmp_path: Path, lab: Story) -> None:
    hands = hands_after(tmp_path, lab)
    state = hands.record.state

    def broken(project: str) -> Project:
        if project == "other":
            raise RuntimeError("unreadable")
        return state(project)

    hands.record.projects = lambda: ["other", "chem97"]  # type: ignore[method-assign]
    hands.record.state = broken  # type: ignore[method-assign]
    reconciler = Reconciler(hands)
    assert reconciler._pending("other") == []
    assert {work.kind for work in reconciler._pending("chem97")} >= {"environment.keep"}
    reconciler.stop()


def test_long_work_of_one_project_does_not_hold_up_another(
    tmp_path: Path, lab: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = hands_after(tmp_path, lab)
    with hands.record.transaction() as db:
        for entry in Story("physics").begin().agree().entries:
            hands.record.append(db, entry)
    go_on, seen = threading.Event(), threading.Event()

    def keep(_hands: Hands, project: str, _subject: str) -> None:
        if project == "chem97":
            assert go_on.wait(20)
        else:
            seen.set()

    for kind in reconcile.HANDLERS:
        monkeypatch.setitem(reconcile.HANDLERS, kind, keep)
    reconciler = Reconciler(hands)
    reconciler.look()
    assert seen.wait(20)
    go_on.set()
    reconciler.stop()


@proves("P103")
def test_a_deposit_that_changed_is_told_and_not_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story().begin().agree()
    ends = (story.now + timedelta(days=1)).isoformat()
    body = {"dataset": "pupils", "environment": "look", "size_mb": 9, "networks": ["127.0.0.0/8"], "expires": ends}
    story.act("manager", "deposit.open", id="delivery", **body)
    story.fact("deposit.opened", deposit="delivery", host="h")
    story.act("representative", "deposit.complete", deposit="delivery")
    story.fact("deposit.sealed", deposit="delivery", receipt={"digest": "d" * 64, "files": []})
    story.act("representative", "deposit.confirm", deposit="delivery", digest="d" * 64)
    story.act("investigator", "deposit.mount", deposit="delivery")
    hands = hands_after(tmp_path, story)
    volumes = SimpleNamespace(open=lambda _: None, sha256_tree=lambda _: SimpleNamespace(digest="e" * 64))
    hands.volumes = cast(Any, volumes)
    monkeypatch.setattr(deposits, "stop_receiver", lambda *_: None)
    deposits.mount(hands, "chem97", "delivery")
    kinds = [one.kind for one in hands.record.entries(len(story.entries), 10)]
    assert kinds == ["deposit.damaged", "deposit.mismatched"]
    assert hands.state("chem97").deposits["delivery"].state == "mismatched"


class Rooms:
    """Volumes as folders, made when they are opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, volume: str) -> Path:
        path = self.folder / volume
        path.mkdir(exist_ok=True)
        return path


@proves("P88")
def test_the_signed_agreement_lies_beside_the_data(tmp_path: Path, lab: Story) -> None:
    hands = hands_after(tmp_path, lab)
    rooms = Rooms(tmp_path)
    hands.volumes = cast(Any, rooms)
    (rooms.open("chem97-documents") / DIGEST).write_bytes(b"signed")
    for _ in range(2):
        environments._documents(hands, lab.state, "lab")
    (copy,) = rooms.open("lab-documents").iterdir()
    assert (copy.read_bytes(), copy.stat().st_mode & 0o777) == (b"signed", 0o444)
    assert copy.name.startswith("dsa-")


@proves("P121", "P139", "P184", "P186")
@pytest.mark.parametrize(("answers", "clipboard"), [(TIER_0, True), (TIER_2, False), (TIER_3, False)])
def test_each_dataset_has_a_read_only_volume_and_sharing_follows_the_tier(
    tmp_path: Path, answers: list[list[str]], clipboard: bool
) -> None:
    story = Story().begin().agree().deposit()
    for who in ("investigator", "representative", *([] if clipboard else ["referee"])):
        story.opinion(who, answers)
    story.act("manager", "environment.create", id="lab", work_package="attainment")
    hands = hands_after(tmp_path, story)
    story.state.work_packages["attainment"].datasets = ("pupils", "wages")
    hands.volumes, hands.image = cast(Any, Rooms(tmp_path)), lambda: "image"
    spec = environments.spec_of(hands, story.state, story.state.environments["lab"])
    data = [(one.name, one.mode, one.mount) for one in spec.volumes if one.kind == "data"]
    assert data == [("lab-pupils", "ro", "/data/pupils"), ("lab-wages", "ro", "/data/wages")]
    assert spec.clipboard is clipboard
