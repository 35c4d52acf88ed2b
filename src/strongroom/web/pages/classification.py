"""Classification of a work package: the Figure 2 dialogue, blindness, disagreement, consensus, output forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse

from strongroom.domain.acts import Act, Actor
from strongroom.domain.classification import AnswersError
from strongroom.domain.project import Project, WorkPackage
from strongroom.policy.questions import DEFAULT_SET
from strongroom.usecases.clock import now
from strongroom.web import acting, room
from strongroom.web.forms import ActForm
from strongroom.web.presenting.dialogue import Dialogue, resume
from strongroom.web.presenting.offers import any_walk, offer
from strongroom.web.presenting.standing import classification_page

MOST_DIALOGUES = 8


@dataclass(frozen=True)
class Talk:
    """One use of the dialogue: ``about`` keeps its answers apart from others', the rest are the words around it."""

    about: str
    subject: str
    leave: str
    statement_label: str
    statement_hint: str
    promise: str
    button: str


Finish = Callable[[Dialogue, str], HttpResponseBase]


def converse(request: HttpRequest, talk: Talk, finish: Finish) -> HttpResponseBase:
    """One step of a dialogue; ``finish`` gets the whole walk and the statement. Answers lie in the sealed session."""
    dialogue = _recall(request, talk.about)
    if request.method == "POST":
        return _step(request, talk, dialogue, finish)
    at = request.GET.get("at", "")
    if at.isdecimal() and 1 <= int(at) <= len(dialogue.answers):
        return _question(request, talk, dialogue, int(at))
    if dialogue.complete:
        context = {"back": f"?at={len(dialogue.answers)}", "summary": dialogue.summary(), **talk.__dict__}
        return render(request, "classification/check.html", context)
    return _question(request, talk, dialogue, dialogue.position)


def _question(request: HttpRequest, talk: Talk, dialogue: Dialogue, number: int, error: str = "") -> HttpResponseBase:
    back = f"?at={number - 1}" if number > 1 else talk.leave
    context = {
        "page": dialogue.page(number),
        "back": back,
        "leave": talk.leave,
        "subject": talk.subject,
        "error": error,
    }
    return render(request, "classification/question.html", context, status=400 if error else 200)


def _step(request: HttpRequest, talk: Talk, dialogue: Dialogue, finish: Finish) -> HttpResponseBase:
    at = request.POST.get("at", "")
    if at == "check":
        if not dialogue.complete:
            return HttpResponseRedirect(request.path)
        response = finish(dialogue, request.POST.get("statement", "").strip())
        if response.status_code < 400 and room.person_of(request) is not None:
            _keep(request, talk.about, None)
        return response
    number = int(at) if at.isdecimal() else 0
    try:
        changed = dialogue.answer(number, request.POST.get("answer", ""))
    except AnswersError as error:
        if not 1 <= number <= dialogue.position or (dialogue.complete and number == dialogue.position):
            return HttpResponseRedirect(request.path)
        return _question(request, talk, dialogue, number, str(error))
    _keep(request, talk.about, changed)
    there = f"?at={number + 1}" if number + 1 <= len(changed.answers) else ""
    return HttpResponseRedirect(request.path + there)


def _recall(request: HttpRequest, about: str) -> Dialogue:
    kept = (request.__dict__["strongroom_room"].data or {}).get("dialogues", {}).get(about)
    if kept is None:
        return Dialogue(DEFAULT_SET)
    return resume(kept["set"], kept["answers"])


def _keep(request: HttpRequest, about: str, dialogue: Dialogue | None) -> None:
    def change(data: dict[str, object]) -> None:
        found = data.get("dialogues")
        kept = {name: value for name, value in found.items() if name != about} if isinstance(found, dict) else {}
        if dialogue is not None:
            kept[about] = {"set": dialogue.set_name, "answers": [list(pair) for pair in dialogue.answers]}
        data["dialogues"] = dict(list(kept.items())[-MOST_DIALOGUES:])

    room.change(request, change)


def package_or_404(project: Project, work_package: str) -> WorkPackage:
    """A work package of the project. Raises Http404."""
    found = project.work_packages.get(work_package)
    if found is None:
        raise Http404("no such work package")
    return found


@acting.signed_in
def opinion(request: HttpRequest, project: str, work_package: str) -> HttpResponseBase:
    """Give or revise one's own opinion, one question to a page."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    package = package_or_404(state, work_package)
    leave = reverse("classification", args=[project, work_package])
    body = {"work_package": work_package, "question_set": DEFAULT_SET, "answers": any_walk(), "statement": ""}
    verdict = acting.may(who, Act("classification.opinion", project, body))
    if not verdict:
        return acting.refused(request, verdict, leave)  # type: ignore[arg-type]
    talk = Talk(
        f"opinion {project} {work_package}",
        package.name,
        leave,
        "What the others should know (optional)",
        "Shown to the others once everybody needed has answered. Do not write anything out of the data.",
        "Your answers are recorded under your name. The others see them only when everybody needed has answered.",
        "Submit my opinion",
    )

    def finish(dialogue: Dialogue, statement: str) -> HttpResponseBase:
        answers = [list(pair) for pair in dialogue.answers]
        said = {**body, "question_set": dialogue.set_name, "answers": answers, "statement": statement}
        act = Act("classification.opinion", project, said)
        return acting.submit(request, act, done=leave, message="Your opinion is recorded.")

    return converse(request, talk, finish)


class ProceedForm(ActForm):
    reason = forms.CharField(
        label="Why the work goes on at the highest tier",
        widget=forms.Textarea,
        max_length=20_000,
        help_text="Say what was discussed and with whom.",
    )


class OutputForm(ActForm):
    form = forms.CharField(
        label="Which outputs you agree to beforehand",
        widget=forms.Textarea,
        max_length=20_000,
        help_text="For example: tables of counts and means with no cell below 10, and figures drawn from them.",
    )


@acting.signed_in
def classification(request: HttpRequest, project: str, work_package: str) -> HttpResponseBase:
    """Where the classification stands, as this person may see it; proceeding and output forms."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    package = package_or_404(state, work_package)
    doing = request.POST.get("do", "") if request.method == "POST" else ""
    proceed = ProceedForm(request.POST if doing == "proceed" else None, auto_id="proceed_%s")
    agree = OutputForm(request.POST if doing == "agree" else None, auto_id="agree_%s")
    done = reverse("classification", args=[project, work_package])
    if doing == "proceed" and proceed.is_valid():
        body = {"work_package": work_package, "reason": proceed.cleaned_data["reason"]}
        message = "The work package is classified at the highest tier anybody gave."
        return acting.submit(request, Act("classification.proceed", project, body), done=done, message=message)
    if doing == "agree" and agree.is_valid():
        body = {"work_package": work_package, "form": agree.cleaned_data["form"]}
        message = "The output form is agreed."
        return acting.submit(request, Act("output_form.agree", project, body), done=done, message=message)
    context = {
        "project": state,
        "package": package,
        "page": classification_page(state, package, who.sub),
        "proceed": proceed,
        "agree": agree,
        "forms_bound": [form for form in (proceed, agree) if form.is_bound],
        **_offers(state, who.actor, work_package),
    }
    return render(request, "classification/classification.html", context, status=400 if doing else 200)


def _offers(state: Project, actor: Actor, work_package: str) -> dict[str, object]:
    walk: dict[str, object] = {
        "work_package": work_package,
        "question_set": DEFAULT_SET,
        "answers": any_walk(),
        "statement": "",
    }
    kinds: dict[str, tuple[str, dict[str, object]]] = {
        "may_answer": ("classification.opinion", walk),
        "may_proceed": ("classification.proceed", {"work_package": work_package, "reason": "-"}),
        "may_agree": ("output_form.agree", {"work_package": work_package, "form": "-"}),
        "may_create": ("environment.create", {"id": "new-environment", "work_package": work_package}),
    }
    return {name: offer(state, actor, kind, body, now()) for name, (kind, body) in kinds.items()}


urlpatterns = [
    path(
        "projects/<slug:project>/work-packages/<slug:work_package>/classification",
        classification,
        name="classification",
    ),
    path("projects/<slug:project>/work-packages/<slug:work_package>/opinion", opinion, name="opinion"),
]
