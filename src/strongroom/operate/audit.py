"""Exporting both logs of an installation as files that an outsider can verify with nothing else."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import ledger
from strongroom.layout import Layout
from strongroom.operate.control import ControlFailed

APP_KEY = "app-ledger.pub"


def _warden_key_line(layout: Layout) -> str:
    raw = (layout.state_of("warden") / "keys" / "warden.ed25519").read_bytes()
    return ledger.key_line("warden", Ed25519PrivateKey.from_private_bytes(raw).public_key())


def _app_key_line(layout: Layout) -> str:
    for part in ("worker", "web"):
        path = layout.state_of(part) / APP_KEY
        # The folder is not root's: a link planted there must not make root read something else.
        if path.is_file() and not path.is_symlink():
            return path.read_text().strip()
    raise FileNotFoundError(APP_KEY)


def export(layout: Layout, folder: Path) -> Iterator[str]:
    """Write ``warden.jsonl``, ``app.jsonl`` and their key lines into a new or empty folder; yields what was written.

    Raises ControlFailed when something is missing or in the way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ControlFailed(f"{folder} is not empty: an export is written into a folder of its own")
    sources = {
        "warden": (layout.state_of("warden") / "warden.sqlite3", _warden_key_line),
        "app": (layout.state_of("web") / "web.sqlite3", _app_key_line),
    }
    for name, (database, key_line) in sources.items():
        try:
            line = key_line(layout)
            connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
            try:
                connection.execute("BEGIN")
                done = ledger.export(connection.execute, folder / f"{name}.jsonl", ledger.read_key_line(line)[1])
            finally:
                connection.close()
        except (OSError, sqlite3.Error, ValueError) as problem:
            raise ControlFailed(
                f"the {name} log cannot be exported yet ({problem}). Start the installation with ./strongroom up, "
                "wait a few seconds for its first signed checkpoint, and export again."
            ) from problem
        (folder / f"{name}.key").write_text(line + "\n")
        yield f"{folder / name}.jsonl: {done.entries} entries ({done.left_out} newer ones wait for a checkpoint)"
    for path in folder.iterdir():
        os.chmod(path, 0o644)
    yield f"Verify it anywhere: ./strongroom audit verify {folder}"
