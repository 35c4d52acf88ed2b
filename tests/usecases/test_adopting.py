"""Taking the warden's record over: in order, once, whoever does it and however often."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from strongroom.domain.acts import Entry
from tests.web.pages import history


def ledger_lines() -> list[dict[str, object]]:
    """Entries of the app's ledger."""
    from django.db import connection

    from strongroom import ledger

    with connection.cursor() as cursor:
        return [entry for _, entry in ledger.read(cursor.execute, 0, 1000, placeholder="%s")]


def test_the_records_show_what_the_warden_knows(records_db: Path) -> None:
    from strongroom import records
    from strongroom.usecases.adopting import adopt

    story = history.released()
    assert adopt(story.entries) == len(story.entries)
    mine, theirs = records.project("chem97"), story.project
    assert (mine.state, mine.tier(), mine.members) == (theirs.state, theirs.tier(), theirs.members)
    assert [entry.seq for entry in mine.history] == [entry.seq for entry in theirs.history]
    assert [state.id for state in records.projects_for(history.PEOPLE["rosa"])] == ["chem97"]
    assert records.projects_for(history.WARDEN) == []


def test_adopting_twice_changes_nothing(records_db: Path) -> None:
    from strongroom.records import reading
    from strongroom.usecases.adopting import adopt

    story = history.disagreed()
    adopt(story.entries)
    lines, mail = ledger_lines(), len(reading.all_mail())
    assert mail > 0
    assert adopt(story.entries) == 0
    assert (ledger_lines(), len(reading.all_mail())) == (lines, mail)


def test_each_act_has_one_line_naming_the_wardens(records_db: Path) -> None:
    from strongroom.ledger import canonical
    from strongroom.usecases.adopting import adopt

    story = history.begun()
    story.refused("rosa", "project.close", note="")
    adopt(story.entries)
    lines = ledger_lines()
    assert len(lines) == len(story.entries)
    for entry, line in zip(story.entries, lines, strict=True):
        assert line["body"] == {
            "warden_seq": entry.seq,
            "decision": entry.digest,
            "entry_sha256": hashlib.sha256(canonical(entry.to_json())).hexdigest(),
        }
    assert (lines[-1]["outcome"], bool(lines[-1]["reason"])) == ("refused", True)


def test_two_adopters_at_once_lose_and_double_nothing(records_db: Path) -> None:
    from django.db import connection

    from strongroom.records.models import Event
    from strongroom.usecases.adopting import catch_up

    story = history.working()

    def feed(after: int, limit: int) -> list[Entry]:
        return [entry for entry in story.entries if entry.seq > after][: min(limit, 7)]

    def run(_: int) -> int:
        try:
            total = 0
            while found := catch_up(feed):
                total += found
            return total
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        adopted = sum(pool.map(run, range(4)))
    run(0)
    assert Event.objects.count() == len(story.entries)
    assert adopted <= len(story.entries)
    assert len(ledger_lines()) == len(story.entries)


def test_a_failure_in_the_middle_keeps_nothing_of_the_page(records_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from strongroom.records import reading
    from strongroom.records.storing import store_entry as whole
    from strongroom.usecases import adopting

    story = history.begun()

    def fails(entry: Entry) -> None:
        if entry.seq == 5:
            raise OSError("disk full")
        whole(entry)

    monkeypatch.setattr(adopting, "store_entry", fails)
    with pytest.raises(OSError, match="disk full"):
        adopting.adopt(story.entries)
    assert (reading.last_seq(), ledger_lines()) == (0, [])
    monkeypatch.setattr(adopting, "store_entry", whole)
    assert adopting.adopt(story.entries) == len(story.entries)


def test_the_folded_state_follows_new_entries(records_db: Path) -> None:
    from strongroom import records
    from strongroom.usecases.adopting import adopt

    story = history.mounted()
    adopt(story.entries)
    assert records.project("chem97").work_packages["attainment"].opinions == {}
    history.opinion(story, "ines", history.TIER_2)
    adopt(story.entries)
    assert list(records.project("chem97").work_packages["attainment"].opinions) == [("investigator", "sub-ines")]
