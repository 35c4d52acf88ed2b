"""Reminders: what has waited for a day, once a day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.web.pages import history


def test_one_reminder_a_day_about_all_that_waits(records_db: Path) -> None:
    from strongroom.records import reading
    from strongroom.usecases.adopting import adopt
    from strongroom.usecases.people import SignedIn, meet
    from strongroom.usecases.reminding import remind

    story = history.confirmed()
    adopt(story.entries)
    ines = history.PEOPLE["ines"]
    meet(SignedIn(ines.id, ines.name, "ines@example.org", (), lambda: ""), "inside")
    before = len(reading.mail_for(ines.id))
    assert remind(story.now + timedelta(hours=1)) == 0
    tomorrow = story.now + timedelta(days=1, hours=2)
    assert remind(tomorrow) == 1
    assert remind(tomorrow + timedelta(minutes=5)) == 0
    assert remind(tomorrow + timedelta(days=1)) == 1
    newest = reading.mail_for(ines.id)[0]
    assert len(reading.mail_for(ines.id)) == before + 2
    assert "Authorise the mount of Chem97" in newest.text
