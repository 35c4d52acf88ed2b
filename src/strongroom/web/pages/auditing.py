"""For auditors: the newest checkpoint of both logs, and the app's log as a file that verifies by itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path

from strongroom.orders.client import WardenUnreachable
from strongroom.records import ledger
from strongroom.usecases.people import SignedIn, note_reading
from strongroom.web import acting


def _auditor(request: HttpRequest) -> SignedIn:
    who = acting.person(request)
    if "auditors" not in who.groups:
        raise Http404("for auditors only")
    return who


@acting.signed_in
def audit(request: HttpRequest) -> HttpResponseBase:
    """Sizes, checkpoints and keys of both logs, and how to verify them."""
    who = _auditor(request)
    note_reading(who, "audit.read", {"page": "checkpoints"})
    try:
        checkpoint = acting.warden().checkpoint()
    except WardenUnreachable:
        checkpoint = ""
    context = {
        "warden": checkpoint,
        "app": ledger.newest_checkpoint(),
        "size": ledger.size(),
        "key": ledger.public_key_line(settings.FOLDER),
    }
    return render(request, "auditing/audit.html", context)


@acting.signed_in
def audit_export(request: HttpRequest) -> HttpResponseBase:
    """The app's log up to its newest checkpoint."""
    who = _auditor(request)
    note_reading(who, "audit.export", {"log": "app"})
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "app.jsonl"
        if not ledger.export_to(target, settings.FOLDER):
            raise Http404("no checkpoint yet")
        content = target.read_bytes()
    response = HttpResponse(content, "application/jsonl")
    response["Content-Disposition"] = 'attachment; filename="strongroom-app-ledger.jsonl"'
    return response


urlpatterns = [
    path("audit", audit, name="audit"),
    path("audit/export", audit_export, name="audit_export"),
]
