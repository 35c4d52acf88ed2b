"""Which entries are taken, and the bytes that are hashed."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from strongroom.ledger import BadEntry, canonical, validate
from tests.ledger.conftest import entry

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, float("nan"), {1: 2}, b"x", "\ud800", object(), {"a": {"\ud800": 1}}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(BadEntry, match="canonical JSON"):
        canonical(value)


def test_endless_nesting_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(BadEntry, match="canonical JSON"):
        canonical(value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"at": "2026-01-31T09:30:00.123456+00:00"},
        {"outcome": "refused", "reason": "not trained"},
        {"body": {"decision": "ab", "warden_seq": 3}},
        {"purpose": None, "policy": "sha256:1"},
        {"actor": {"kind": "rule", "id": "scratch.empty"}},
        {"actor": {"kind": "process", "id": "warden", "name": "Warden"}},
    ],
)
def test_taken(fields: dict[str, Any]) -> None:
    validate(entry(**fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"at": "2026-01-31 09:30:00"}, "RFC 3339 in UTC"),
        ({"at": "2026-01-31T09:30:00+01:00"}, "RFC 3339 in UTC"),
        ({"at": "2026-02-31T09:30:00Z"}, "RFC 3339 in UTC"),
        ({"at": 5}, "RFC 3339 in UTC"),
        ({"actor": "p1"}, "'actor' is an object"),
        ({"actor": {"kind": "robot", "id": "x"}}, "actor.kind"),
        ({"actor": {"kind": "person", "id": ""}}, "actor.id"),
        ({"actor": {"kind": "person", "id": "p", "mail": "x"}}, "no 'mail'"),
        ({"action": "Look At"}, "'action' is words"),
        ({"outcome": "maybe"}, "'outcome' is one of"),
        ({"outcome": "refused"}, "needs a 'reason'"),
        ({"subject": "d1"}, "'subject' is an object"),
        ({"body": []}, "'body' is an object"),
        ({"project": 7}, "'project' is text"),
        ({"colour": "red"}, "put it in 'body'"),
    ],
)
def test_refused_with_what_to_mend(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadEntry, match=words):
        validate(entry(**fields))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(BadEntry) as caught:
        validate({"at": "now"})
    assert len(caught.value.problems) == 4
