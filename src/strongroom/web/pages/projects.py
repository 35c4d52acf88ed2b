"""Projects: the list, a new one, one project's overview, its history."""

from __future__ import annotations

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import path, reverse

from strongroom import records, usecases
from strongroom.domain.acts import Act
from strongroom.domain.evidence import roles_of
from strongroom.domain.project import Project
from strongroom.policy.permissions import MAY_GIVE, PERMISSIONS
from strongroom.usecases.clock import now
from strongroom.usecases.people import SignedIn, note_reading
from strongroom.web import acting
from strongroom.web.forms import ActForm
from strongroom.web.presenting.offers import egress_offer

PER_PAGE = 100


class ProjectForm(ActForm):
    """A new project."""

    name = forms.CharField(label="Name of the project", max_length=120)
    summary = forms.CharField(
        label="What is it about?",
        help_text="In plain words: the question, the data, what good it does. Everybody in the project reads this.",
        widget=forms.Textarea,
        max_length=5000,
    )


@acting.signed_in
def projects(request: HttpRequest) -> HttpResponseBase:
    """Projects that the person may see."""
    who = acting.person(request)
    return render(request, "projects/list.html", {"projects": records.projects_for(who.actor)})


@acting.signed_in
def project_new(request: HttpRequest) -> HttpResponseBase:
    """Create a project (Programme Managers, with a fresh login)."""
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        ident = form.named_id(name, "project")
        act = Act("project.create", ident, {"id": ident, "name": name, "summary": form.cleaned_data["summary"]})
        message = f"The project {name} exists. Appoint its people next."
        return acting.submit(request, act, done=reverse("project", args=[ident]), message=message)
    return render(request, "projects/new.html", {"form": form, "back": reverse("projects")})


def _can(who: SignedIn, state: Project) -> dict[str, bool]:
    """Which acts the person's roles allow at all here: for showing the ways to them."""
    if state.state != "open":
        return {}
    held = roles_of(who.actor, state)
    found = {kind.replace(".", "_"): any(r in row.roles for r in held) for kind, row in PERMISSIONS.items()}
    return {**found, "appoint": any(r in MAY_GIVE for r in held)}


@acting.signed_in
def project(request: HttpRequest, project: str) -> HttpResponseBase:
    """Everything about one project on one page."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    packages = [
        {"item": package, "standing": state.standing_of(package)}
        for package in state.work_packages.values()
        if not package.output_of
    ]
    context = {
        "project": state,
        "members": sorted(state.members.values(), key=lambda m: (m.role, m.name)),
        "packages": packages,
        "tier": state.tier(),
        "tasks": [task for task in usecases.waiting_for(who) if task.project == state.id],
        "mine": roles_of(who.actor, state),
        "can": _can(who, state),
        "recent": list(reversed(state.history))[:5],
        "sources": [e for e in state.environments.values() if egress_offer(state, who.actor, e.id, now())],
        "back": reverse("projects"),
    }
    return render(request, "projects/project.html", context)


@acting.signed_in
def history(request: HttpRequest, project: str) -> HttpResponseBase:
    """The project's whole record, refusals included, newest first."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    note_reading(who, "history.read", {"project": state.id}, state.id)
    only = request.GET.get("only", "")
    lines = [entry for entry in reversed(state.history) if only != "refused" or entry.outcome == "refused"]
    page = Paginator(lines, PER_PAGE).get_page(request.GET.get("page"))
    context = {"project": state, "page": page, "only": only, "back": reverse("project", args=[state.id])}
    return render(request, "projects/history.html", context)


urlpatterns = [
    path("projects", projects, name="projects"),
    path("projects/new", project_new, name="project_new"),
    path("projects/<slug:project>", project, name="project"),
    path("projects/<slug:project>/history", history, name="history"),
]
