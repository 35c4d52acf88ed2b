"""Exporting both logs of an installation as files that an outsider can verify with nothing else."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import ledger
from strongroom.layout import Layout
from strongroom.operate import foreign
from strongroom.operate.control import ControlFailed

APP_KEY = "app-ledger.pub"
CHECKPOINT_SECONDS = 5.0


def _warden_key_line(layout: Layout) -> str:
    raw = (layout.state_of("warden") / "keys" / "warden.ed25519").read_bytes()
    return ledger.key_line("warden", Ed25519PrivateKey.from_private_bytes(raw).public_key())


def _app_key_line(layout: Layout) -> str:
    path = layout.state_of("web") / APP_KEY
    # The folder is not root's: a link planted there must not make root read something else.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor) as file:
        return file.read(1000).strip()


def _await_checkpoint(database: Path) -> None:
    """Wait until all that stands in a log now is signed, a few seconds at most: a running sequencer signs each second."""
    with foreign.database(database) as connection:
        size = ledger.size(connection.execute)
        ends = time.monotonic() + CHECKPOINT_SECONDS
        while time.monotonic() < ends:
            newest = ledger.latest(connection.execute)
            if newest is not None and newest[0] >= size:
                return
            time.sleep(0.1)


def _export_one(database: Path, key_line: str, path: Path) -> ledger.Exported:
    with foreign.database(database) as connection:
        connection.execute("BEGIN")
        if ledger.size(connection.execute) == 0:
            raise ValueError("nothing has been recorded in it")
        return ledger.export(connection.execute, path, ledger.read_key_line(key_line)[1])


def export(layout: Layout, folder: Path) -> list[str]:
    """Write ``warden.jsonl``, ``app.jsonl`` and their key lines into a new or empty folder; says what was written.

    Raises ControlFailed when something is missing or in the way; then nothing of it is left in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ControlFailed(f"{folder} is not empty: an export is written into a folder of its own")
    # The app's log cites the warden's: the warden's is exported after it, and up to a checkpoint made after it.
    sources = {
        "app": (layout.state_of("web") / "web.sqlite3", _app_key_line),
        "warden": (layout.state_of("warden") / "warden.sqlite3", _warden_key_line),
    }
    said = []
    for name, (database, key_line) in sources.items():
        path = folder / f"{name}.jsonl"
        try:
            line = key_line(layout)
            if name == "warden":
                _await_checkpoint(database)
            done = _export_one(database, line, path)
        except (OSError, sqlite3.Error, ValueError) as problem:
            for written in folder.iterdir():
                written.unlink()
            raise ControlFailed(
                f"the {name} log cannot be exported yet: {problem}. It needs ./strongroom up, one thing done by "
                "somebody, and a second for the signed checkpoint of it."
            ) from problem
        path.with_suffix(".key").write_text(line + "\n")
        said.append(f"{path}: {done.entries} entries ({done.left_out} newer ones wait for a checkpoint)")
    for written in folder.iterdir():
        written.chmod(0o644)
    return [*said, f"Verify it anywhere: ./strongroom audit verify {folder}"]
