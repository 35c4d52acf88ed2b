"""Datasets, their data sharing agreements, and the work packages that use them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from string import Template
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.http import content_disposition_header

from strongroom.domain.acts import Act
from strongroom.domain.evidence import agreement_readers, roles_of
from strongroom.domain.project import Agreement, Dataset, Project
from strongroom.orders.protocol import LARGEST_BLOB
from strongroom.web import acting
from strongroom.web.forms import ActForm

TEMPLATE = Path(__file__).parent.parent / "texts" / "agreement.txt"


class DatasetForm(ActForm):
    """A dataset and where it comes from."""

    name = forms.CharField(label="Name of the dataset", max_length=120)
    description = forms.CharField(
        label="What is in it?",
        help_text="Subjects, variables, years, how many records. No values.",
        widget=forms.Textarea,
        max_length=5000,
    )
    representative = forms.ChoiceField(
        label="Dataset Provider's Representative",
        help_text="Speaks for the provider: lodges the agreement, deposits, classifies, reviews outputs.",
        widget=forms.RadioSelect,
    )
    personal = forms.ChoiceField(
        label="Is it personal data?",
        help_text="Information about living people who can be identified from it, alone or with other information.",
        widget=forms.RadioSelect,
        choices=[("yes", "Yes"), ("no", "No")],
    )
    lawful_basis = forms.CharField(
        label="Lawful basis",
        help_text="Needed for personal data, such as “public task, UK GDPR article 6(1)(e)”.",
        required=False,
        max_length=500,
    )
    terms = forms.CharField(
        label="Terms of the provider",
        help_text="What the provider demands beyond the ordinary agreement, if anything.",
        required=False,
        widget=forms.Textarea,
        max_length=5000,
    )

    def __init__(self, *args: Any, state: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(m.person, f"{m.name}, {m.organisation}") for m in state.holders("representative")]
        self.fields["representative"].choices = people  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("personal") == "yes" and not cleaned.get("lawful_basis", "").strip():
            self.add_error("lawful_basis", "Enter the lawful basis: personal data needs one on record")
        return cleaned


class DraftForm(ActForm):
    """What the template of an agreement leaves open."""

    institution = forms.CharField(label="Name of your institution", max_length=200)
    purpose = forms.CharField(
        label="What may the data be used for?",
        help_text="The analysis and its purpose. The agreement allows this and nothing else.",
        widget=forms.Textarea,
        max_length=5000,
    )


class LodgeForm(ActForm):
    """The signed copy."""

    document = forms.FileField(label="Signed copy", help_text="One file, such as a PDF or a scan; at most 20 MB.")
    certifies = forms.BooleanField(
        label="I certify that the provider has the owners' permission and a lawful basis for sharing this dataset",
        error_messages={"required": "Tick the certification if it is true; otherwise do not share the data"},
    )

    def clean_document(self) -> UploadedFile[bytes]:
        found: UploadedFile[bytes] = self.cleaned_data["document"]
        if (found.size or 0) > LARGEST_BLOB:
            raise forms.ValidationError("Choose a file of at most 20 MB")
        return found


class WithdrawForm(ActForm):
    """Why a provider takes its dataset back."""

    reason = forms.CharField(label="Reason", widget=forms.Textarea, max_length=2000)
    sure = forms.BooleanField(
        label="I know that every environment that uses this dataset ends with it, and that nothing can be brought back",
        error_messages={"required": "Tick the box if the dataset shall be withdrawn"},
    )


class WorkPackageForm(ActForm):
    """What will be done with which datasets: what is classified."""

    name = forms.CharField(label="Name of the work package", max_length=120)
    datasets = forms.MultipleChoiceField(label="Datasets it uses", widget=forms.CheckboxSelectMultiple)
    analysis = forms.CharField(label="What analysis is planned?", widget=forms.Textarea, max_length=5000)
    outputs = forms.CharField(
        label="What outputs are planned?",
        help_text="Such as tables of counts, regression coefficients, figures; and who may see them.",
        widget=forms.Textarea,
        max_length=5000,
    )
    tools = forms.CharField(label="Which tools are needed?", required=False, max_length=500)

    def __init__(self, *args: Any, state: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        found = [(item.id, item.name) for item in state.datasets.values() if not item.withdrawn]
        self.fields["datasets"].choices = found  # type: ignore[attr-defined]


@acting.signed_in
def dataset_new(request: HttpRequest, project: str) -> HttpResponseBase:
    """Register a dataset with its provider and Representative."""
    state = acting.project_or_404(acting.person(request), project)
    form = DatasetForm(request.POST or None, state=state)
    if request.method == "POST" and form.is_valid():
        cleaned = form.cleaned_data
        member = state.members["representative", cleaned["representative"]]
        ident = form.named_id(cleaned["name"], "dataset")
        body = {
            "id": ident,
            "name": cleaned["name"],
            "description": cleaned["description"],
            "provider": member.organisation,
            "representative": member.person,
            "personal": cleaned["personal"] == "yes",
            "lawful_basis": cleaned["lawful_basis"],
            "terms": cleaned["terms"],
        }
        done = reverse("agreement_new", args=[project, ident])
        message = f"{cleaned['name']} is registered. Draft its agreement next."
        return acting.submit(request, Act("dataset.register", project, body), done=done, message=message)
    context = {"project": state, "form": form, "back": reverse("project", args=[project])}
    return render(request, "datasets/new.html", context)


def agreement_text(state: Project, dataset: Dataset, institution: str, purpose: str) -> str:
    """The agreement on a dataset, out of the template."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        provider=dataset.provider,
        institution=institution.strip(),
        dataset=dataset.name,
        dataset_id=dataset.id,
        project=state.name,
        project_id=state.id,
        description=dataset.description,
        personal="yes" if dataset.personal else "no",
        lawful_basis=dataset.lawful_basis or "not needed",
        purpose=purpose.strip(),
        terms=dataset.terms or "None beyond this agreement.",
    )


@acting.signed_in
def agreement_new(request: HttpRequest, project: str, dataset: str) -> HttpResponseBase:
    """Draft the agreement on a dataset from the template; the text is shown before it goes on record."""
    state = acting.project_or_404(acting.person(request), project)
    found = state.datasets.get(dataset)
    if found is None:
        raise Http404("no such dataset")
    form = DraftForm(request.POST or None)
    text = ""
    if request.method == "POST" and form.is_valid():
        text = agreement_text(state, found, form.cleaned_data["institution"], form.cleaned_data["purpose"])
        if request.POST.get("step") == "record":
            ident = form.fresh_id("agreement")
            act = Act("agreement.draft", project, {"id": ident, "dataset": dataset, "text": text})
            done = reverse("agreement", args=[project, ident])
            message = "The agreement is drafted. The Representative signs it and lodges the signed copy here."
            return acting.submit(request, act, done=done, message=message)
    context = {"project": state, "dataset": found, "form": form, "text": text}
    return render(request, "datasets/draft.html", {**context, "back": reverse("project", args=[project])})


def _agreement(state: Project, agreement: str) -> Agreement:
    found = state.agreements.get(agreement)
    if found is None:
        raise Http404("no such agreement")
    return found


@acting.signed_in
def agreement(request: HttpRequest, project: str, agreement: str) -> HttpResponseBase:
    """One agreement: its text, and lodging the signed copy."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    found = _agreement(state, agreement)
    form = LodgeForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        upload: UploadedFile[bytes] = form.cleaned_data["document"]
        content = upload.read()
        sha256 = acting.warden().lodge(content, who.access_token())
        name = PurePosixPath((upload.name or "").replace("\\", "/")).name[:200] or "agreement"
        document = {"name": name, "sha256": sha256, "size": len(content)}
        body = {"agreement": agreement, "document": document, "certifies": form.cleaned_data["certifies"]}
        done = reverse("agreement", args=[project, agreement])
        message = "The signed copy is in the project's secure document volume."
        return acting.submit(request, Act("agreement.lodge", project, body), done=done, message=message)
    dataset = state.datasets[found.dataset]
    context = {
        "project": state,
        "agreement": found,
        "dataset": dataset,
        "form": form,
        "may_read": agreement_readers(state, found, who.sub) & set(roles_of(who.actor, state)),
        "may_lodge": dataset.representative == who.sub and not dataset.withdrawn and state.state == "open",
        "back": reverse("project", args=[project]),
    }
    return render(request, "datasets/agreement.html", context)


@acting.signed_in
def agreement_file(request: HttpRequest, project: str, agreement: str) -> HttpResponseBase:
    """The agreement's text as a file to print and sign."""
    state = acting.project_or_404(acting.person(request), project)
    found = _agreement(state, agreement)
    if request.GET.get("as") == "html":
        return render(request, "datasets/printed.html", {"agreement": found, "project": state})
    response = HttpResponse(found.text, "text/plain; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{found.id}.txt") or "attachment"
    return response


@acting.signed_in
def agreement_document(request: HttpRequest, project: str, agreement: str) -> HttpResponseBase:
    """The signed copy, out of the document volume; the warden judges and records the reading."""
    who = acting.person(request)
    found = _agreement(acting.project_or_404(who, project), agreement)
    if not found.document:
        raise Http404("no signed copy is lodged")
    content = acting.warden().document(found.document["sha256"], who.access_token())
    response = HttpResponse(content, "application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, str(found.document["name"])) or "attachment"
    return response


@acting.signed_in
def dataset_withdraw(request: HttpRequest, project: str, dataset: str) -> HttpResponseBase:
    """Withdraw a dataset: its deposits and environments end by their keys (P52)."""
    who = acting.person(request)
    state = acting.project_or_404(who, project)
    found = state.datasets.get(dataset)
    if found is None:
        raise Http404("no such dataset")
    form = WithdrawForm(request.POST or None)
    done = reverse("project", args=[project])
    if request.method == "POST" and form.is_valid():
        act = Act("dataset.withdraw", project, {"dataset": dataset, "reason": form.cleaned_data["reason"]})
        message = f"{found.name} is withdrawn. What used it is being destroyed."
        return acting.submit(request, act, done=done, message=message)
    ending = [
        item
        for item in state.environments.values()
        if item.state != "destroyed" and dataset in state.work_packages[item.work_package].datasets
    ]
    context = {"project": state, "dataset": found, "form": form, "ending": ending, "back": done}
    return render(request, "datasets/withdraw.html", context)


@acting.signed_in
def work_package_new(request: HttpRequest, project: str) -> HttpResponseBase:
    """Describe a work package: datasets with the analysis, outputs and tools planned."""
    state = acting.project_or_404(acting.person(request), project)
    form = WorkPackageForm(request.POST or None, state=state)
    if request.method == "POST" and form.is_valid():
        cleaned = form.cleaned_data
        ident = form.named_id(cleaned["name"], "package")
        body = {name: cleaned[name] for name in ("name", "datasets", "analysis", "outputs", "tools")}
        done = reverse("project", args=[project])
        message = f"{cleaned['name']} is described."
        return acting.submit(
            request, Act("workpackage.create", project, {"id": ident, **body}), done=done, message=message
        )
    context = {"project": state, "form": form, "back": reverse("project", args=[project])}
    return render(request, "datasets/work_package.html", context)


PLACE = "projects/<slug:project>/agreements/<slug:agreement>"
urlpatterns = [
    path("projects/<slug:project>/datasets/new", dataset_new, name="dataset_new"),
    path("projects/<slug:project>/datasets/<slug:dataset>/agreement", agreement_new, name="agreement_new"),
    path("projects/<slug:project>/datasets/<slug:dataset>/withdraw", dataset_withdraw, name="dataset_withdraw"),
    path(PLACE, agreement, name="agreement"),
    path(f"{PLACE}/text", agreement_file, name="agreement_text"),
    path(f"{PLACE}/signed", agreement_document, name="agreement_document"),
    path("projects/<slug:project>/work-packages/new", work_package_new, name="work_package_new"),
]
