"""Forms in GOV.UK patterns: every field has a label, a hint where it helps, and an error that says how to mend it."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting

from strongroom.domain.acts import ID

LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_CLASSES: tuple[tuple[type[forms.Widget], str], ...] = (
    (forms.Textarea, "govuk-textarea"),
    (forms.CheckboxInput, "govuk-checkboxes__input"),
    (forms.CheckboxSelectMultiple, "govuk-checkboxes__input"),
    (forms.RadioSelect, "govuk-radios__input"),
    (forms.Select, "govuk-select"),
    (forms.FileInput, "govuk-file-upload"),
    (forms.widgets.Input, "govuk-input"),
)


class Renderer(TemplatesSetting):
    """Renders fields with our templates in ``govuk/``."""

    form_template_name = "govuk/form.html"
    field_template_name = "govuk/field.html"


def shape_of(widget: forms.Widget) -> str:
    """Which part of the field template draws a widget."""
    if isinstance(widget, forms.CheckboxSelectMultiple):
        return "checkboxes"
    if isinstance(widget, forms.RadioSelect):
        return "radios"
    return "checkbox" if isinstance(widget, forms.CheckboxInput) else "single"


class ActForm(forms.Form):
    """Base of every form that leads to an act. ``key`` lets the same form be sent twice without acting twice."""

    key = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = secrets.token_urlsafe(16)
        for name, field in self.fields.items():
            for kind, classes in _CLASSES:
                if isinstance(field.widget, kind) and not field.widget.is_hidden:
                    field.widget.attrs.setdefault("class", classes)
                    break
            field.widget.use_required_attribute = lambda initial: False
            if isinstance(field.widget, forms.Textarea):
                field.widget.attrs["rows"] = str(field.widget.attrs.get("data-rows", "4"))
            if field.required:
                chosen = isinstance(field, forms.ChoiceField | forms.FileField)
                words = f"{'Choose' if chosen else 'Enter'}: {field.label or name.replace('_', ' ')}"
                # A field that brings words of its own keeps them.
                if field.error_messages["required"] == forms.Field.default_error_messages["required"]:
                    field.error_messages["required"] = words

    def fresh_id(self, prefix: str) -> str:
        """An id that the same form gives again when it is sent twice."""
        seed = self.data.get(self.add_prefix("key"), "") or secrets.token_urlsafe(16)
        return f"{prefix}-{_letters(hashlib.sha256(f'{prefix} {seed}'.encode()).digest())}"

    def named_id(self, name: str, prefix: str) -> str:
        """An id made from a name, or a fresh one when the name has nothing to make it from."""
        found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
        return found if ID.fullmatch(found) else self.fresh_id(prefix)


def _letters(raw: bytes) -> str:
    return "".join(LETTERS[byte % len(LETTERS)] for byte in raw[:6])


def new_id(prefix: str) -> str:
    """A fresh id such as ``deposit-k3x9q2`` that fits the record's rule for ids."""
    return f"{prefix}-{_letters(secrets.token_bytes(6))}"
