"""Looking into a database of another user of the platform while that user works with it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a database whose helper files belong to its owner. Raises OSError, sqlite3.Error.

    Root that opens a database in WAL mode makes its helper files when nobody has it open, and gives them away a moment
    later; whoever opens it in that moment finds "a readonly database". So it is opened with the owner's rights.
    """
    owner = path.stat()
    with _rights_of(owner.st_uid, owner.st_gid):
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            # The helper files are made at the first reading, not at the opening.
            connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def _rights_of(uid: int, gid: int) -> Iterator[None]:
    """Act with a user's rights for a while, where this process is root."""
    if os.geteuid() != 0:
        yield
        return
    group, umask = os.getegid(), os.umask(0o007)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.umask(umask)
