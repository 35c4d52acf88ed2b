"""Tokens, gate and disk state of a receiver, without starting one."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.warden.receiver import tokens
from strongroom.warden.receiver.gate import Gate, networks
from strongroom.warden.receiver.process import seal
from strongroom.warden.receiver.tokens import Grant, TokenRefused
from strongroom.warden.receiver.uploads import INCOMING, Refusal, Uploads
from tests.proves import proves

NOW = datetime(2030, 1, 1, tzinfo=UTC)
GRANT = Grant("d1", tokens.sha256("token"), NOW + timedelta(hours=1))


def status(act: Callable[..., object], *arguments: object) -> int:
    try:
        act(*arguments)
    except (TokenRefused, Refusal) as refused:
        assert str(refused)
        return refused.status
    raise AssertionError("not refused")


@proves("P96")
def test_a_token_opens_once_and_only_in_time() -> None:
    assert status(tokens.exchange, GRANT, "wrong", "s", NOW) == 401
    assert status(tokens.exchange, GRANT, "\ud800", "s", NOW) == 401
    assert status(tokens.exchange, GRANT, "token", "s", GRANT.expires) == 410
    opened = tokens.exchange(GRANT, "token", "s", NOW)
    assert opened.secret_sha256 == tokens.sha256("s") and "s" not in (opened.secret_sha256, opened.token_sha256)
    assert status(tokens.exchange, opened, "token", "s2", NOW) == 410
    again = tokens.reissue(opened, "token2")
    assert status(tokens.exchange, again, "token", "s", NOW) == 401
    assert tokens.exchange(again, "token2", "s3", NOW).secret_sha256 == tokens.sha256("s3")


@proves("P94")
def test_completion_ends_token_and_secret() -> None:
    assert status(tokens.complete, GRANT, "", NOW) == 401
    opened = tokens.exchange(GRANT, "token", "s", NOW)
    assert status(tokens.complete, opened, "wrong", NOW) == 401
    assert status(tokens.complete, opened, "s", GRANT.expires) == 410
    done = tokens.complete(opened, "s", NOW)
    assert done.completed_at == NOW and tokens.complete(done, "s", NOW + timedelta(days=9)) == done
    assert status(tokens.exchange, done, "token", "s", NOW) == 410 and status(tokens.reissue, done, "t") == 410


def test_tokens_are_long_and_differ() -> None:
    assert len({tokens.fresh() for _ in range(100)}) == 100 and len(tokens.fresh()) >= 43


@proves("P104", "P134", "satre:3.2.06")
@pytest.mark.parametrize(
    ("addresses", "admitted"),
    [
        (["10.1.2.3"], True), (["::ffff:10.1.2.3"], True), (["2001:db8::9"], True), (["10.2.0.1"], False), ([], False),
        (["10.1.2.3", "10.1.2.3"], False), (["10.1.2.3, 9.9.9.9"], False), (["nonsense"], False), ([""], False),
    ],
)  # fmt: skip
def test_only_the_agreed_networks(addresses: list[str], admitted: bool) -> None:
    gate = Gate(networks("10.1.0.0/16,2001:db8::/32"), NOW, ("https://page",))
    if admitted:
        gate.admit(addresses, None, NOW - timedelta(seconds=1))
        assert status(gate.admit, addresses, None, NOW) == 410
        assert status(gate.admit, addresses, "https://evil", NOW - timedelta(seconds=1)) == 403
    else:
        assert status(gate.admit, addresses, None, NOW - timedelta(seconds=1)) == 403


def test_only_the_platforms_pages_may_read_answers() -> None:
    gate = Gate((), NOW, ("https://page",))
    assert gate.cross_origin("https://page")["Access-Control-Allow-Origin"] == "https://page"
    assert "Access-Control-Allow-Origin" not in gate.cross_origin("https://evil")
    assert "Access-Control-Allow-Origin" not in gate.cross_origin(None)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/passwd", "..", ".x", "a\\b", "", "a\x00b"])
def test_a_path_in_a_file_name_is_refused(folder: int, name: str) -> None:
    assert status(Uploads(folder, 100).create, name, 1) == 400


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=5000), st.lists(st.integers(0, 1500), max_size=8), st.booleans())
def test_any_cuts_and_restarts_give_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cuts: list[int], checked: bool
) -> None:
    root = tmp_path_factory.mktemp("uploads")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    uploads = Uploads(folder, 10_000)
    upload = uploads.create("f", len(content))
    for cut in [*cuts, len(content)]:
        uploads = Uploads(folder, 10_000)  # as after a crash
        upload = uploads.get(upload.id)
        if upload.finished:
            break
        with (root / INCOMING / f"{upload.id}.part").open("ab") as part:
            part.write(b"never confirmed")
        rest = content[upload.offset :]
        digest = hashlib.sha256(rest).digest() if checked else None
        upload = uploads.append(upload.id, upload.offset, io.BytesIO(rest[:cut]).read, len(rest), digest)
        assert upload.finished or not checked or upload.offset == 0
    os.close(folder)
    assert (root / "f").read_bytes() == content


def test_a_crash_between_last_byte_and_name_is_made_good(folder: int, tmp_path: Path) -> None:
    uploads = Uploads(folder, 100)
    upload = uploads.create("f", 3)
    uploads.append(upload.id, 0, io.BytesIO(b"abc").read, 3, None)
    (tmp_path / "f").rename(tmp_path / INCOMING / f"{upload.id}.part")
    assert Uploads(folder, 100).get(upload.id).finished and (tmp_path / "f").read_bytes() == b"abc"


def test_finished_files_are_never_touched_again(folder: int, tmp_path: Path) -> None:
    uploads = Uploads(folder, 100)
    upload = uploads.create("f", 3)
    assert uploads.create("f", 3) == upload  # begun twice: the same upload
    assert status(uploads.create, "f", 4) == 409
    assert status(uploads.append, upload.id, 1, io.BytesIO(b"x").read, 1, None) == 409
    assert status(uploads.append, upload.id, 0, io.BytesIO(b"abcd").read, 4, None) == 413
    assert status(uploads.append, upload.id, 0, io.BytesIO(b"abc").read, 3, bytes(32)) == 460
    assert uploads.get(upload.id).offset == 0 and status(uploads.complete) == 409
    uploads.append(upload.id, 0, io.BytesIO(b"abc").read, 3, None)
    assert status(uploads.create, "f", 3) == 409
    assert status(uploads.append, upload.id, 3, io.BytesIO(b"").read, 0, None) == 410
    assert status(uploads.terminate, upload.id) == 410
    assert (tmp_path / "f").read_bytes() == b"abc"
    (tmp_path / "stranger").touch()
    assert status(uploads.create, "stranger", 1) == 409


def test_the_sum_of_files_is_limited_and_cancelled_ones_make_room(folder: int) -> None:
    uploads = Uploads(folder, 100)
    assert status(uploads.create, "big", 101) == 413
    upload = uploads.create("a", 60)
    assert status(uploads.create, "b", 41) == 413
    uploads.terminate(upload.id)
    assert status(uploads.get, upload.id) == 404
    assert uploads.create("b", 100).length == 100


def test_completion_is_remembered_and_needs_files(folder: int) -> None:
    uploads = Uploads(folder, 100)
    assert status(uploads.complete) == 409
    assert uploads.create("empty", 0).finished
    uploads.complete()
    assert Uploads(folder, 100).completed


@proves("P94")
@pytest.mark.real
def test_sealing_takes_files_out_of_reach(folder: int, tmp_path: Path) -> None:
    Uploads(folder, 100).create("a", 0)
    os.chown(tmp_path / "a", 12345, 12345)
    seal(tmp_path, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_mode & 0o777) == (0, 0o444)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic"):
        seal(tmp_path, 0)
