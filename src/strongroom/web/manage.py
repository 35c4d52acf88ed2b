"""``python -m strongroom.web.manage migrate`` makes or upgrades the tables; other words go to Django."""

from __future__ import annotations

import os
import sys


def main(words: list[str]) -> None:
    """Run one command."""
    os.umask(0o007)
    os.environ["DJANGO_SETTINGS_MODULE"] = "strongroom.settings"
    import django
    from django.core.management import execute_from_command_line

    if words[:1] == ["migrate"]:
        django.setup()
        from strongroom.usecases.installing import migrate

        migrate(*words[1:])
    else:
        execute_from_command_line(["strongroom.web.manage", *words])


if __name__ == "__main__":
    main(sys.argv[1:])
