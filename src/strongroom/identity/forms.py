"""Forms of the identity provider's pages."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.internal.flows import check_rate_limit
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError

from strongroom.identity import secondfactor
from strongroom.identity.models import Person
from strongroom.identity.totp import DIGITS


def only_digits(code: str) -> str:
    """The code without the spaces people type. Raises ValidationError."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        raise ValidationError(f"The code has {DIGITS} digits, like 012345", code="malformed")
    return digits


class CodeForm(AuthenticateForm):  # type: ignore[misc]
    """The one-time code at sign-in; each code counts once."""

    def clean_code(self) -> str:
        code = only_digits(self.cleaned_data["code"])
        clear_limit = check_rate_limit(self.user)
        verdict, factor = secondfactor.accept(self.user, code)
        if verdict is secondfactor.Verdict.USED:
            raise get_adapter().validation_error("used_code")
        if factor is None:
            raise get_adapter().validation_error("incorrect_code")
        self.authenticator = factor
        clear_limit()
        return code


class FactorForm(forms.Form):
    """Set up a second factor: the secret on the page, sealed to this person, and a code that proves the app has it."""

    sealed = forms.CharField(widget=forms.HiddenInput)
    code = forms.CharField(
        label="Code from the app",
        error_messages={"required": "Enter the 6 digits your authenticator app shows"},
    )

    def __init__(self, person: Person, data: Any = None) -> None:
        super().__init__(data)
        self.person = person
        self.salt = f"identity.factor.{person.pk}"
        self.secret = self._posted_secret() or secondfactor.new_secret()
        self.sealed_secret = signing.dumps(self.secret, salt=self.salt)
        if self.is_bound:
            self.data = {**{key: data.get(key) for key in data}, "sealed": self.sealed_secret}

    def _posted_secret(self) -> str | None:
        try:
            return str(signing.loads(self.data.get("sealed", ""), salt=self.salt, max_age=3600))
        except signing.BadSignature:
            return None

    def clean_code(self) -> str:
        return only_digits(self.cleaned_data["code"])

    def wrong_code(self) -> None:
        """Say that the code did not fit the secret."""
        self.add_error("code", get_adapter().validation_error("incorrect_code"))


class EnrolForm(FactorForm):
    """A new account: choose a password and set up the second factor."""

    field_order = ("password", "repeated", "code", "sealed")
    password = forms.CharField(
        label="New password", strip=False, error_messages={"required": "Choose a password of at least 12 characters"}
    )
    repeated = forms.CharField(
        label="New password again", strip=False, error_messages={"required": "Enter the same password again"}
    )

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        validate_password(password, self.person)
        return password

    def clean_repeated(self) -> str:
        repeated = str(self.cleaned_data["repeated"])
        if self.cleaned_data.get("password", repeated) != repeated:
            raise ValidationError("The two passwords differ. Enter the same one twice", code="differ")
        return repeated
