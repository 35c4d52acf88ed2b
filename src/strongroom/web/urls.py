"""Addresses: those of the core, then ``urlpatterns`` of every module in ``pages``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from django.urls import path, re_path
from django.views.static import serve

from strongroom.web import pages, signing

handler404 = "strongroom.web.errors.not_found"
handler500 = "strongroom.web.errors.broken"


def _pages() -> list[Any]:
    names = sorted(module.name for module in iter_modules(pages.__path__))
    return [pattern for name in names for pattern in import_module(f"{pages.__name__}.{name}").urlpatterns]


urlpatterns = [
    path("sign-in", signing.sign_in, name="sign_in"),
    path("signed-in", signing.signed_in, name="signed_in"),
    path("sign-out", signing.sign_out, name="sign_out"),
    re_path(r"^static/(?P<path>.+)$", serve, {"document_root": Path(__file__).parent / "static"}, name="static"),
    *_pages(),
]
