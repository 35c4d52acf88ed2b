"""What a thief of the host's disks finds: no token, no secret of anybody signed in, nothing of the data or the work."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.domain.acts import Act
from strongroom.operate.demo.cast import CAST_FILE
from strongroom.operate.demo.desktop import enter
from strongroom.operate.demo.person import Person
from strongroom.platforms.podman.driver import PodmanPlatform
from tests.attacks import residue
from tests.attacks.attacker import ALIVE, Attacker, eventually, fresh_id
from tests.attacks.conftest import Who
from tests.installation import Installation
from tests.proves import proves

pytestmark = pytest.mark.real
WHERE_CONTAINERS_WRITE = (Path("/var/lib/containers"), Path("/run/containers"), Path("/var/lib/cni"))
WHERE_THE_HOST_WRITES = (Path("/var/log"), Path("/run/log"), Path("/var/tmp"), Path("/var/spool"), Path("/var/crash"))


# Secrets ------------------------------------------------------------------------------------------------------------
def held_by_web(attacker: Attacker, cookie: str) -> dict[str, Any]:
    """The tokens that the web app keeps for a browser, opened with that browser's cookie as the app does."""
    name = hashlib.sha256(b"strongroom session id\0" + cookie.encode()).hexdigest()
    key = hashlib.sha256(b"strongroom session key\0" + cookie.encode()).digest()
    with attacker.database() as db:
        sealed = bytes(db.execute("SELECT tokens FROM records_session WHERE id = ?", (name,)).fetchone()[0])
    opened: dict[str, Any] = json.loads(AESGCM(key).decrypt(sealed[:12], sealed[12:], f"{name} tokens".encode()))
    return opened


def secrets_of(person: Person, attacker: Attacker) -> dict[str, bytes]:
    """Everything that would let somebody act as this person now: cookies, tokens, password, second factor."""
    cookies = {cookie.name: cookie.value or "" for cookie in person.client.cookies.jar}
    app = next(name for name in cookies if name.startswith("__Host-strongroom") and "csrf" not in name)
    tokens = {name: value for name, value in held_by_web(attacker, cookies[app]).items() if name.endswith("token")}
    loot = attacker.steal(person)
    tokens |= {"stolen access": loot.access_token, "stolen refresh": loot.refresh_token, "stolen ID": loot.id_token}
    whole = {**cookies, **tokens, "password": person.password, "second factor": person.totp_secret}
    assert {"access_token", "refresh_token"} <= set(whole)
    return {f"{person.name}: {name}": value.encode() for name, value in whole.items() if len(value) >= 12}


def deposit_token(attacker: Attacker, who: Who) -> bytes:
    """A token for a deposit that has just been opened, not used yet; the window closes by itself soon."""
    deposit, ends = fresh_id("deposit"), datetime.now(UTC) + timedelta(seconds=90)
    body = {"id": deposit, "dataset": "pupils", "environment": attacker.assessment.id, "size_mb": 1}
    body |= {"networks": ["127.0.0.0/8"], "expires": ends.isoformat(timespec="seconds")}
    opened = attacker.order(Act("deposit.open", ALIVE, body), attacker.access(who("manager")))
    assert opened.done, opened.reason
    eventually(lambda: attacker.project().deposits[deposit].state == "waiting", 60)
    page = who("representative").submit(f"/projects/{ALIVE}/deposits/{deposit}", action="/token")
    return page.text.split("--token", 1)[1].split()[0].strip("'\"").encode()


@proves("P97", "P129")
def test_a_dump_of_databases_and_disk_holds_no_usable_secret(attacker: Attacker, who: Who, whole: Installation) -> None:
    researcher = who("researcher")
    page = researcher.open(f"/projects/{ALIVE}/environments/{attacker.laboratory.id}")
    entry = enter(researcher.client, researcher.submit(page, action="/desktop"))
    wanted = {"entry": entry.split("=", 1)[1].encode(), "deposit token": deposit_token(attacker, who)}
    for key in ("researcher", "manager"):
        wanted |= secrets_of(who(key), attacker)
    state = whole.layout.state
    files = [path for path in residue.files_below(state) if path.name != "image" and path.name != CAST_FILE]
    assert {"web.sqlite3", "identity.sqlite3", "warden.sqlite3", "web.log"} <= {path.name for path in files}
    control = {"somebody's id": researcher.sub.encode()}
    assert residue.found(files, control), "a search that finds nothing proves nothing"
    assert residue.found(files, wanted) == {}
    planted = state / "web" / "planted"
    try:
        planted.write_bytes(b"x" * 5000 + wanted["deposit token"])
        assert residue.found([planted], wanted) == {"deposit token": [str(planted)]}
    finally:
        planted.unlink()


@proves("P129")
def test_what_the_web_app_keeps_opens_only_with_the_browsers_own_cookie(attacker: Attacker, who: Who) -> None:
    person = who("researcher")
    cookies = {cookie.name: cookie.value or "" for cookie in person.client.cookies.jar}
    cookie = next(
        value for name, value in cookies.items() if name.startswith("__Host-strongroom") and "csrf" not in name
    )
    assert held_by_web(attacker, cookie)["access_token"].count(".") == 2
    name = hashlib.sha256(b"strongroom session id\0" + cookie.encode()).hexdigest()
    with attacker.database() as db:
        sealed = bytes(db.execute("SELECT tokens FROM records_session WHERE id = ?", (name,)).fetchone()[0])
    secret = (attacker.layout.state_of("web") / "secret.key").read_text()
    for guess in (name, secret, attacker._client()[1], ""):
        key = hashlib.sha256(b"strongroom session key\0" + guess.encode()).digest()
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(sealed[:12], sealed[12:], f"{name} tokens".encode())


# Canaries -----------------------------------------------------------------------------------------------------------
def canaries() -> dict[str, str]:
    """A unique word for each place it is put; all begin alike."""
    places = ("work", "scratch", "output", "home", "name", "stdout", "stderr", "crash", "tmp")
    stem = f"canary{secrets.token_hex(12)}"
    return {"stem": stem, **{place: f"{stem}{place}" for place in places}}


def release_birds(platform: PodmanPlatform, environment: str, birds: Mapping[str, str]) -> bytes:
    """Write each canary where its name says; what was printed comes back to the researcher alone."""
    script = f"""
        echo {birds["work"]} > /work/notes.txt; echo {birds["scratch"]} > /scratch/notes.txt
        echo {birds["output"]} > /output/notes.txt; echo {birds["home"]} > ~/notes.txt; echo {birds["tmp"]} > /tmp/notes.txt
        touch /work/{birds["name"]}; echo {birds["stdout"]}; echo {birds["stderr"]} >&2
        python3 -c 'import os; x = "{birds["crash"]}" * 1000; os.abort()'
        sync
    """
    done = platform.run_script(environment, ["sh", "-c", script])
    return done.stdout + done.stderr


def journal(since: float) -> bytes:
    """What the host's journal took since a moment; nothing where there is no journal."""
    command = ["journalctl", "--no-pager", "--output=export", f"--since=@{int(since)}"]
    try:
        return subprocess.run(command, capture_output=True, check=False).stdout
    except FileNotFoundError:
        return b""


@proves("P105", "P140", "satre:2.8.01")
def test_canaries_of_a_suspended_environment_are_nowhere_on_the_host(
    attacker: Attacker, who: Who, whole: Installation
) -> None:
    platform, environment = PodmanPlatform(whole.layout), attacker.laboratory.id
    birds, began = canaries(), time.time() - 2
    at = f"/projects/{ALIVE}/environments/{environment}"
    printed = release_birds(platform, environment, birds)
    assert birds["stdout"].encode() in printed
    inside = whole.layout.mounts / f"{environment}-work"
    assert residue.found(residue.files_below(inside), {"work": birds["work"].encode()}), "unlocked, it is readable"
    who("manager").submit(at, do="suspend", reason="Looking for residue.")
    try:
        eventually(lambda: attacker.project().environments[environment].state == "suspended", 60)
        os.sync()
        searched = list(residue.files_below(whole.layout.state))
        assert len([path for path in searched if path.name == "image"]) >= 6
        searched += [path for root in WHERE_CONTAINERS_WRITE for path in residue.files_below(root, began)]
        searched += [path for root in WHERE_THE_HOST_WRITES for path in residue.files_below(root, began)]
        wanted = {"any": birds["stem"].encode(), "any, wide": birds["stem"].encode("utf-16-le")}
        assert residue.found(searched, wanted) == {}
        written = journal(began)
        assert not [name for name, word in wanted.items() if word in written]
    finally:
        who("system").submit(at, do="resume", reason="Looked.")
        eventually(lambda: attacker.project().environments[environment].state == "running", 60)
        eventually(lambda: platform.run_script(environment, ["true"]).code == 0, 60, "it was not thawed")
    clear = (
        f"rm -f /work/{birds['name']} /work/notes.txt /scratch/notes.txt /output/notes.txt ~/notes.txt /tmp/notes.txt"
    )
    platform.run_script(environment, ["sh", "-c", clear])


@proves("P105", "satre:2.8.01")
def test_the_data_itself_is_nowhere_on_the_host_in_the_clear(attacker: Attacker, whole: Installation) -> None:
    """Lines of the deposited file, as it lies in the environment, against every volume image and database."""
    platform = PodmanPlatform(whole.layout)
    done = platform.run_script(attacker.laboratory.id, ["sh", "-c", "cat /data/pupils/*.csv"])
    assert done.code == 0, done.stderr
    text = done.stdout
    piece = text[len(text) // 2 : len(text) // 2 + 400]
    assert piece.count(b"\n") > 5
    demonstration = whole.layout.state_of("warden") / "demo"
    files = [path for path in residue.files_below(whole.layout.state) if demonstration not in path.parents]
    assert residue.found(files, {"a piece of the data": piece}) == {}


@proves("P20", "P105", "P106", "satre:1.4.04", "satre:3.1.10")
def test_of_the_destroyed_project_no_key_and_no_volume_is_left(attacker: Attacker, whole: Installation) -> None:
    ended = attacker.project("chemistry-1997")
    assert ended.certificate
    for volume in ended.certificate["volumes"]:
        left = [path.name for path in (whole.layout.volumes / volume["id"]).iterdir()]
        assert left == ["volume.json"], volume["id"]
        assert not (whole.layout.mounts / volume["id"]).exists(), volume["id"]


@proves("P129")
def test_no_database_names_a_secret_in_a_column(whole: Installation) -> None:
    """Every table of the three databases, read as a thief reads it: nothing that looks like a token."""
    for part in ("web", "identity", "warden"):
        path = whole.layout.state_of(part) / f"{part}.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            assert tables
            for table in tables:
                for row in db.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 (names of our own tables)
                    text = " ".join(value for value in row if isinstance(value, str))
                    assert "eyJhbGciOi" not in text, f"{part}.{table} holds a token"
