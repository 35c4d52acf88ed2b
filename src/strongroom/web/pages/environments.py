"""Environments: creating, their evidence of isolation, entering by desktop, probing, suspending, resuming, destroying."""

from __future__ import annotations

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from strongroom.domain.acts import Act
from strongroom.domain.place import Place
from strongroom.domain.project import Environment, Project
from strongroom.usecases.clock import now
from strongroom.usecases.people import SignedIn
from strongroom.web import acting, listeners
from strongroom.web.forms import ActForm, new_id
from strongroom.web.presenting import environments as presenting
from strongroom.web.presenting.offers import egress_offer, offer
from strongroom.web.presenting.words import passing, tag

REASONED = {
    "suspend": ("environment.suspend", "Suspend", "The environment is being frozen. Nothing in it is lost."),
    "resume": ("environment.resume", "Resume", "The environment runs again."),
    "rebuild": ("environment.rebuild", "Rebuild", "The environment is being built anew."),
    "destroy": ("environment.destroy", "Destroy", "The environment is being destroyed."),
}


class NewForm(ActForm):
    work_package = forms.ChoiceField(label="Work package", widget=forms.RadioSelect)

    def __init__(self, project: Project, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        packages = [item for item in project.work_packages.values() if not item.output_of]
        self.fields["work_package"].choices = [  # type: ignore[attr-defined]
            (item.id, f"{item.name} – {_tier_words(item.tier)}") for item in packages
        ]
        if len(packages) == 1:
            self.fields["work_package"].initial = packages[0].id


def _tier_words(tier: int | None) -> str:
    return "not classified yet: a first-assessment environment at Tier 3" if tier is None else f"Tier {tier}"


class ReasonForm(ActForm):
    reason = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"data-rows": "2"}), max_length=2000)


class TightenForm(ActForm):
    what = forms.ChoiceField(label="What becomes stricter", widget=forms.RadioSelect)
    reason = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"data-rows": "2"}), max_length=2000)

    def __init__(self, item: Environment, *args: object, **kwargs: object) -> None:
        super().__init__(*args, auto_id="tighten_%s", **kwargs)
        self.fields["what"].choices = presenting.stricter_values(item)  # type: ignore[attr-defined]
        self.fields["what"].error_messages["required"] = "Select what becomes stricter"


def _environment_or_404(project: Project, environment: str) -> Environment:
    found = project.environments.get(environment)
    if found is None:
        raise Http404("no such environment")
    return found


@acting.signed_in
def environment_new(request: HttpRequest, project: str) -> HttpResponseBase:
    """Create the environment of a work package."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    initial = {"work_package": request.GET.get("work_package", "")} if "work_package" in request.GET else {}
    form = NewForm(state, request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        body = {"id": new_id("env"), "work_package": form.cleaned_data["work_package"]}
        done = reverse("environment", args=[project, body["id"]])
        message = "The environment is being prepared."
        return acting.submit(request, Act("environment.create", project, body), done=done, message=message)
    return render(
        request, "environments/new.html", {"project": state, "form": form}, status=400 if form.errors else 200
    )


@acting.signed_in
def environment(request: HttpRequest, project: str, environment: str) -> HttpResponseBase:
    """An environment with the evidence of its isolation, and what the viewer can do with it."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    item = _environment_or_404(state, environment)
    doing = request.POST.get("do", "") if request.method == "POST" else ""
    if doing and doing not in REASONED:
        raise Http404("no such action")
    bound = {name: ReasonForm(request.POST if name == doing else None, auto_id=f"{name}_%s") for name in REASONED}
    if doing and bound[doing].is_valid():
        kind, _, message = REASONED[doing]
        body = {"environment": environment, "reason": bound[doing].cleaned_data["reason"]}
        done = reverse("environment", args=[project, environment])
        return acting.submit(request, Act(kind, project, body), done=done, message=message)
    offers = _offers(state, item, who, bound, listeners.place(request))
    context = {**_context(state, item), **offers, "failed": bound.get(doing)}
    return render(request, "environments/environment.html", context, status=400 if doing else 200)


def _context(state: Project, item: Environment) -> dict[str, object]:
    cells = presenting.probe_cells(item.results)
    package = state.work_packages[item.work_package]
    return {
        "project": state,
        "environment": item,
        "package": package,
        "tag": tag(item.state),
        "passing": passing(item.state),
        "reason": presenting.reason_words(item),
        "cells": cells,
        "summary": presenting.probe_summary(cells),
        "probed_at": item.probed_at,
        "attestable": item.state in ("running", "suspended"),
        "controls": presenting.control_rows(item),
        "volumes": presenting.volume_rows(state, item),
        "requests": [one for one in state.requests.values() if one.environment == item.id],
        "deposits": [one for one in state.deposits.values() if one.environment == item.id],
    }


def _offers(
    state: Project, item: Environment, who: SignedIn, bound: dict[str, ReasonForm], place: Place
) -> dict[str, object]:
    moment, body = now(), {"environment": item.id}
    reasoned = {**body, "reason": "-"}
    actions = [
        (name, title, bound[name])
        for name, (kind, title, _) in REASONED.items()
        if offer(state, who.actor, kind, reasoned, moment)
    ]
    choices = presenting.stricter_values(item)
    stricter = dict(zip(("control", "value"), choices[0][0].split("="), strict=True)) if choices else {}
    may_tighten = bool(choices) and offer(state, who.actor, "environment.tighten", {**reasoned, **stricter}, moment)
    return {
        "tighten": TightenForm(item) if may_tighten else None,
        "may_enter": offer(state, who.actor, "environment.enter", body, moment, place),
        "may_probe": offer(state, who.actor, "environment.probe", body, moment),
        "may_submit": egress_offer(state, who.actor, item.id, moment),
        "actions": actions,
    }


@require_POST
@acting.signed_in
def environment_tighten(request: HttpRequest, project: str, environment: str) -> HttpResponseBase:
    """Make one environment stricter than its tier."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    item = _environment_or_404(state, environment)
    form = TightenForm(item, request.POST)
    if form.is_valid():
        control, value = form.cleaned_data["what"].split("=")
        body = {"environment": environment, "control": control, "value": value, "reason": form.cleaned_data["reason"]}
        done = reverse("environment", args=[project, environment])
        return acting.submit(request, Act("environment.tighten", project, body), done=done, message="It is stricter now.")
    bound = {name: ReasonForm(auto_id=f"{name}_%s") for name in REASONED}
    offers = _offers(state, item, who, bound, listeners.place(request))
    context = {**_context(state, item), **offers, "tighten": form, "failed": form}
    return render(request, "environments/environment.html", context, status=400)


@acting.signed_in
def environment_attestation(request: HttpRequest, project: str, environment: str) -> HttpResponseBase:
    """What the warden signs about the environment now, as a file; each reading is recorded."""
    who = acting.person(request)
    _environment_or_404(acting.project_or_404(who, project), environment)
    found = acting.warden().attestation(environment, who.access_token())
    response = JsonResponse(found, json_dumps_params={"indent": 1, "ensure_ascii": False})
    response["Content-Disposition"] = f'attachment; filename="{environment}-attestation.json"'
    return response


@require_POST
@acting.signed_in
def environment_probe(request: HttpRequest, project: str, environment: str) -> HttpResponseBase:
    """Ask for the probes to run again."""
    acting.project_or_404(acting.person(request), project)
    done = reverse("environment", args=[project, environment])
    act = Act("environment.probe", project, {"environment": environment})
    return acting.submit(request, act, done=done, message="The probes are running again.")


@require_POST
@acting.signed_in
def environment_desktop(request: HttpRequest, project: str, environment: str) -> HttpResponseBase:
    """Get an entry ticket and show the button that opens the desktop with it."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    item = _environment_or_404(state, environment)
    act = Act("environment.enter", project, {"environment": environment})
    outcome = acting.ask(request, act)
    if not outcome.done:
        return acting.answer(request, outcome, act, reverse("environment", args=[project, environment]), "")
    context = {"project": state, "environment": item, "ticket": outcome.extra["ticket"], "host": outcome.extra["host"]}
    return render(request, "environments/desktop.html", context)


PLACE = "projects/<slug:project>/environments"
urlpatterns = [
    path(f"{PLACE}/new", environment_new, name="environment_new"),
    path(f"{PLACE}/<slug:environment>", environment, name="environment"),
    path(f"{PLACE}/<slug:environment>/probe", environment_probe, name="environment_probe"),
    path(f"{PLACE}/<slug:environment>/tighten", environment_tighten, name="environment_tighten"),
    path(f"{PLACE}/<slug:environment>/attestation", environment_attestation, name="environment_attestation"),
    path(f"{PLACE}/<slug:environment>/desktop", environment_desktop, name="environment_desktop"),
]
