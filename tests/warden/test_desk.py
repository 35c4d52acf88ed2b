"""What counts at the warden's desk: whose token, bound to what, used how often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom import ledger
from strongroom.warden.record import Record
from tests.domain.story import CAST
from tests.proves import proves
from tests.warden.desk import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@proves("P8", "P128", "P129", "satre:1.5.06")
def test_a_witnessed_act_is_recorded_with_its_person(bench: Bench) -> None:
    outcome = bench.create()
    assert outcome.done and outcome.entry
    assert outcome.entry.actor.id == CAST["programme"].id
    assert outcome.entry.role == "programme_manager"
    assert bench.record.state("chem97").state == "open"


OTHER = ec.generate_private_key(ec.SECP256R1())
FORGERIES: dict[str, dict[str, Any]] = {
    "another key": {"key": OTHER},
    "expired": {"iat": 1000, "exp": 1300},
    "not yet": {"iat": 99_999_999_999, "exp": 99_999_999_999 + 200},
    "another audience": {"aud": "directory"},
    "another audience as well": {"aud": ["warden", "directory"]},
    "another issuer": {"iss": "https://evil.localhost"},
    "no second factor": {"amr": ["pwd"]},
}


@proves("P139", "P141", "P10", "control:second_factor")
@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_a_token_that_does_not_count_opens_nothing(bench: Bench, name: str) -> None:
    order = bench.order("programme", "project.create", id="chem97", name="C", summary="s")
    forged = replace(order, access_token=bench.provider.token(CAST["programme"], **FORGERIES[name]))
    assert bench.desk.decide(forged).status == "unauthorised"
    assert bench.record.state("chem97").state == "-"


def test_a_token_that_lives_too_long_or_is_unsigned_does_not_count(bench: Bench) -> None:
    order = bench.order("programme", "project.create", id="chem97", name="C", summary="s")
    now = int(bench.provider.now)
    long = bench.provider.token(CAST["programme"], exp=now + 86_400)
    claims = jwt.decode(order.access_token, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none", headers={"kid": "one"})
    symmetric = jwt.encode(claims, "a secret of thirty-two bytes....", algorithm="HS256", headers={"kid": "one"})
    for token in (long, unsigned, symmetric, "", "a.b.c", order.access_token[:-4] + "AAAA"):
        assert bench.desk.decide(replace(order, access_token=token)).status == "unauthorised"


def test_a_grave_act_needs_its_own_fresh_login(bench: Bench) -> None:
    order = bench.order("programme", "project.create", id="chem97", name="C", summary="s")
    assert bench.desk.decide(replace(order, id_token="")).status == "fresh_login_needed"
    person, now = CAST["programme"], bench.provider.now
    wrong = {
        "another decision": bench.provider.fresh(person, replace(order.act, body={**order.act.body, "name": "D"})),
        "another person": bench.provider.fresh(CAST["manager"], order.act),
        "an old login": bench.provider.fresh(person, order.act, auth_time=int(now) - 121),
        "no second factor": bench.provider.fresh(person, order.act, amr=["pwd"]),
        "an access token": order.access_token,
    }
    for number, token in enumerate(wrong.values()):
        outcome = bench.desk.decide(replace(order, key=f"wrong-{number:04}", id_token=token))
        assert outcome.status == "refused"
    assert bench.record.state("chem97").state == "-"
    assert bench.desk.decide(order).done


def test_a_fresh_login_confirms_one_decision_once(bench: Bench) -> None:
    bench.create()
    order = bench.order("programme", "person.appoint", role="referee", person="u-x", name="X", organisation="")
    assert bench.desk.decide(order).done
    bench.do("programme", "person.remove", role="referee", person="u-x", reason="")
    again = bench.desk.decide(replace(order, key="another-key"))
    assert again.status == "refused"
    assert "already" in again.reason


def test_the_same_order_twice_is_one_decision(bench: Bench) -> None:
    order = bench.order("programme", "project.create", id="chem97", name="C", summary="s")
    first, second = bench.desk.decide(order), bench.desk.decide(order)
    assert first.to_json() == second.to_json()
    assert len(bench.record.entries(0, 100)) == 1
    stolen = replace(order, access_token=bench.provider.token(CAST["manager"]))
    assert bench.desk.decide(stolen).status == "malformed"
    assert (
        bench.desk.decide(replace(order, act=replace(order.act, body={**order.act.body, "name": "E"}))).status
        == "malformed"
    )


@proves("satre:2.5.03")
def test_refusals_are_on_record(bench: Bench) -> None:
    bench.create()
    outcome = bench.do("researcher", "project.close", note="")
    assert outcome.status == "refused" and outcome.next_step
    last = bench.record.entries(0, 100)[-1]
    assert (last.outcome, last.kind, last.actor.id) == ("refused", "project.close", CAST["researcher"].id)
    assert bench.record.state("chem97").state == "open"


@pytest.mark.parametrize(
    "body",
    [{}, {"id": "chem97"}, {"id": "../x", "name": "n", "summary": "s"}, {"id": "chem97", "name": " ", "summary": "s"}],
)
def test_a_malformed_act_changes_nothing(bench: Bench, body: dict[str, Any]) -> None:
    assert bench.do("programme", "project.create", **body).status == "malformed"
    assert bench.record.entries(0, 10) == []


def test_the_record_is_append_only_and_survives_reopening(bench: Bench) -> None:
    bench.create()
    with pytest.raises(Exception, match="append-only"), bench.record.transaction() as db:
        db.execute("DELETE FROM ledger_entry")
    again = Record(bench.path)
    assert again.state("chem97").name == "Chemistry"


PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from strongroom.warden.record import Record
record = Record(Path(sys.argv[1]))
number = 0
while True:
    record.fact("environment.noted", "chem97", datetime.now(UTC), number=number)
    number += 1
    print(number, flush=True)
"""


@pytest.mark.real
def test_a_killed_warden_keeps_what_it_answered(tmp_path: Path) -> None:
    path = tmp_path / "warden.sqlite3"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answered = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, env=environ, text=True
        )
        assert process.stdout
        before = answered
        while answered < before + 20:
            answered = before + int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        answered = before + max([answered - before, *map(int, rest)])
        process.wait()
        record = Record(path)
        count = len(record.entries(0, 500))
        assert count >= answered
        with record.reading() as db:
            assert ledger.size(db.execute) == count
        answered = count
        record.close()
