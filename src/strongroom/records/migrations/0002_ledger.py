"""Tables of the app's ledger, as the ledger itself describes them."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from strongroom.ledger import store


def make(apps: Any, editor: Any) -> None:
    for statement in store.schema():
        editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("records", "0001_initial")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
