"""Forms as people see them: labels, hints, errors that say how to mend them; ids that a second sending gives again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.acts import ID


@pytest.fixture
def sample(migrated: Path) -> Any:
    """A form with each kind of field."""
    from django import forms

    from strongroom.web.forms import ActForm

    class Sample(ActForm):
        name = forms.CharField(label="Name", help_text="As in the register")
        role = forms.ChoiceField(label="Role", widget=forms.RadioSelect, choices=[("a", "First"), ("b", "Second")])
        sets = forms.MultipleChoiceField(
            label="Sets", widget=forms.CheckboxSelectMultiple, choices=[("x", "X <b>")], required=False
        )
        words = forms.CharField(label="Words", widget=forms.Textarea, required=False)
        agree = forms.BooleanField(label="I agree", error_messages={"required": "Tick it"})
        copy = forms.FileField(label="Copy", required=False)

    return Sample


def test_every_field_has_its_label_and_hint(sample: Any) -> None:
    page = str(sample())
    for words in (
        '<label class="govuk-label govuk-label--s" for="id_name">Name</label>',
        'id="id_name_helptext">As in the register',
        'aria-describedby="id_name_helptext"',
        "govuk-radios__input",
        "govuk-checkboxes__input",
        "govuk-textarea",
        "govuk-file-upload",
        '<legend class="govuk-fieldset__legend govuk-fieldset__legend--s">Role</legend>',
    ):
        assert words in page
    assert "X &lt;b&gt;" in page
    assert "required" not in page
    assert page.count('name="key"') == 1


def test_errors_say_how_to_mend_them_and_lead_to_the_field(sample: Any) -> None:
    from django.template.loader import render_to_string

    form = sample({"name": " "})
    assert not form.is_valid()
    assert form.errors["name"] == ["Enter: Name"]
    assert form.errors["role"] == ["Choose: Role"]
    assert form.errors["agree"] == ["Tick it"]
    summary = render_to_string("_errors.html", {"form": form})
    assert '<a href="#id_name">Enter: Name</a>' in summary
    assert "govuk-form-group--error" in str(form)
    assert 'aria-invalid="true"' in str(form)


def test_the_same_form_gives_the_same_ids(sample: Any) -> None:
    one, other = sample({"key": "k1"}), sample({"key": "k2"})
    assert one.fresh_id("deposit") == sample({"key": "k1"}).fresh_id("deposit")
    assert one.fresh_id("deposit") != other.fresh_id("deposit")
    assert sample().fresh_id("deposit") != sample().fresh_id("deposit")


@pytest.mark.parametrize("name", ["Chem 97", "  ÄÖ – 1997 (new)", "数学", "--", "a", "x" * 200, "9 lives", "a-" * 30])
def test_every_name_gives_an_id_the_record_takes(sample: Any, name: str) -> None:
    found = sample({"key": "k"}).named_id(name, "dataset")
    assert ID.fullmatch(found)
