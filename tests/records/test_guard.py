"""Only use cases and the worker write records, at run time."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_a_page_cannot_write_records(records_db: Path) -> None:
    from strongroom.records.guard import WriteOutsideUseCase
    from strongroom.records.models import Event, Person

    with pytest.raises(WriteOutsideUseCase, match="write outside a use case"):
        Person.objects.create(sub="x", name="X", email="x@example.org", last_seen="")
    with pytest.raises(WriteOutsideUseCase):
        Event.objects.all().update(outcome="done")
    with pytest.raises(WriteOutsideUseCase):
        Person.objects.all().delete()
    assert not Person.objects.exists()


def test_raw_sql_is_guarded_too(records_db: Path) -> None:
    from django.db import connection

    from strongroom.records.guard import WriteOutsideUseCase

    for statement in (
        "DELETE FROM ledger_entry",
        "  insert into records_mail (subject) values ('x')",
        "DROP TABLE records_event",
        "/* words */ UPDATE records_event SET outcome = 'done'",
        "-- words\nDELETE FROM records_event",
        "PRAGMA writable_schema = 1",
    ):
        with connection.cursor() as cursor, pytest.raises(WriteOutsideUseCase):
            cursor.execute(statement)


def test_only_use_cases_and_the_worker_may_open_the_guard(records_db: Path) -> None:
    from strongroom.records.guard import WriteOutsideUseCase, writing

    with pytest.raises(WriteOutsideUseCase, match="may not write records"), writing():
        raise AssertionError("the guard opened for a test")
    code = "def enter(writing):\n    with writing():\n        return 'open'\n"
    for name, may in (
        ("strongroom.usecases.people", True),
        ("strongroom.worker.loop", True),
        ("strongroom.web.pages.home", False),
        ("strongroom.usecases_of_mine", False),
    ):
        space: dict[str, object] = {"__name__": name}
        exec(code, space)  # noqa: S102
        enter = space["enter"]
        assert callable(enter)
        if may:
            assert enter(writing) == "open"
        else:
            with pytest.raises(WriteOutsideUseCase):
                enter(writing)


def test_reading_needs_no_leave(records_db: Path) -> None:
    from strongroom.records import reading

    assert reading.last_seq() == 0
    assert reading.people() == []
    assert reading.project("nothing").state == "-"
