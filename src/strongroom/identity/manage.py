"""Setting up and managing the embedded identity provider: ``python -m strongroom.identity.manage COMMAND``.

Run as root, a command does its work as the instance's identity user when that user exists. ``call`` runs one command in
a process of its own and returns its JSON; the functions work in this process and set Django up in it.
"""

from __future__ import annotations

import argparse
import grp
import json
import os
import pwd
import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from strongroom.identity import keys
from strongroom.identity.totp import totp_code
from strongroom.layout import Layout

__all__ = ["call", "client_file", "main", "prepare", "serve_command", "setup", "totp_code"]

CLIENT_ID = "web"


def client_file(layout: Layout) -> Path:
    """Where the web app reads its ``client_id`` and ``client_secret``."""
    return layout.state_of("identity") / "client-web.json"


def serve_command(layout: Layout, workers: int = 2) -> list[str]:
    """Command line that serves the provider on its socket; run it as the identity user with ``layout.environ()``."""
    bind = f"unix:{layout.identity_socket}"
    options = ["--workers", str(workers), "--umask", "0o007", "--timeout", "30", "--bind", bind, "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", *options, "strongroom.identity.wsgi"]


def call(layout: Layout, *arguments: str, stdin: str = "") -> Any:
    """Run one command for this layout in a process of its own. Raises RuntimeError with its message when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "strongroom.identity.manage", *arguments],
        env={**os.environ, **layout.environ()},
        capture_output=True,
        text=True,
        input=stdin,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def _identity_user(layout: Layout) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(layout.user("identity"))
    except KeyError:
        return None


def prepare(layout: Layout) -> None:
    """Make the state folder: only its owner lists it, everyone may pass through to the web app's client file."""
    folder = layout.state_of("identity")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    user = _identity_user(layout)
    if os.geteuid() == 0 and user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)


def _share_client_file(layout: Layout) -> None:
    """Let the web user's group, and nobody else, read the client secret; only root can hand over the group."""
    try:
        group = grp.getgrgid(pwd.getpwnam(layout.user("web")).pw_gid).gr_gid
    except KeyError:
        return
    os.chown(client_file(layout), -1, group)
    client_file(layout).chmod(0o640)


def _django() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "strongroom.identity.settings"
    import django

    django.setup()


def setup() -> dict[str, Any]:
    """Make keys, database, cache table and the client ``web``; run again, it brings them up to date and keeps secrets."""
    layout = Layout.current()
    os.umask(0o077)
    prepare(layout)
    keys.make(layout.state_of("identity"))
    _django()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
    call_command("createcachetable", verbosity=0)
    (layout.state_of("identity") / "identity.sqlite3").chmod(0o600)
    _save_client(layout)
    return {"issuer": layout.issuer, "client": str(client_file(layout)), "socket": str(layout.identity_socket)}


def _save_client(layout: Layout) -> None:
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.hashers import PBKDF2PasswordHasher
    from django.utils.crypto import get_random_string

    path = client_file(layout)
    if path.exists():
        secret = json.loads(path.read_text())["client_secret"]
    else:
        secret = secrets.token_urlsafe(32)
        keys.write_private(path, json.dumps({"client_id": CLIENT_ID, "client_secret": secret}))
    client = Client.objects.filter(pk=CLIENT_ID).first() or Client(pk=CLIENT_ID)
    client.name = "Strongroom"
    client.type = Client.Type.CONFIDENTIAL
    # The secret has 256 random bits: stretching it would only slow every token request.
    client.secret = PBKDF2PasswordHasher().encode(secret, get_random_string(22), iterations=1)
    client.skip_consent = True
    client.set_scopes(["openid", "profile", "email"])
    client.set_default_scopes(["openid", "profile", "email"])
    client.set_grant_types([Client.GrantType.AUTHORIZATION_CODE, Client.GrantType.REFRESH_TOKEN])
    client.set_response_types([Client.ResponseType.CODE])
    client.set_redirect_uris([f"{layout.app_url}/signed-in", f"{layout.outside_url}/signed-in"])
    client.set_post_logout_redirect_uris([f"{layout.app_url}/", f"{layout.outside_url}/"])
    client.save()


def _directory(command: str, options: dict[str, Any]) -> Any:
    _django()
    from django.db import connection

    # A page may lose its last second to a power cut and be sent again; a command that said "removed" may not.
    connection.cursor().execute("PRAGMA synchronous=FULL")
    from strongroom.identity import people

    functions: dict[str, Callable[..., Any]] = {
        "add-person": people.add_person,
        "add-people": people.add_people,
        "enrolment-link": people.enrolment_link,
        "people": people.people,
        "set-groups": people.set_groups,
        "remove-person": people.remove_person,
        "clean": people.clean,
    }
    return functions[command](**options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="strongroom.identity.manage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="make keys, database and the web app's client")
    add = commands.add_parser("add-person", help="add a person, or change the one with this email")
    add.add_argument("--name", required=True)
    add.add_argument("--password")
    add.add_argument("--totp-secret")
    commands.add_parser("add-people", help="add several: a JSON list of objects with name, email, … on standard input")
    link = commands.add_parser("enrolment-link", help="one-time link to choose password and second factor")
    link.add_argument("--name", help="add this person if the email is new")
    commands.add_parser("people", help="list everyone")
    groups = commands.add_parser("set-groups", help="replace a person's groups")
    remove = commands.add_parser("remove-person", help="remove a person; sessions and refresh tokens end at once")
    commands.add_parser("clean", help="forget what has expired")
    for one in (add, link, groups, remove):
        one.add_argument("--email", required=True)
    for one in (add, link):
        one.add_argument("--group", action="append", dest="groups")
    groups.add_argument("--group", action="append", dest="groups", default=[])
    return parser


def _as_identity_user(layout: Layout, user: pwd.struct_passwd, arguments: Sequence[str]) -> int:
    prepare(layout)
    command = [sys.executable, "-m", "strongroom.identity.manage", *arguments]
    done = subprocess.run(command, user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False)
    if done.returncode == 0 and client_file(layout).exists():
        _share_client_file(layout)
    return done.returncode


def main(arguments: Sequence[str]) -> int:
    """Run one command, print its JSON and return 0; on bad input print what to mend and return 1."""
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    layout = Layout.current()
    user = _identity_user(layout)
    if os.geteuid() == 0 and user is not None:
        return _as_identity_user(layout, user, arguments)
    try:
        if command == "add-people":
            options["cast"] = json.load(sys.stdin)
        result = setup() if command == "setup" else _directory(command, options)
    except (ValueError, LookupError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
