"""Tables of the records."""

from __future__ import annotations

from django.db import models


class Event(models.Model):
    """Copy of one entry of the warden's record; ``raw`` is the entry's JSON as it came."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.CharField(max_length=40)
    project = models.CharField(max_length=40, blank=True, db_index=True)
    kind = models.CharField(max_length=60)
    actor_id = models.CharField(max_length=100, db_index=True)
    actor_name = models.CharField(max_length=200, blank=True)
    outcome = models.CharField(max_length=20)
    body = models.JSONField()
    raw = models.TextField()

    class Meta:
        ordering = ("seq",)


class Person(models.Model):
    """Somebody who has signed in at least once, as the directory described them then."""

    sub = models.CharField(max_length=100, primary_key=True)
    name = models.CharField(max_length=200)
    email = models.CharField(max_length=254)
    groups = models.JSONField(default=list)
    last_seen = models.CharField(max_length=40)

    class Meta:
        ordering = ("name",)


class Mail(models.Model):
    """One message to one person; ``key`` makes it unique, ``written`` says that it lies in the maildir."""

    key = models.CharField(max_length=150, unique=True)
    to = models.CharField(max_length=100, db_index=True)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    at = models.CharField(max_length=40)
    written = models.BooleanField(default=False)

    class Meta:
        ordering = ("-id",)


class Session(models.Model):
    """A browser's session: two sealed parts that open only with the key in that browser's cookie."""

    id = models.CharField(max_length=64, primary_key=True)
    data = models.BinaryField()
    tokens = models.BinaryField(default=b"")
    tokens_version = models.IntegerField(default=0)
    refresh_until = models.FloatField(default=0)
    expires = models.FloatField(db_index=True)
