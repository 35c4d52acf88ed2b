"""The end of a project: what closing destroys, the certificate; and its life, drawn."""

from __future__ import annotations

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_GET

from strongroom.domain.acts import Act
from strongroom.usecases.clock import now
from strongroom.web import acting
from strongroom.web.forms import ActForm
from strongroom.web.pages.outputs import json_download
from strongroom.web.presenting import closing as presenting
from strongroom.web.presenting.life import life as life_of
from strongroom.web.presenting.offers import offer
from strongroom.web.presenting.words import passing, tag


class CloseForm(ActForm):
    sure = forms.BooleanField(label="I have read what will be destroyed, and no copy is needed")
    note = forms.CharField(
        label="Note (optional)", widget=forms.Textarea(attrs={"data-rows": "3"}), required=False, max_length=20_000
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sure"].error_messages["required"] = "Confirm that you have read what will be destroyed"


@acting.signed_in
def closing(request: HttpRequest, project: str) -> HttpResponseBase:
    """Preview of the end; close; afterwards the certificate."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    form = CloseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        act = Act("project.close", project, {"note": form.cleaned_data["note"]})
        message = "The project is closed. Its volumes are being destroyed."
        return acting.submit(request, act, done=reverse("closing", args=[project]), message=message)
    certificate = presenting.certificate_of(state.certificate) if state.certificate is not None else None
    context = {
        "project": state,
        "tag": tag(state.state),
        "passing": passing(state.state),
        "doomed": presenting.doomed(state),
        "kept": presenting.kept(state),
        "certificate": certificate,
        "may_close": offer(state, who.actor, "project.close", {"note": ""}, now()),
        "form": form,
    }
    return render(request, "closing/closing.html", context, status=400 if form.errors else 200)


@require_GET
@acting.signed_in
def closing_certificate(request: HttpRequest, project: str) -> HttpResponseBase:
    """The certificate as JSON."""
    state = acting.project_or_404(acting.person(request), project)
    if state.certificate is None:
        raise Http404("no certificate yet")
    return json_download(dict(state.certificate), f"certificate-{project}.json")


@require_GET
@acting.signed_in
def life(request: HttpRequest, project: str) -> HttpResponseBase:
    """The project's life as a swimlane of people by time, and as a table."""
    state = acting.project_or_404(acting.person(request), project)
    return render(request, "closing/life.html", {"project": state, "life": life_of(state)})


urlpatterns = [
    path("projects/<slug:project>/closing", closing, name="closing"),
    path("projects/<slug:project>/closing/certificate.json", closing_certificate, name="closing_certificate"),
    path("projects/<slug:project>/life", life, name="life"),
]
