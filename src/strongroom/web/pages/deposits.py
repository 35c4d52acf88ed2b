"""Deposits: the Project Manager opens an empty volume, the Representative fills it, hashes are compared, the data is mounted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from strongroom.domain.acts import Act
from strongroom.domain.project import Deposit, Project
from strongroom.usecases.clock import now
from strongroom.usecases.people import SignedIn
from strongroom.web import acting
from strongroom.web.forms import ActForm, new_id
from strongroom.web.presenting import deposits as presenting
from strongroom.web.presenting.offers import offer
from strongroom.web.presenting.words import passing, tag

LARGEST_MB = 16_384


class OpenForm(ActForm):
    """What the Project Manager decides about a deposit before anything comes in."""

    dataset = forms.ChoiceField(label="Dataset", widget=forms.RadioSelect)
    environment = forms.ChoiceField(
        label="First-assessment environment",
        widget=forms.RadioSelect,
        help_text="Data first goes to a Tier 3 environment, whatever tier is expected.",
    )
    size_mb = forms.IntegerField(
        label="Size of the volume in MB", min_value=1, max_value=LARGEST_MB, help_text="At least the size of all files."
    )
    networks = forms.CharField(
        label="Address ranges that files may come from",
        widget=forms.Textarea(attrs={"data-rows": "3"}),
        help_text="One on each line, such as 192.0.2.0/24. Ask the provider.",
    )
    expires = forms.DateTimeField(
        label="When the window ends (UTC)",
        input_formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"],
        help_text="For example 2026-11-30 18:00",
        error_messages={"invalid": "Enter date and time like 2026-11-30 18:00"},
    )

    def __init__(self, project: Project, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        datasets = [(item.id, item.name) for item in project.datasets.values() if not item.withdrawn]
        places = [item for item in project.environments.values() if item.assessment and item.state == "running"]
        self.fields["dataset"].choices = datasets  # type: ignore[attr-defined]
        self.fields["environment"].choices = [  # type: ignore[attr-defined]
            (item.id, f"{item.id}, for {project.work_packages[item.work_package].name}") for item in places
        ]
        if len(datasets) == 1:
            self.fields["dataset"].initial = datasets[0][0]
        if len(places) == 1:
            self.fields["environment"].initial = places[0].id

    def clean_networks(self) -> list[str]:
        """The ranges as a list; each is judged by the rules."""
        return [item for item in re.split(r"[\s,;]+", self.cleaned_data["networks"]) if item]

    def clean_expires(self) -> str:
        moment: datetime = self.cleaned_data["expires"].astimezone(UTC)
        if moment <= now():
            raise forms.ValidationError("Enter a time that is still to come")
        return moment.isoformat(timespec="seconds")


class HashForm(ActForm):
    digest = forms.CharField(
        label="Hash that your own computer showed",
        help_text="64 letters and digits; the deposit command and the upload page show it when they have finished.",
        max_length=400,
    )

    def clean_digest(self) -> str:
        try:
            return presenting.clean_hash(self.cleaned_data["digest"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


def _deposit_or_404(project: Project, deposit: str) -> Deposit:
    found = project.deposits.get(deposit)
    if found is None:
        raise Http404("no such deposit")
    return found


@acting.signed_in
def deposit_new(request: HttpRequest, project: str) -> HttpResponseBase:
    """Open a deposit."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    initial = {"expires": f"{now() + timedelta(days=7):%Y-%m-%d 18:00}"}
    form = OpenForm(state, request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        fields = ("dataset", "environment", "size_mb", "networks", "expires")
        body = {"id": new_id("deposit"), **{name: form.cleaned_data[name] for name in fields}}
        done = reverse("deposit", args=[project, body["id"]])
        message = "The deposit is opened. The Representative has been told."
        return acting.submit(request, Act("deposit.open", project, body), done=done, message=message)
    context = {"project": state, "form": form, "ready": bool(form.fields["environment"].choices)}  # type: ignore[attr-defined]
    return render(request, "deposits/new.html", context, status=400 if form.errors else 200)


@acting.signed_in
def deposit(request: HttpRequest, project: str, deposit: str) -> HttpResponseBase:
    """A deposit's page: how far it is, and what the viewer can do about it."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    item = _deposit_or_404(state, deposit)
    form = HashForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        act = Act("deposit.confirm", project, {"deposit": deposit, "digest": form.cleaned_data["digest"]})
        same = form.cleaned_data["digest"] == item.digest
        message = (
            "The hashes are the same. The Investigator can now authorise the mount."
            if same
            else (
                "The hashes differ. The Programme Manager and the Project Manager have been alerted; nothing is mounted."
            )
        )
        return acting.submit(request, act, done=reverse("deposit", args=[project, deposit]), message=message)
    return render(
        request, "deposits/deposit.html", _context(state, item, who, form), status=400 if form.errors else 200
    )


def _context(state: Project, item: Deposit, who: SignedIn, form: HashForm) -> dict[str, object]:
    body = {"deposit": item.id}
    moment = now()
    return {
        "project": state,
        "deposit": item,
        "dataset": state.datasets[item.dataset],
        "tag": tag(item.state),
        "passing": passing(item.state),
        "steps": presenting.steps_of(item),
        "receipt": presenting.receipt_of(item.receipt) if item.receipt else None,
        "form": form,
        "receiver_url": f"https://{settings.LAYOUT.deposit_host(item.id)}",
        "may_token": offer(state, who.actor, "deposit.token", body, moment),
        "may_complete": offer(state, who.actor, "deposit.complete", body, moment),
        "may_confirm": offer(state, who.actor, "deposit.confirm", {**body, "digest": "0" * 64}, moment),
        "may_mount": offer(state, who.actor, "deposit.mount", body, moment),
    }


@require_POST
@acting.signed_in
def deposit_token(request: HttpRequest, project: str, deposit: str) -> HttpResponseBase:
    """Get an upload token; it is shown on this page only and never kept."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    item = _deposit_or_404(state, deposit)
    act = Act("deposit.token", project, {"deposit": deposit})
    done = reverse("deposit", args=[project, deposit])
    outcome = acting.ask(request, act)
    if not outcome.done:
        return acting.answer(request, outcome, act, done, "")
    token, url = str(outcome.extra["token"]), str(outcome.extra["url"])
    context = {
        "project": state,
        "deposit": item,
        "token": token,
        "url": url,
        "command": presenting.command(url, token, str(settings.LAYOUT.authority)),
    }
    return render(request, "deposits/token.html", context)


@require_POST
@acting.signed_in
def deposit_complete(request: HttpRequest, project: str, deposit: str) -> HttpResponseBase:
    """Mark a deposit complete: nobody can send anything afterwards."""
    acting.project_or_404(acting.person(request), project)
    done = reverse("deposit", args=[project, deposit])
    message = "The deposit is complete. Your access to it has ended."
    return acting.submit(request, Act("deposit.complete", project, {"deposit": deposit}), done=done, message=message)


@require_POST
@acting.signed_in
def deposit_mount(request: HttpRequest, project: str, deposit: str) -> HttpResponseBase:
    """Authorise the mount of a confirmed deposit, read only."""
    acting.project_or_404(acting.person(request), project)
    done = reverse("deposit", args=[project, deposit])
    message = "The data is being mounted, read only."
    return acting.submit(request, Act("deposit.mount", project, {"deposit": deposit}), done=done, message=message)


PLACE = "projects/<slug:project>/deposits"
urlpatterns = [
    path(f"{PLACE}/new", deposit_new, name="deposit_new"),
    path(f"{PLACE}/<slug:deposit>", deposit, name="deposit"),
    path(f"{PLACE}/<slug:deposit>/token", deposit_token, name="deposit_token"),
    path(f"{PLACE}/<slug:deposit>/complete", deposit_complete, name="deposit_complete"),
    path(f"{PLACE}/<slug:deposit>/mount", deposit_mount, name="deposit_mount"),
]
