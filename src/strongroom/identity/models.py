"""People of the directory, their one-time enrolment links, and the memory of tokens that were used up."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

GROUPS = ("programme-managers", "system-managers", "auditors")


def check_groups(value: Any) -> None:
    """Refuse anything but a list of directory groups."""
    if not isinstance(value, list) or any(group not in GROUPS for group in value):
        raise ValidationError(f"groups must be a list out of: {', '.join(GROUPS)}")


class PersonManager(BaseUserManager["Person"]):
    """Finds people by email, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> Person:
        return self.get(email__iexact=username)


class Person(AbstractBaseUser):
    """One person of the directory; the key is the ``sub`` of every token and never used again for someone else."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200)
    groups = models.JSONField(default=list, validators=[check_groups])
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects: ClassVar[PersonManager] = PersonManager()

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    def get_full_name(self) -> str:
        """The name as shown and as put into tokens."""
        return self.name


class EnrolmentLink(models.Model):
    """A link with which its person chooses a password and a second factor, once; only its hash is kept."""

    hash = models.CharField(max_length=64, primary_key=True)
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class Spent(models.Model):
    """Hash of an authorization code or refresh token already used: a second use ends the whole grant."""

    hash = models.CharField(max_length=64, primary_key=True)
    grant = models.CharField(max_length=32)
    at = models.DateTimeField(default=timezone.now, db_index=True)
