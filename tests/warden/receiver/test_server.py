"""A running receiver: what it takes, what it refuses and with which words, and what it cannot do."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import threading
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from strongroom.warden.receiver import process
from tests.deposit.conftest import MIB, NOBODY, Station
from tests.proves import proves

pytestmark = pytest.mark.real
PATCH = {"Content-Type": "application/offset+octet-stream"}


def begin(client: httpx.Client, name: str, length: int) -> httpx.Response:
    named = f"filename {base64.b64encode(name.encode()).decode()}"
    return client.post("/files", headers={"Upload-Length": str(length), "Upload-Metadata": named})


def patch(client: httpx.Client, location: str, offset: int, body: bytes, **headers: str) -> httpx.Response:
    return client.patch(location, content=body, headers={**PATCH, "Upload-Offset": str(offset), **headers})


def checksum(body: bytes) -> dict[str, str]:
    return {"Upload-Checksum": f"sha256 {base64.b64encode(hashlib.sha256(body).digest()).decode()}"}


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.json()["message"]


def test_tus_from_discovery_to_completion(station: Station) -> None:
    with station.client() as anyone:
        known = anyone.options("/files").headers
    assert (known["Tus-Version"], known["Tus-Extension"]) == ("1.0.0", "creation,checksum,termination")
    assert known["Tus-Max-Size"] == str(station.limit) and known["Tus-Checksum-Algorithm"] == "sha256"
    with station.opened() as client:
        location = begin(client, "f.bin", 6).headers["Location"]
        assert patch(client, location, 0, b"abc", **checksum(b"abc")).headers["Upload-Offset"] == "3"
        head = client.head(location)
        assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("3", "6")
        assert patch(client, location, 3, b"def").status_code == 204
        assert client.head(location).headers["Upload-Offset"] == "6"
        dropped = begin(client, "mistake", 5).headers["Location"]
        refused(client.post("/complete"), 409, "mistake is not all here")
        assert client.delete(dropped).status_code == 204
        refused(client.patch(dropped, headers=PATCH), 404, "no such upload")
        receipt = client.post("/complete").json()["receipt"]
    assert [file["name"] for file in receipt["files"]] == ["f.bin"]
    assert (station.folder / "f.bin").read_bytes() == b"abcdef"


@proves("P90", "P96", "satre:3.1.04")
def test_only_the_secret_writes_and_nobody_reads(station: Station) -> None:
    with station.client() as anyone, station.client(Authorization="Bearer wrong") as wrong:
        for client in (anyone, wrong):
            refused(begin(client, "f", 1), 401, "open it with your token")
            refused(client.post("/complete"), 401, "token")
        assert begin(anyone, "f", 1).headers["WWW-Authenticate"] == "Bearer"
        refused(anyone.post("/open", json={"token": "x"}), 401, "not the token")
        refused(anyone.post("/open", content=b"{"), 400, "JSON object")
        refused(anyone.post("/open", json={}), 400, "token")
    with station.opened() as client:
        location = begin(client, "f", 3).headers["Location"]
        patch(client, location, 0, b"abc")
        for path in ("/", "/files", location, "/f", "/files/../f"):
            for method in ("GET", "PUT"):
                refused(client.request(method, path), 405, "gives nothing back")
            assert client.head(path).content == b""
    with station.client() as late:
        refused(late.post("/open", json={"token": station.token}), 410, "used already")


@proves("P104", "P134", "satre:3.2.06")
def test_address_window_and_page(station: Station) -> None:
    with station.client("10.0.0.1") as far:
        refused(far.post("/open", json={"token": station.token}), 403, "not taken from your network")
    path = os.fspath(station.socket_path)
    with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://d1") as direct:
        refused(direct.options("/"), 403, "network")
    page = station.layout.outside_url
    with station.client(Origin=page) as client:
        answer = client.options("/files", headers={"Access-Control-Request-Method": "PATCH"})
        assert answer.status_code == 204 and answer.headers["Access-Control-Allow-Origin"] == page
        assert "Upload-Checksum" in answer.headers["Access-Control-Allow-Headers"]
        assert "Location" in answer.headers["Access-Control-Expose-Headers"]
        refusal = begin(client, "f", 1)
        assert refusal.status_code == 401 and refusal.headers["Access-Control-Allow-Origin"] == page
    with station.client(Origin="https://evil.example") as client:
        answer = client.options("/files")
        refused(answer, 403, "page")
        assert "Access-Control-Allow-Origin" not in answer.headers
    late = station.again(window=timedelta(seconds=-1))
    try:
        late.start()
        with late.client() as client:
            refused(client.post("/open", json={"token": late.token}), 410, "the time for this deposit is over")
    finally:
        late.close()


def test_every_bad_request_is_refused_with_its_own_code(station: Station) -> None:
    with station.opened() as client:
        refused(begin(client, "../etc/passwd", 1), 400, "path")
        refused(begin(client, "f", station.limit + 1), 413, "larger volume")
        refused(client.post("/files", headers={"Upload-Length": "1"}), 400, "filename")
        refused(client.post("/files", headers={"Upload-Length": "-1"}), 400, "Upload-Length")
        refused(client.post("/files", headers={"Upload-Length": "1", "Upload-Metadata": "filename ?"}), 400, "base64")
        refused(client.post("/elsewhere"), 404, "/files")
        location = begin(client, "f", 6).headers["Location"]
        refused(patch(client, location, 3, b"abc"), 409, "goes on at 0")
        refused(patch(client, location, 0, b"abcdefg"), 413, "more bytes")
        refused(patch(client, location, 0, b"abc", **checksum(b"abd")), 460, "send them again")
        refused(patch(client, location, 0, b"abc", **{"Upload-Checksum": "md5 xx"}), 400, "sha256")
        refused(client.patch(location, content=b"abc", headers={"Upload-Offset": "0"}), 415, "Content-Type")
        refused(client.patch(location, content=iter([b"abc"]), headers={**PATCH, "Upload-Offset": "0"}), 411, "chunked")
        refused(client.patch(location, headers=PATCH), 400, "Upload-Offset")
        refused(client.post("/files", headers={"Tus-Resumable": "0.2.2"}), 412, "1.0.0")
        refused(patch(client, "/files/" + "0" * 32, 0, b"abc"), 404, "begin it again")
        assert client.head(location).headers["Upload-Offset"] == "0"


@proves("P94")
def test_after_completion_nothing_is_taken(station: Station) -> None:
    with station.opened() as client:
        location = begin(client, "f", 3).headers["Location"]
        refused(client.post("/complete"), 409, "not all here")
        patch(client, location, 0, b"abc")
        refused(patch(client, location, 3, b""), 410, "cannot be changed")
        refused(patch(client, location, 0, b"xyz"), 410, "cannot be changed")
        refused(client.delete(location), 410, "cannot be removed")
        refused(begin(client, "f", 3), 409, "never replaced")
        first = client.post("/complete", json={"digest": "x"}).json()
        refused(begin(client, "g", 1), 410, "deposit is complete")
        refused(patch(client, location, 0, b"xyz"), 410, "deposit is complete")
        again = client.post("/complete").json()
        assert again["receipt"]["digest"] == first["receipt"]["digest"]
    assert station.claimed == ["x", None]
    assert (station.folder / "f").read_bytes() == b"abc" and (station.folder / "f").stat().st_uid == 0


def half_sent(station: Station, secret: str, location: str, size: int, sent: bytes) -> socket.socket:
    """A connection that announced ``size`` bytes and sent fewer."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.fspath(station.socket_path))
    head = (
        f"PATCH {location} HTTP/1.1\r\nHost: d1\r\nX-Forwarded-For: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\n"
        f"Authorization: {secret}\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\n"
        f"Content-Length: {size}\r\n\r\n"
    )
    connection.sendall(head.encode() + sent)
    return connection


def test_a_cut_connection_keeps_what_was_written_and_a_stuck_one_gives_way(station: Station) -> None:
    content = os.urandom(20 * MIB)
    with station.opened() as client:
        secret = client.headers["Authorization"]
        cut, stuck = (begin(client, name, len(content)).headers["Location"] for name in ("cut", "stuck"))
        half_sent(station, secret, cut, len(content), content[: 10 * MIB]).close()
        with half_sent(station, secret, stuck, len(content), content[: 10 * MIB]):
            for location in (cut, stuck):
                offset = 0
                deadline = time.monotonic() + 20
                while offset == 0 and time.monotonic() < deadline:
                    offset = int(client.head(location).headers["Upload-Offset"])
                assert 0 < offset <= 10 * MIB
                assert patch(client, location, offset, content[offset:]).status_code == 204
        client.post("/complete")
    assert {file.sha256 for file in station.manifest().files} == {hashlib.sha256(content).hexdigest()}


@proves("P95", "L11")
def test_the_offset_survives_a_kill_and_is_never_more_than_was_synced(station: Station) -> None:
    content = os.urandom(30 * MIB)
    with station.opened() as client:
        location = begin(client, "f", len(content)).headers["Location"]
        with half_sent(station, client.headers["Authorization"], location, len(content), content[: 20 * MIB]):
            part = next((station.folder / ".incoming").glob("*.part"))
            while part.stat().st_size < 17 * MIB:
                assert station.receiver.poll() is None
            station.kill()
            known = part.stat().st_size
        station.start()
        headers = dict(client.headers)
    with station.client(Authorization=headers["authorization"]) as client:
        offset = int(client.head(location).headers["Upload-Offset"])
        assert 16 * MIB <= offset <= 20 * MIB and offset <= known
        assert patch(client, location, offset, content[offset:]).status_code == 204
    assert (station.folder / "f").read_bytes() == content


def test_a_full_volume_is_a_clean_refusal(station: Station, tmp_path: Path) -> None:
    small = station.layout.run / "small"
    small.mkdir()
    assert os.system(f"mount -t tmpfs -o size=2m,uid={NOBODY},gid={NOBODY} tmpfs {small}") == 0  # noqa: S605
    try:
        process.stop(station.layout, station.deposit)
        station.folder = small
        station.start()
        with station.opened() as client:
            location = begin(client, "f", 4 * MIB).headers["Location"]
            refused(patch(client, location, 0, bytes(4 * MIB)), 507, "volume is full")
            assert client.head(location).headers["Upload-Offset"] == "0"
            assert patch(client, location, 0, bytes(MIB)).status_code == 204
    finally:
        process.stop(station.layout, station.deposit)
        assert os.system(f"umount --lazy {small}") == 0  # noqa: S605


def test_a_silent_warden_is_said_and_completion_can_be_asked_again(station: Station) -> None:
    with station.opened() as client:
        patch(client, begin(client, "f", 3).headers["Location"], 0, b"abc")
        hidden = station.warden_socket.with_suffix(".away")
        station.warden_socket.rename(hidden)
        refused(client.post("/complete"), 503, "try again in a minute")
        refused(begin(client, "g", 1), 410, "complete")
        hidden.rename(station.warden_socket)
        assert client.post("/complete").status_code == 200


def test_the_process_has_no_privilege_and_cannot_be_traced(station: Station) -> None:
    with station.client() as client:
        assert client.options("/").status_code == 204
    proc = Path(f"/proc/{station.receiver.pid}")
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(NOBODY)] * 4 and status["Groups"].strip() == ""
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["TracerPid"] == "0"
    assert (proc / "mem").stat().st_uid == 0  # not dumpable: another process of the same user cannot read it
    assert station.token.encode() not in (proc / "cmdline").read_bytes()


def test_stopping_ends_also_a_receiver_of_an_earlier_warden(station: Station) -> None:
    first = station.receiver
    second = process.start(station.layout, _like(station))
    assert first.poll() is not None and second.poll() is None
    process.stop_all(station.layout)
    assert second.poll() is not None
    assert not list(station.layout.receivers.iterdir())
    process.stop(station.layout, station.deposit)


def test_a_receiver_ends_with_the_warden(station: Station) -> None:
    with station.client() as client:
        assert client.options("/").status_code == 204
    assert station.receiver.stdin
    station.receiver.stdin.close()
    station.receiver.wait(10)
    station.start()
    with station.client() as client:
        assert client.options("/").status_code == 204


def _like(station: Station) -> process.Opening:
    expires, networks = station.grant.expires, station.networks
    return process.Opening("d1", station.folder, station.warden_socket, 1, expires, networks, NOBODY, NOBODY, 0)


def test_many_idle_connections_do_not_stop_it_for_good(station: Station) -> None:
    path = os.fspath(station.socket_path)
    idle = []
    for _ in range(80):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        idle.append(connection)

    def close() -> None:
        for connection in idle:
            connection.close()

    closer = threading.Timer(0.5, close)
    closer.start()
    deadline, answered = time.monotonic() + 15, False
    while not answered and time.monotonic() < deadline:
        try:
            with station.client() as client:
                answered = client.options("/").status_code == 204
        except httpx.TransportError:
            continue
    closer.join()
    assert answered
