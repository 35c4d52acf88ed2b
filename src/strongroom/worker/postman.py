"""Writes each message of the records into a maildir, once; where there is SMTP, another program sends from there."""

from __future__ import annotations

import mailbox
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from django.db import transaction

from strongroom.records import reading
from strongroom.records.guard import writing
from strongroom.records.models import Mail
from strongroom.usecases.clock import now

SENDER = "Strongroom <strongroom@localhost>"


def message_of(letter: Mail, address: str, name: str) -> EmailMessage:
    """The letter as mail. Line breaks cannot enter a header: the policy refuses them."""
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = f"{_plain(name)} <{_plain(address)}>" if address else "undisclosed-recipients:;"
    message["Subject"] = " ".join(letter.subject.split())
    message["Date"] = format_datetime(now())
    message["Message-ID"] = f"<{letter.pk}.strongroom@localhost>"
    message.set_content(letter.text)
    return message


def _plain(text: str) -> str:
    return "".join(mark for mark in text if mark.isprintable() and mark not in '<>",;:\\()[]').strip()


class Postman:
    """Delivers into one maildir."""

    def __init__(self, folder: Path) -> None:
        self.box = mailbox.Maildir(folder, create=True)

    def deliver(self) -> int:
        """Write what is not written yet. The mark follows the file, so a kill between them writes a letter twice, never none."""
        waiting = list(Mail.objects.filter(written=False).order_by("id")[:100])
        for letter in waiting:
            person = reading.person(letter.to)
            self.box.add(message_of(letter, person.email if person else "", person.name if person else letter.to))
            with writing(), transaction.atomic():
                Mail.objects.filter(pk=letter.pk).update(written=True)
        return len(waiting)
