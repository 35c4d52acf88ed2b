"""Landing page with what waits for the person, and the mail they were sent."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import path

from strongroom import records, usecases
from strongroom.records import reading
from strongroom.web import acting, room


def home(request: HttpRequest) -> HttpResponseBase:
    """The tasks of whoever is signed in; for others, what this is and where to sign in."""
    who = room.person_of(request)
    if who is None:
        return render(request, "home/welcome.html")
    context = {"tasks": usecases.waiting_for(who), "projects": records.projects_for(who.actor)}
    return render(request, "home/tasks.html", context)


@acting.signed_in
def mail(request: HttpRequest) -> HttpResponseBase:
    """Messages to the person."""
    return render(request, "home/mail.html", {"letters": reading.mail_for(acting.person(request).sub)})


urlpatterns = [
    path("", home, name="home"),
    path("mail", mail, name="mail"),
]
