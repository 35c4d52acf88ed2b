"""People of a project: appointing, removing, counter-approving; training and terms of the person themselves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import path, reverse

from strongroom.domain.acts import Act
from strongroom.domain.case import ROLE_WORDS
from strongroom.domain.evidence import roles_of
from strongroom.domain.project import Project
from strongroom.policy.permissions import MAY_GIVE, PROJECT_ROLES, TERMS_VERSION, TRAINING
from strongroom.policy.tiers import controls_for
from strongroom.records import reading
from strongroom.web import acting
from strongroom.web.forms import ActForm

MODULE = "data-handling"


class AppointForm(ActForm):
    """Who gets which role."""

    person = forms.ChoiceField(
        label="Person",
        help_text="Everybody who has signed in once. Somebody missing? Ask them to sign in; then they appear here.",
    )
    role = forms.ChoiceField(label="Role", widget=forms.RadioSelect)
    organisation = forms.CharField(
        label="Organisation",
        help_text="For a Representative: the Dataset Provider they speak for. Otherwise you may leave it empty.",
        required=False,
        max_length=200,
    )

    def __init__(self, *args: Any, roles: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(item.sub, f"{item.name} ({item.email})") for item in reading.people()]
        self.fields["person"].choices = [("", "Choose a person"), *people]  # type: ignore[attr-defined]
        self.fields["role"].choices = [(name, ROLE_WORDS[name]) for name in roles]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("role") == "representative" and not cleaned.get("organisation", "").strip():
            self.add_error("organisation", "Enter the Dataset Provider that the Representative speaks for")
        return cleaned


class RemoveForm(ActForm):
    """Why somebody loses a role."""

    reason = forms.CharField(label="Reason", required=False, widget=forms.Textarea(attrs={"data-rows": "2"}))


class CertifyForm(ActForm):
    """That the training was read."""

    read = forms.BooleanField(
        label="I have read and understood all of this, and I will act by it",
        error_messages={"required": "Tick the box when you have read it"},
    )


class AcceptForm(ActForm):
    """That the terms bind."""

    accept = forms.BooleanField(
        label="I accept these terms for this project",
        error_messages={"required": "Tick the box if you accept the terms; without them you cannot see the data"},
    )


@acting.signed_in
def person_appoint(request: HttpRequest, project: str) -> HttpResponseBase:
    """Appoint somebody to a role of the project (with a fresh login)."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    held = roles_of(who.actor, state)
    roles = [role for role in PROJECT_ROLES if any(role in MAY_GIVE.get(mine, ()) for mine in held)]
    initial = {"role": request.GET.get("role", "")}
    form = AppointForm(request.POST or None, roles=roles, initial=initial)
    if request.method == "POST" and form.is_valid():
        found = reading.person(form.cleaned_data["person"])
        if found is None:
            raise Http404("no such person")
        role = form.cleaned_data["role"]
        organisation = form.cleaned_data["organisation"]
        body = {"role": role, "person": found.sub, "name": found.name, "organisation": organisation}
        message = f"{found.name} is now {ROLE_WORDS[role]}."
        done = reverse("project", args=[project])
        return acting.submit(request, Act("person.appoint", project, body), done=done, message=message)
    context = {"project": state, "form": form, "roles": roles, "back": reverse("project", args=[project])}
    return render(request, "people/appoint.html", context)


@acting.signed_in
def person(request: HttpRequest, project: str, role: str, person: str) -> HttpResponseBase:
    """One person in one role: what it rests on; approving or removing."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    member = state.members.get((role, person))
    if member is None:
        raise Http404("nobody holds that role")
    done = reverse("project", args=[project])
    subject = {"role": role, "person": person}
    if request.method == "POST" and request.POST.get("step") == "approve":
        act = Act("person.counter_approve", project, subject)
        return acting.submit(request, act, done=done, message=f"You have approved {member.name}.")
    form = RemoveForm(request.POST or None)
    removal = Act("person.remove", project, {**subject, "reason": ""})
    if request.method == "POST" and form.is_valid():
        act = Act("person.remove", project, {**subject, "reason": form.cleaned_data["reason"]})
        message = f"{member.name} is no longer {ROLE_WORDS.get(role, role)}. Open sessions close at once."
        return acting.submit(request, act, done=done, message=message)
    context = {
        "project": state,
        "member": member,
        "trained": (person, f"{MODULE} {TRAINING[MODULE]}") in state.trained,
        "form": form,
        "may_remove": bool(acting.may(who, removal)),
        "may_approve": bool(acting.may(who, Act("person.counter_approve", project, subject))),
        "approval_needed": role in ("researcher", "referee") and _strict(state),
        "back": done,
    }
    return render(request, "people/person.html", context)


def _strict(state: Project) -> bool:
    tiers = [package.tier for package in state.work_packages.values() if package.tier is not None]
    return any(controls_for(tier)["member_approval"] != "project_manager" for tier in tiers)


@acting.signed_in
def training(request: HttpRequest, project: str = "") -> HttpResponseBase:
    """The training on data handling: read it, certify it once."""
    who = acting.person(request)
    version = TRAINING[MODULE]
    certified = reading.certified(who.sub, MODULE, version)
    form = CertifyForm(request.POST or None)
    done = reverse("project", args=[project]) if project else reverse("training")
    if request.method == "POST" and form.is_valid():
        act = Act("training.certify", "", {"module": MODULE, "version": version})
        return acting.submit(request, act, done=done, message="Your training is certified.")
    context = {"form": form, "version": version, "certified": certified, "back": done if project else ""}
    return render(request, "people/training.html", context)


@acting.signed_in
def terms(request: HttpRequest, project: str) -> HttpResponseBase:
    """The project's terms: read them, accept them."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    mine = [member for (_, sub), member in state.members.items() if sub == who.sub]
    done = reverse("project", args=[project])
    form = AcceptForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        act = Act("terms.accept", project, {"version": TERMS_VERSION})
        return acting.submit(request, act, done=done, message="You have accepted the terms.")
    accepted = bool(mine) and all(member.terms_version == TERMS_VERSION for member in mine)
    context = {"project": state, "form": form, "version": TERMS_VERSION, "accepted": accepted, "back": done}
    return render(request, "people/terms.html", context)


urlpatterns = [
    path("training", training, name="training"),
    path("projects/<slug:project>/training", training, name="training"),
    path("projects/<slug:project>/terms", terms, name="terms"),
    path("projects/<slug:project>/people/appoint", person_appoint, name="person_appoint"),
    path("projects/<slug:project>/people/<slug:role>/<str:person>", person, name="person"),
]
