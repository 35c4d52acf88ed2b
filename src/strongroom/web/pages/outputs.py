"""Outputs: egress requests, first checks, previews, independent reviews, release, and the public pages of releases."""

from __future__ import annotations

import json

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_POST

from strongroom.domain.acts import Act
from strongroom.domain.project import Project, Request, WorkPackage
from strongroom.orders.client import WardenRefused
from strongroom.policy.questions import DEFAULT_SET
from strongroom.records import reading
from strongroom.usecases.clock import now
from strongroom.usecases.people import SignedIn
from strongroom.web import acting
from strongroom.web.forms import ActForm, new_id
from strongroom.web.pages.classification import Talk, converse
from strongroom.web.presenting import requests as presenting
from strongroom.web.presenting.dialogue import Dialogue
from strongroom.web.presenting.drawing import draw
from strongroom.web.presenting.offers import any_walk, offer
from strongroom.web.presenting.words import name_of, passing, size, tag

SEEN_IN = ("review", "approved")
SEEN_BY = frozenset({"investigator", "representative", "referee"})


class RequestForm(ActForm):
    """Which files of the output volume shall leave, which of them is the script, and what they are."""

    files = forms.MultipleChoiceField(  # type: ignore[assignment]
        label="Files to leave, with the script", widget=forms.CheckboxSelectMultiple
    )
    script = forms.ChoiceField(
        label="Which of them is the script that made the others",
        widget=forms.RadioSelect,
        help_text="Reviewers read it to see how the output came about.",
    )
    description = forms.CharField(
        label="What the output is, and which data it comes from",
        widget=forms.Textarea,
        max_length=20_000,
        help_text="Write for somebody who does not know your analysis. Do not write any result here.",
    )

    def __init__(self, found: list[tuple[str, str]], *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["files"].choices = found  # type: ignore[attr-defined]
        self.fields["script"].choices = [(name, name) for name, _ in found]  # type: ignore[attr-defined]
        self.fields["files"].error_messages["required"] = "Select at least one file"
        self.fields["script"].error_messages["required"] = "Select the script"

    def clean(self) -> dict[str, object]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        files = cleaned.get("files")
        if isinstance(files, list) and cleaned.get("script") and cleaned["script"] not in files:
            self.add_error("files", "Select the script among the files too: it leaves with them")
        return cleaned


class ReturnForm(ActForm):
    note = forms.CharField(
        label="What must change",
        widget=forms.Textarea,
        max_length=20_000,
        help_text="The author reads this. Name the file and the place.",
    )


def _request_or_404(project: Project, name: str) -> Request:
    found = project.requests.get(name)
    if found is None:
        raise Http404("no such egress request")
    return found


@acting.signed_in
def request_new(request: HttpRequest, project: str, environment: str) -> HttpResponseBase:
    """Ask for files of the output volume to leave."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    if environment not in state.environments:
        raise Http404("no such environment")
    lying = acting.warden().outputs(environment, who.access_token())
    found = [(str(item["name"]), f"{item['name']} ({size(int(item['size']))})") for item in lying]
    form = RequestForm(found, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        body = {
            "id": new_id("request"),
            "environment": environment,
            "work_package": new_id("output"),
            "description": form.cleaned_data["description"],
            "script": form.cleaned_data["script"],
            "files": form.cleaned_data["files"],
        }
        done = reverse("request", args=[project, body["id"]])
        message = (
            "Your request is submitted. The files are being copied; later changes in the environment do not count."
        )
        return acting.submit(request, Act("egress.submit", project, body), done=done, message=message)
    context = {"project": state, "environment": state.environments[environment], "form": form, "found": found}
    return render(request, "outputs/new.html", context, status=400 if form.errors else 200)


@acting.signed_in
def request_page(request: HttpRequest, project: str, request_id: str) -> HttpResponseBase:
    """An egress request: what was frozen, what the first checks found, previews, reviews, release."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    item = _request_or_404(state, request_id)
    form = ReturnForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        act = _review_act(project, item, "return", [], form.cleaned_data["note"])
        done = reverse("request", args=[project, request_id])
        return acting.submit(request, act, done=done, message="The request is returned to its author.")
    context = {**_context(state, item, who), "form": form, **_preview(state, item, who)}
    return render(request, "outputs/request.html", context, status=400 if form.errors else 200)


def _parent(state: Project, item: Request) -> WorkPackage:
    return state.work_packages[state.environments[item.environment].work_package]


def _context(state: Project, item: Request, who: SignedIn) -> dict[str, object]:
    moment = now()
    review = {"request": item.id, "digest": item.digest or "-", "question_set": DEFAULT_SET, "answers": any_walk()}
    files = presenting.checked_files(item)
    return {
        "project": state,
        "egress": item,
        "package": state.work_packages[item.work_package],
        "forms": [(name_of(state, who), words) for who, words in _parent(state, item).forms.items()],
        "author": item.author_name or name_of(state, item.author),
        "tag": tag(item.state),
        "passing": passing(item.state),
        "files": files,
        "found": sum(len(file.findings) for file in files),
        "verdict": presenting.VERDICT_WORDS.get(str(item.checks.get("verdict", "")), ""),
        "verdict_colour": presenting.VERDICT_COLOURS.get(str(item.checks.get("verdict", "")), "grey"),
        "reviews": presenting.reviews_seen(state, item, who.sub),
        "awaited": presenting.reviewers_awaited(state, item),
        "may_approve": offer(state, who.actor, "egress.review", {**review, "decision": "approve", "note": ""}, moment),
        "may_return": offer(state, who.actor, "egress.review", {**review, "decision": "return", "note": "-"}, moment),
        "may_release": offer(
            state, who.actor, "egress.release", {"request": item.id, "digest": item.digest or "-"}, moment
        ),
        "record": json.dumps(dict(item.record), indent=2, ensure_ascii=False) if item.record else "",
    }


def _preview(state: Project, item: Request, who: SignedIn) -> dict[str, object]:
    """Drawings of the frozen files for its author and reviewers, or why there are none."""
    if item.state not in SEEN_IN or not (state.roles_of(who.sub) & SEEN_BY or item.author == who.sub):
        return {"drawn": (), "no_preview": ""}
    try:
        raw = acting.warden().preview(item.id, who.access_token())
    except WardenRefused as error:
        return {"drawn": (), "no_preview": str(error)}
    return {"drawn": draw(raw, presenting.findings_of(item.checks)), "no_preview": ""}


def _review_act(project: str, item: Request, decision: str, answers: list[list[str]], note: str) -> Act:
    body = {
        "request": item.id,
        "digest": item.digest,
        "decision": decision,
        "question_set": DEFAULT_SET,
        "answers": answers,
        "note": note,
    }
    return Act("egress.review", project, body)


@acting.signed_in
def request_review(request: HttpRequest, project: str, request_id: str) -> HttpResponseBase:
    """Classify the output by the dialogue and approve it, in one review."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    item = _request_or_404(state, request_id)
    leave = reverse("request", args=[project, request_id])
    verdict = acting.may(who, _review_act(project, item, "approve", any_walk(), ""))
    if not verdict:
        return acting.refused(request, verdict, leave)  # type: ignore[arg-type]
    talk = Talk(
        f"review {project} {request_id} {item.digest}",
        "Classify this output, not the data it comes from",
        leave,
        "Note (optional)",
        "Kept with the release record. Do not write anything out of the output.",
        "You approve exactly the frozen files you were shown. Others see your review when everybody has decided.",
        "Approve this output",
    )

    def finish(dialogue: Dialogue, note: str) -> HttpResponseBase:
        act = _review_act(project, item, "approve", [list(pair) for pair in dialogue.answers], note)
        return acting.submit(request, act, done=leave, message="Your review is recorded.")

    return converse(request, talk, finish)


@require_POST
@acting.signed_in
def request_release(request: HttpRequest, project: str, request_id: str) -> HttpResponseBase:
    """Publish the reviewed bytes."""
    state = acting.project_or_404(acting.person(request), project)
    item = _request_or_404(state, request_id)
    done = reverse("request", args=[project, request_id])
    act = Act("egress.release", project, {"request": request_id, "digest": item.digest})
    return acting.submit(request, act, done=done, message="The output is being published.")


def released_or_404(request_id: str) -> tuple[Project, Request]:
    """A published request and its project. Raises Http404 for anything else, so that nobody learns what is asked for."""
    for state in reading.all_projects():
        item = state.requests.get(request_id)
        if item is not None and item.state == "released" and item.record is not None:
            return state, item
    raise Http404("nothing is published under this name")


@require_GET
def release(request: HttpRequest, request_id: str) -> HttpResponseBase:
    """Public page of one release."""
    state, item = released_or_404(request_id)
    files = [{"name": one["name"], "size": size(int(one["size"])), "sha256": one["sha256"]} for one in item.frozen]
    record = json.dumps(dict(item.record or {}), indent=2, ensure_ascii=False)
    return render(request, "outputs/release.html", {"project": state, "egress": item, "files": files, "record": record})


@require_GET
def release_record(request: HttpRequest, request_id: str) -> HttpResponseBase:
    """The release record as JSON."""
    _, item = released_or_404(request_id)
    return json_download(dict(item.record or {}), f"release-{request_id}.json")


@require_GET
def release_file(request: HttpRequest, request_id: str, name: str) -> HttpResponseBase:
    """Bytes of one published file."""
    _, item = released_or_404(request_id)
    if name not in {str(one["name"]) for one in item.frozen}:
        raise Http404("no such file")
    return _download(acting.warden().released(request_id, name), name, "application/octet-stream")


def json_download(content: object, name: str) -> HttpResponse:
    """A JSON document that the browser saves."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return _download(text.encode(), name, "application/json")


def _download(content: bytes, name: str, kind: str) -> HttpResponse:
    response = HttpResponse(content, kind)
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


urlpatterns = [
    path("projects/<slug:project>/environments/<slug:environment>/outputs/new", request_new, name="request_new"),
    path("projects/<slug:project>/requests/<slug:request_id>", request_page, name="request"),
    path("projects/<slug:project>/requests/<slug:request_id>/review", request_review, name="request_review"),
    path("projects/<slug:project>/requests/<slug:request_id>/release", request_release, name="request_release"),
    path("releases/<slug:request_id>", release, name="release"),
    path("releases/<slug:request_id>/record.json", release_record, name="release_record"),
    path("releases/<slug:request_id>/files/<str:name>", release_file, name="release_file"),
]
