"""Root looks into a database that two users write, and neither of them ever notices."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.operate import foreign

pytestmark = pytest.mark.real

OWNER, MEMBER = 61_001, 61_002
SECONDS = 6.0
# Opens, writes and closes again and again, as web and worker do for each request and each round.
WRITER = """
import sqlite3, sys, time
ends, done = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < ends:
    db = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL").fetchall()
    for words in ("BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)", "COMMIT"):
        db.execute(words)
    db.close()
    done += 1
    time.sleep(0.002)
print(done)
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A database of one user that another may write by its group, in a folder that both can reach."""
    folder = Path(tempfile.mkdtemp(prefix="strongroom-foreign-", dir="/var/tmp"))
    os.chown(folder, OWNER, OWNER)
    folder.chmod(0o2770)
    path = folder / "web.sqlite3"
    path.touch()
    os.chown(path, OWNER, OWNER)
    path.chmod(0o660)
    made = sqlite3.connect(path)
    made.execute("PRAGMA journal_mode=WAL")
    made.execute("CREATE TABLE t (x)")
    made.close()
    yield path
    shutil.rmtree(folder)


def test_a_look_from_outside_makes_nothing_read_only(shared: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-I", "-c", WRITER, str(shared), str(SECONDS)],
            user=user, group=user, extra_groups=[OWNER], umask=umask, cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for user, umask in ((OWNER, 0), (MEMBER, 0o007))
    ]  # fmt: skip
    ends, looks = time.monotonic() + SECONDS, 0
    while time.monotonic() < ends:
        with foreign.database(shared) as db:
            looks += db.execute("SELECT COUNT(*) FROM t").fetchone()[0] >= 0
    told = [writer.communicate(timeout=60) for writer in writers]
    assert [errors for _, errors in told] == ["", ""]
    assert min(int(done) for done, _ in told) > 100 and looks > 100
    assert os.geteuid() == 0 and os.getegid() == 0


def test_what_is_not_there_is_an_error_and_the_rights_are_back(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing"), foreign.database(tmp_path / "nothing"):
        pass
    (tmp_path / "broken").write_bytes(b"no database" * 100)
    with pytest.raises(sqlite3.DatabaseError), foreign.database(tmp_path / "broken"):
        pass
    assert os.geteuid() == 0 and os.getegid() == 0
