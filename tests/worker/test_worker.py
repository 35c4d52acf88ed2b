"""The worker's parts over a database: mail is written once, the ledger is signed, a silent warden stops neither."""

from __future__ import annotations

import email
from email import policy
from pathlib import Path

import pytest

from strongroom.domain.acts import Entry
from strongroom.layout import Layout
from strongroom.orders.client import WardenUnreachable
from tests.web.pages import history


class Folders(Layout):
    """A layout whose state lies in a test's folder."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Folders("worker-test")
    object.__setattr__(made, "root", tmp_path / "state")
    for part in ("web", "worker"):
        made.state_of(part).mkdir(parents=True)
    return made


def feed_of(entries: list[Entry]) -> object:
    """A warden that only tells."""

    class Telling:
        def feed(self, after: int, limit: int) -> list[Entry]:
            return [entry for entry in entries if entry.seq > after][:limit]

    return Telling()


def test_a_round_adopts_writes_mail_and_signs(
    records_db: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from strongroom import ledger as logs
    from strongroom.records import ledger
    from strongroom.usecases import acting
    from strongroom.usecases.people import SignedIn, meet
    from strongroom.worker.loop import Worker

    story = history.disagreed()
    meet(SignedIn("sub-rep", "Tom Ashdown", "tom@example.org", (), lambda: ""), "inside")
    monkeypatch.setattr(acting, "warden", lambda: feed_of(story.entries))
    worker = Worker(layout)
    assert worker.round(story.now) == len(story.entries)
    assert worker.round(story.now) == 0
    letters = [
        email.message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in (layout.state_of("worker") / "maildir" / "new").iterdir()
    ]
    mine = [letter for letter in letters if letter["To"] == "Tom Ashdown <tom@example.org>"]
    assert any("opinions on Attainment by authority differ" in str(letter["Subject"]) for letter in mine)
    assert len({letter["Message-ID"] for letter in letters}) == len(letters)
    assert ledger.export_to(tmp_path / "app.jsonl", layout.state_of("web"))
    report = logs.verify_export(tmp_path / "app.jsonl", worker.key.public_key())
    assert report.holds
    assert report.entries == len(story.entries) + 1


def test_a_silent_warden_stops_neither_mail_nor_signing(
    records_db: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from strongroom.records import ledger, reading
    from strongroom.usecases import acting
    from strongroom.usecases.adopting import adopt
    from strongroom.worker.loop import Worker

    class Silent:
        def feed(self, after: int, limit: int) -> list[Entry]:
            raise WardenUnreachable("no answer")

    story = history.sealed()
    adopt(story.entries)
    assert any(not letter.written for letter in reading.all_mail())
    monkeypatch.setattr(acting, "warden", Silent)
    with pytest.raises(WardenUnreachable):
        Worker(layout).round(story.now)
    assert all(letter.written for letter in reading.all_mail())
    assert ledger.newest_checkpoint()


def test_the_signing_key_stays(layout: Layout) -> None:
    from strongroom.worker.keys import ledger_key

    folder = layout.state_of("worker")
    first = ledger_key(folder).private_bytes_raw()
    assert ledger_key(folder).private_bytes_raw() == first
    assert (folder / "app-ledger.ed25519").stat().st_mode & 0o777 == 0o600


def test_names_cannot_add_headers(records_db: Path) -> None:
    from strongroom.records.models import Mail
    from strongroom.worker.postman import message_of

    letter = Mail(pk=1, subject="One\r\nBcc: everybody@example.org", text="Words", at="")
    message = message_of(letter, "tom@example.org>\r\nBcc: x@example.org", 'Tom "<x>\r\nBcc: y@example.org')
    assert set(message.keys()) >= {"From", "To", "Subject"}
    assert "Bcc" not in message
    assert str(message["Subject"]) == "One Bcc: everybody@example.org"
