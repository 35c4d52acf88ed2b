"""A web app that lies, and whoever runs it: what the warden makes of rewritten facts and stolen tokens."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from strongroom.domain.acts import Act
from strongroom.operate.demo.person import Person, Refused
from strongroom.orders.client import WardenRefused
from tests.attacks.attacker import ALIVE, ENDED, Attacker, eventually, fresh_id, unsigned
from tests.attacks.conftest import Who
from tests.proves import proves

pytestmark = pytest.mark.real
PACKAGE = "schools"


# A database rewritten -----------------------------------------------------------------------------------------------
def classified(attacker: Attacker) -> list[dict[str, Any]]:
    """Lies: the Representative came round to Tier 2 on the package that is still disputed."""
    return [
        {**entry.to_json(), "body": {**entry.body, "work_package": PACKAGE}}
        for entry in attacker.project().history
        if entry.kind == "classification.opinion"
        and entry.outcome == "done"
        and entry.role == "representative"
        and entry.body["work_package"] == "attainment"
    ][-1:]


def approved(attacker: Attacker, request: str, digest: str) -> list[dict[str, Any]]:
    """Lies: everybody needed approved the waiting request, in the words they used for another one."""
    return [
        {**entry.to_json(), "project": ALIVE, "body": {**entry.body, "request": request, "digest": digest}}
        for entry in attacker.project(ENDED).history
        if entry.kind == "egress.review" and entry.outcome == "done" and entry.body["decision"] == "approve"
    ]


def confirmed(attacker: Attacker, deposit: str) -> list[dict[str, Any]]:
    """Lies: a deposit that never was has been filled and confirmed."""
    kinds = ("deposit.open", "deposit.opened", "deposit.complete", "deposit.sealed", "deposit.confirm")
    told = {one.kind: one for one in attacker.project().history if one.kind in kinds and one.outcome == "done"}
    lies = []
    for kind in kinds:
        body = {**told[kind].body, "id" if kind == "deposit.open" else "deposit": deposit}
        if kind == "deposit.confirm":
            body["digest"] = told["deposit.sealed"].body["receipt"]["digest"]
        lies.append({**told[kind].to_json(), "body": body})
    return lies


@proves("P16", "P45", "P129")
def test_a_rewritten_database_creates_no_environment(attacker: Attacker, who: Who) -> None:
    """The package gets the fixed first-assessment environment it may have, and nothing of the tier that was claimed."""
    manager = who("manager")
    manager.submit(f"/projects/{ALIVE}/environments/new", work_package=PACKAGE)
    with attacker.lies(classified(attacker)):
        page = manager.open(f"/projects/{ALIVE}/work-packages/{PACKAGE}/classification")
        assert "Tier 2" in page.text, "the lie must be believed by the pages, or this proves nothing"
        with pytest.raises(Refused, match=r"(?i)not classified.*classification\.opinion"):
            manager.submit(f"/projects/{ALIVE}/environments/new", work_package=PACKAGE)
        act = Act("environment.create", ALIVE, {"id": fresh_id("env"), "work_package": PACKAGE})
        outcome = attacker.order(act, attacker.access(manager))
    assert (outcome.status, outcome.missing) == ("refused", "classification.opinion")
    made = [one for one in attacker.project().environments.values() if one.work_package == PACKAGE]
    assert all(one.assessment and one.tier == 3 for one in made)
    alive = next(one for one in made if one.state not in ("ending", "destroyed"))
    manager.submit(f"/projects/{ALIVE}/environments/{alive.id}", do="destroy", reason="Made to be refused.")
    eventually(lambda: attacker.project().environments[alive.id].state == "destroyed", 90)


@proves("P62", "P63", "P129", "D18", "satre:3.1.05")
def test_a_rewritten_database_releases_nothing(attacker: Attacker, who: Who) -> None:
    manager = who("manager")
    request = next(one for one in attacker.project().requests.values() if one.state == "review")
    act = Act("egress.release", ALIVE, {"request": request.id, "digest": request.digest})
    with attacker.lies(approved(attacker, request.id, request.digest)):
        page = manager.open(f"/projects/{ALIVE}/requests/{request.id}")
        assert any(form.action.endswith("/release") for form in page.forms), "the pages must believe the lie"
        with pytest.raises(Refused, match=r"(?i)not everybody needed has approved.*egress\.review"):
            manager.submit(page, action="/release")
        bound = attacker.steal(manager, nonce=act.digest)
        outcome = attacker.order(act, bound.access_token, bound.id_token)
        shown = manager.client.get(f"{attacker.layout.outside_url}/releases/{request.id}")
    assert (outcome.status, outcome.missing) == ("refused", "egress.review")
    assert shown.status_code == 404
    assert attacker.project().requests[request.id].state == "review"
    with pytest.raises(WardenRefused, match="nothing of that name"):
        attacker.warden.released(request.id, request.files[0])


@proves("P93", "P101", "P129")
def test_a_rewritten_database_mounts_nothing(attacker: Attacker, who: Who) -> None:
    investigator, deposit = who("investigator"), fresh_id("deposit")
    act = Act("deposit.mount", ALIVE, {"deposit": deposit})
    with attacker.lies(confirmed(attacker, deposit)):
        with pytest.raises(Refused, match=r"(?i)not confirmed the hash.*deposit\.confirm"):
            # The page offers no mount to a classified project, so a form is turned into one.
            page = investigator.open(f"/projects/{ALIVE}/deposits/{deposit}")
            page.forms[0].action = f"/projects/{ALIVE}/deposits/{deposit}/mount"
            investigator.submit(page, action="/mount")
        outcome = attacker.order(act, attacker.access(investigator))
    assert (outcome.status, outcome.missing) == ("refused", "deposit.confirm")
    assert deposit not in attacker.project().deposits


# Stolen and made-up tokens ------------------------------------------------------------------------------------------
def suspend(attacker: Attacker) -> Act:
    """An act that a Project Manager may do without a fresh login."""
    return Act("environment.suspend", ALIVE, {"environment": attacker.laboratory.id, "reason": "An attack."})


def provider_key(attacker: Attacker) -> bytes:
    """The provider's own signing key: for tokens that are true in all but one claim."""
    return (attacker.layout.state_of("identity") / "signing.pem").read_bytes()


def altered(attacker: Attacker, token: str, **claims: Any) -> str:
    """A token signed by the provider's own key, with other claims."""
    header = jwt.get_unverified_header(token)
    return jwt.encode(
        {**unsigned(token), **claims}, provider_key(attacker), algorithm=header["alg"], headers={"kid": header["kid"]}
    )


@proves("P128", "satre:1.5.05")
def test_tokens_that_do_not_count(attacker: Attacker, who: Who) -> None:
    manager, act, now = who("manager"), suspend(attacker), int(time.time())
    good = attacker.access(manager)
    header = jwt.get_unverified_header(good)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    head, body, signature = good.split(".")
    tokens = {
        "none": "",
        "no token": "a.b.c",
        "another's key": jwt.encode(unsigned(good), stranger, algorithm="RS256", headers={"kid": header["kid"]}),
        "a key of its own": jwt.encode(unsigned(good), stranger, algorithm="RS256", headers={"kid": "mine"}),
        "unsigned": jwt.encode(unsigned(good), None, algorithm="none", headers={"kid": header["kid"]}),
        "changed": f"{head}.{jwt.encode({**unsigned(good), 'groups': ['system-managers']}, 'x' * 32).split('.')[1]}.{signature}",
        "for the directory": attacker.steal(manager, audience="directory").access_token,
        "an ID token": attacker.steal(manager).id_token,
        "expired": altered(attacker, good, iat=now - 400, exp=now - 100),
        "long-lived": altered(attacker, good, exp=now + 86_400),
        "of the future": altered(attacker, good, iat=now + 600, exp=now + 800),
        "another provider's": altered(attacker, good, iss="https://id.example.org"),
        "two audiences": altered(attacker, good, aud=["warden", "directory"]),
        "one factor": altered(attacker, good, amr=["pwd"]),
    }
    before = len(attacker.entries())
    outcomes = {name: attacker.order(act, token).status for name, token in tokens.items()}
    assert outcomes == dict.fromkeys(tokens, "unauthorised")
    assert not [one for one in attacker.entries()[before:] if one.kind == act.kind]
    for token in (tokens["another's key"], tokens["for the directory"], ""):
        with pytest.raises(WardenRefused):
            attacker.warden.outputs(attacker.laboratory.id, token)
        with pytest.raises(WardenRefused):
            attacker.warden.lodge(b"a document", token)
    control = Act("environment.resume", ALIVE, {"environment": attacker.laboratory.id, "reason": "-"})
    assert attacker.order(control, altered(attacker, good)).status == "refused", "the true claims must count"


def appointment(who: Who) -> Act:
    """A grave act of a Project Manager, harmless if it were done."""
    person = who("auditor")
    body = {"role": "referee", "person": person.sub, "name": person.name, "organisation": ""}
    return Act("person.appoint", ALIVE, body)


@proves("P128", "satre:1.5.05")
def test_a_grave_act_needs_the_fresh_login_for_this_very_decision(attacker: Attacker, who: Who) -> None:
    manager, act = who("manager"), appointment(who)
    other = Act(act.kind, act.project, {**act.body, "role": "researcher"})
    good = attacker.access(manager)
    assert attacker.order(act, good).status == "fresh_login_needed"
    theirs = attacker.steal(who("system"), nonce=act.digest)
    wrong = attacker.steal(manager, nonce=other.digest)
    mine = attacker.steal(manager, nonce=act.digest)
    stale = altered(attacker, mine.id_token, auth_time=int(time.time()) - 300)
    alone = altered(attacker, mine.id_token, amr=["pwd"])
    tries = {
        "another person's": (theirs.id_token, "another person's"),
        "another decision's": (wrong.id_token, "another decision"),
        "too old": (stale, "older than two minutes"),
        "one factor": (alone, "second factor"),
        "an access token": (mine.access_token, "token"),
    }
    for name, (id_token, words) in tries.items():
        outcome = attacker.order(act, good, id_token)
        assert (outcome.status, outcome.missing) == ("refused", "fresh login"), name
        assert words in outcome.reason, name
    assert ("referee", who("auditor").sub) not in attacker.project().members
    assert attacker.order(act, mine.access_token, mine.id_token).done
    away = {"role": "referee", "person": who("auditor").sub, "reason": "It was an attack."}
    assert attacker.order(Act("person.remove", ALIVE, away), good).done
    again = attacker.order(act, mine.access_token, mine.id_token)
    assert (again.status, again.missing) == ("refused", "fresh login"), "a login confirms one decision once"
    assert ("referee", who("auditor").sub) not in attacker.project().members


@proves("P128")
def test_a_key_answers_one_order_of_one_person(attacker: Attacker, who: Who) -> None:
    manager, key = attacker.access(who("manager")), fresh_id("key")
    resume = Act("environment.resume", ALIVE, {"environment": attacker.laboratory.id, "reason": "-"})
    first = attacker.order(resume, manager, key=key)
    again = attacker.order(resume, manager, key=key)
    assert first.entry is not None
    assert again.entry == first.entry, "sent twice it is decided once"
    assert attacker.order(suspend(attacker), manager, key=key).status == "malformed"
    assert attacker.order(resume, attacker.access(who("auditor")), key=key).status == "malformed"


@proves("P5", "satre:2.1.14")
def test_ids_of_another_project_count_for_nothing(attacker: Attacker, who: Who) -> None:
    laboratory, manager = attacker.laboratory.id, who("manager")
    request = next(iter(attacker.project().requests))
    deposit = next(iter(attacker.project().deposits))
    acts = [
        (manager, Act("environment.suspend", ENDED, {"environment": laboratory, "reason": "-"})),
        (manager, Act("environment.destroy", ENDED, {"environment": laboratory, "reason": "-"})),
        (manager, Act("egress.release", ENDED, {"request": request, "digest": "-"})),
        (who("researcher"), Act("environment.enter", ENDED, {"environment": laboratory})),
        (who("representative"), Act("deposit.token", ENDED, {"deposit": deposit})),
    ]
    old = next(iter(attacker.project(ENDED).environments))
    acts += [
        (manager, Act("environment.suspend", ALIVE, {"environment": old, "reason": "-"})),
        (manager, Act("environment.destroy", ALIVE, {"environment": old, "reason": "-"})),
        (who("researcher"), Act("environment.enter", ALIVE, {"environment": old})),
        (manager, Act("environment.suspend", "no-such-project", {"environment": laboratory, "reason": "-"})),
    ]
    for person, act in acts:
        assert attacker.order(act, attacker.access(person)).status == "refused", act
    assert attacker.project().environments[laboratory].state == "running"


ACTS_OF_OTHERS: dict[str, dict[str, Any]] = {
    "project.close": {"note": "-"},
    "person.remove": {"role": "referee", "person": "-", "reason": ""},
    "environment.create": {"id": "env-attacked", "work_package": PACKAGE},
    "environment.enter": {"environment": "LAB"},
    "environment.suspend": {"environment": "LAB", "reason": "-"},
    "environment.destroy": {"environment": "LAB", "reason": "-"},
    "environment.probe": {"environment": "LAB"},
    "egress.submit": {
        "id": "request-attacked",
        "environment": "LAB",
        "work_package": "output-attacked",
        "description": "-",
        "script": "a.py",
        "files": ["a.py"],
    },
}


@proves("satre:1.5.03")
def test_an_auditor_sees_and_cannot_act(attacker: Attacker, who: Who) -> None:
    auditor = who("auditor")
    assert ALIVE in auditor.open("/projects").source
    assert "audit/export" in json.dumps(auditor.open("/audit").links) + auditor.open("/audit").source
    for kind, body in ACTS_OF_OTHERS.items():
        given = {name: attacker.laboratory.id if value == "LAB" else value for name, value in body.items()}
        outcome = attacker.order(Act(kind, ALIVE, given), attacker.access(auditor))
        assert outcome.status == "refused", kind
        assert "role" in outcome.reason, kind
    page = auditor.open(f"/projects/{ALIVE}/environments/{attacker.laboratory.id}")
    assert not [form for form in page.forms if form.method == "post" and "environments" in form.action]
    with pytest.raises(WardenRefused, match="roles"):
        attacker.warden.outputs(attacker.laboratory.id, attacker.access(auditor))


def posted(person: Person, path: str, **values: str) -> int:
    """Status of a form that no page offered to this person, sent with their cookies and form secret."""
    page = person.open(f"/projects/{ALIVE}")
    token = next(form.fields["csrfmiddlewaretoken"][0] for form in page.forms if "csrfmiddlewaretoken" in form.fields)
    origin = person.layout.app_url
    data = {"csrfmiddlewaretoken": token, **values}
    headers = {"Origin": origin, "Referer": f"{origin}/"}
    return person.client.post(f"{origin}{path}", data=data, headers=headers, follow_redirects=False).status_code


@proves("satre:1.5.03")
def test_forms_that_nobody_offered_are_refused(attacker: Attacker, who: Who) -> None:
    auditor, at = who("auditor"), f"/projects/{ALIVE}"
    laboratory = attacker.laboratory.id
    assert posted(auditor, f"{at}/environments/{laboratory}/desktop") == 403
    assert posted(auditor, f"{at}/environments/{laboratory}/probe") == 403
    assert posted(auditor, f"{at}/environments/{laboratory}", do="suspend", reason="-") == 403
    assert posted(who("untrained"), f"{at}/environments/{laboratory}/desktop") == 403
    assert attacker.project().environments[laboratory].state == "running"
