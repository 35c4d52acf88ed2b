"""Conditions about egress requests, their review and release."""

from __future__ import annotations

from strongroom.domain.case import OK, Case, condition
from strongroom.domain.project import Request
from strongroom.domain.verdict import Allowed, Refused, Verdict
from strongroom.policy.tiers import controls_for

# What was frozen and what was released must each fit one line of the record.
MOST_FILES = 200
MOST_NAMES = 60_000


@condition
def new_request(case: Case) -> Verdict:
    if case.act.body["id"] in case.project.requests or case.act.body["work_package"] in case.project.work_packages:
        return Refused("this request id is taken", "Try again.")
    if not case.act.body["files"]:
        return Refused("no file is chosen", "Name at least one file of the output volume.")
    files = case.act.body["files"]
    if len(files) > MOST_FILES or sum(len(name.encode(errors="replace")) for name in files) > MOST_NAMES:
        return Refused(f"a request has at most {MOST_FILES} files, with names of ordinary length", "Make several.")
    if len(set(files)) < len(files):
        return Refused("a file is named twice", "Name each file once.")
    if case.act.body["script"] not in case.act.body["files"]:
        return Refused("the script is not among the files", "Add the script that made the output (P67).")
    return OK


def _request(case: Case) -> Request | None:
    return case.project.requests.get(case.act.body["request"])


@condition
def not_author(case: Case) -> Verdict:
    request = _request(case)
    if request is None:
        return Refused("there is no such egress request", "Look at the project's requests again.")
    if request.author == case.actor.id:
        return Refused("you wrote this request, so you cannot decide on it", "Ask somebody else who holds the role.")
    return OK


@condition
def not_reviewed_yet(case: Case) -> Verdict:
    """Nobody counts twice; after a disagreement each may revise."""
    request = _request(case)
    if request is None:
        return Refused("there is no such egress request", "Look at the project's requests again.")
    if not request.disagreement and any(review.person == case.actor.id for review in request.reviews):
        return Refused("you have reviewed this request", "Wait for the others.")
    return OK


@condition
def request_checked(case: Case) -> Verdict:
    request = _request(case)
    if request is None or request.state != "review":
        state = request.state if request else "unknown"
        return Refused(f"this request is not open for review: it is {state}", "Look at its page.")
    if case.act.body["digest"] != request.digest:
        return Refused(
            "the files are not the ones you were shown", "Open the request again and review what it holds now."
        )
    if case.act.body["decision"] not in ("approve", "return"):
        return Refused("the decision is missing", "Choose to approve or to return the request.")
    if case.act.body["decision"] == "return" and not case.act.body["note"].strip():
        return Refused("a returned request needs a reason", "Say what must change.")
    if case.act.body["decision"] == "approve" and request.checks.get("verdict") == "fail":
        return Refused(
            "the first checks found something that must not leave",
            "Return the request; the author mends it and submits again.",
        )
    if case.role == "representative":
        package = case.project.work_packages[request.work_package]
        if case.actor.id not in case.project.representatives_of(package):
            return Refused("you do not represent a dataset of this output", "Nothing needs doing.")
    return Allowed("", (request.seq,))


@condition
def request_approved(case: Case) -> Verdict:
    request = _request(case)
    if request is None or request.state != "approved" or request.tier is None:
        return Refused(
            "not everybody needed has approved this request",
            "Investigator, every Representative and a Referee review it first.",
            "egress.review",
        )
    if case.act.body["digest"] != request.digest:
        return Refused("the files are not the ones that were approved", "Open the request again.")
    if controls_for(request.tier)["publishing"] != "allowed":
        return Refused(
            f"an output of Tier {request.tier} cannot be published (P64)", "Only Tier 0 and 1 are published."
        )
    return Allowed("", tuple(review.seq for review in request.reviews))
