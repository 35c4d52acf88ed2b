"""Deposits from the sender's command to the signed receipt, cut and attacked on the way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import strongroom
from strongroom.deposit import client as client_module
from strongroom.deposit.client import DepositFailed, DepositMismatch, deposit
from strongroom.deposit.manifest import FileHash, Manifest
from strongroom.deposit.receipt import BadReceipt, Receipt, sign
from strongroom.deposit.transport import transport as gateway_transport
from tests.deposit.conftest import MIB, Cutting, Gateway, Station
from tests.proves import proves

ENVIRON = {**os.environ, "PYTHONPATH": str(Path(strongroom.__file__).parents[1])}


def command(gateway: Gateway, token: str, *files: Path) -> list[str]:
    options = ["--url", gateway.url, "--token", token, "--ca", str(gateway.authority)]
    return [sys.executable, "-m", "strongroom.deposit", *map(str, files), *options]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {**ENVIRON, "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.mark.real
@proves("P100", "P101", "P102", "L11")
def test_files_arrive_and_the_receipt_says_so(
    station: Station, gateway: Gateway, tmp_path: Path, environ: dict[str, str]
) -> None:
    files = [tmp_path / "pupils.csv", tmp_path / "empty.txt", tmp_path / "Ü b.bin"]
    for path, size in zip(files, (20 * MIB + 7, 0, 5), strict=True):
        path.write_bytes(os.urandom(size))
    station.hashing = 1
    done = subprocess.run(command(gateway, station.token, *files), capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    digest = station.manifest().digest
    assert digest in done.stdout and station.claimed[-1] == digest
    assert hashlib.sha256(files[0].read_bytes()).hexdigest() in done.stdout
    assert not list((tmp_path / "state").rglob("*.json"))
    again = subprocess.run(command(gateway, station.token, *files), capture_output=True, text=True, env=environ)
    assert again.returncode == 2 and "complete" in again.stderr


@proves("L11")
@pytest.mark.real
def test_a_client_killed_in_the_middle_goes_on(
    station: Station, gateway: Gateway, tmp_path: Path, environ: dict[str, str]
) -> None:
    file = tmp_path / "big.bin"
    file.write_bytes(os.urandom(100 * MIB))
    for _ in range(2):
        sending = subprocess.Popen(
            command(gateway, station.token, file), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environ
        )
        assert sending.stderr and b"big.bin" in sending.stderr.readline()
        sending.kill()
        sending.wait()
        sending.stderr.close()
    done = subprocess.run(command(gateway, station.token, file), capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    assert int(done.stderr.split("big.bin: ")[1].split("%")[0]) > 16  # did not begin again
    assert station.manifest().files[0].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.real
def test_a_server_killed_again_and_again_loses_nothing(station: Station, gateway: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "big.bin"
    file.write_bytes(os.urandom(80 * MIB))
    kills = 0

    def crash(name: str, sent: int, size: int) -> None:
        nonlocal kills
        if kills < 3 and sent > (kills + 1) * size // 5:
            kills += 1
            station.kill()
            threading.Timer(0.3, station.start).start()

    receipt = deposit(gateway.url, station.token, [file], ca=gateway.authority, state=tmp_path / "state", report=crash)
    assert kills == 3
    assert receipt.files[0].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert receipt.digest == station.manifest().digest


@pytest.mark.real
def test_connections_cut_inside_a_chunk(station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CHUNK", MIB)
    file = tmp_path / "f"
    file.write_bytes(os.urandom(12 * MIB + 1))
    cutting = Cutting(station, 3)
    receipt = deposit("http://d1", station.token, [file], transport=cutting, state=tmp_path / "state")
    assert cutting.cuts >= 4 and receipt.digest == station.manifest().digest


@pytest.mark.real
@proves("P101")
def test_a_mismatch_is_said_plainly(
    station: Station, gateway: Gateway, tmp_path: Path, environ: dict[str, str]
) -> None:
    file = tmp_path / "f.csv"
    file.write_text("a")
    station.tampers = True
    done = subprocess.run(command(gateway, station.token, file), capture_output=True, text=True, env=environ)
    assert done.returncode == 1
    assert "not what you sent" in done.stderr and "f.csv" in done.stderr and "Project Manager" in done.stderr


@pytest.mark.real
def test_a_wrong_token_is_refused_before_anything_is_sent(
    station: Station, gateway: Gateway, tmp_path: Path, environ: dict[str, str]
) -> None:
    file = tmp_path / "f.csv"
    file.write_text("a")
    done = subprocess.run(command(gateway, "wrong", file), capture_output=True, text=True, env=environ)
    assert done.returncode == 2 and "not the token of this deposit" in done.stderr
    assert station.grant.opened_at is None


@pytest.mark.real
@proves("P104")
def test_the_gateway_overwrites_what_a_sender_says_of_its_address(station: Station, gateway: Gateway) -> None:
    moved = station.again(networks=("10.9.0.0/16",))
    try:
        moved.start()
        with httpx.Client(transport=gateway_transport(gateway.authority)) as client:
            answer = client.post(f"{gateway.url}/open", json={"token": "x"}, headers={"X-Forwarded-For": "10.9.1.1"})
        assert answer.status_code == 403 and "network" in answer.json()["message"]
    finally:
        moved.close()


@pytest.mark.real
def test_memory_stays_small_for_a_large_file(
    station: Station, gateway: Gateway, tmp_path: Path, environ: dict[str, str]
) -> None:
    file = tmp_path / "sparse.bin"
    with file.open("wb") as writing:
        writing.truncate(200 * MIB)
        writing.write(b"head")
    watched = (
        "import re, runpy, sys\nsys.argv[0] = 'x'\ntry: runpy.run_module('strongroom.deposit', run_name='__main__')\n"
        "finally: print('peak', re.search(r'VmHWM:\\s+([0-9]+)', open('/proc/self/status').read())[1])"
    )
    words = command(gateway, station.token, file)[3:]
    done = subprocess.run([sys.executable, "-c", watched, *words], capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    sender = int(done.stdout.split("peak ")[1])
    status = Path(f"/proc/{station.receiver.pid}/status").read_text()
    receiver = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert receiver < 64 * 1024 and sender < 128 * 1024
    assert station.manifest().files[0].size == 200 * MIB


def test_files_are_named_apart_and_exist(tmp_path: Path) -> None:
    for files, why in (([], "at least one"), ([tmp_path / "gone"], "cannot be read"), ([tmp_path / ".x"], "dot")):
        with pytest.raises(DepositFailed, match=why):
            deposit("http://d1", "t", files, state=tmp_path)
    with pytest.raises(DepositFailed, match="same name"):
        deposit("http://d1", "t", [tmp_path / "a" / "x", tmp_path / "b" / "x"], state=tmp_path)


def test_an_unreachable_platform_is_said_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TRIES", 2)
    (tmp_path / "f").write_text("x")
    with pytest.raises(DepositFailed, match="run the same command again"):
        deposit("http://127.0.0.1:9", "t", [tmp_path / "f"], state=tmp_path)


def test_a_receipt_cannot_be_altered() -> None:
    key = Ed25519PrivateKey.generate()
    manifest = Manifest.of([FileHash("a", 1, "00")])
    receipt = sign(key, "d1", manifest, "2030-01-01T00:00:00Z")
    assert Receipt.from_json(receipt.to_json()) == receipt
    other = sign(Ed25519PrivateKey.generate(), "d1", manifest, receipt.at)
    changes: list[dict[str, object]] = [{"deposit": "d2"}, {"digest": "0"}, {"at": ""}, {"key": other.key}]
    changes += [{"signature": other.signature}, {"signature": None}, {"key": "?"}, {"files": []}, {"files": 3}]
    for change in changes:
        with pytest.raises(BadReceipt):
            Receipt.from_json({**receipt.to_json(), **change})
    with pytest.raises(BadReceipt):
        Receipt.from_json([])


def test_a_receipt_for_another_deposit_is_a_mismatch() -> None:
    manifest = Manifest.of([FileHash("a", 1, "00")])
    receipt = sign(Ed25519PrivateKey.generate(), "d2", manifest, "")
    with pytest.raises(DepositMismatch, match="d2"):
        client_module._compare(receipt, manifest, "d1")
