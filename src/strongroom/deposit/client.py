"""Send files into a deposit: resumable, checked by hash at both ends, ended by the warden's signed receipt."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from strongroom.deposit import names
from strongroom.deposit.manifest import FileHash, Manifest, hash_file
from strongroom.deposit.receipt import BadReceipt, Receipt
from strongroom.deposit.transport import transport as default_transport

CHUNK = 8 << 20
PIECE = 64 << 10
TRIES = 10
LONGEST_WAIT = 20.0
POLL = 1.0
# Answers after which another try may do better: altered on the way, busy, or the gateway found nobody.
_AGAIN = frozenset({423, 460, 500, 502, 503, 504})

Report = Callable[[str, int, int], None]


class DepositFailed(Exception):
    """The deposit did not go through, in words that say what to do."""


class DepositMismatch(DepositFailed):
    """What the warden found is not what was sent."""


class _Cut(Exception):
    """Worth another try."""


class _There(DepositFailed):
    """The receiver knows better: the file is there, or goes on elsewhere."""


@dataclass
class _Resume:
    """What a second run needs to go on: kept in a private file, removed at the end."""

    path: Path
    secret: str = ""
    deposit: str = ""
    locations: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, url: str, token: str) -> _Resume:
        path = folder / (hashlib.sha256(f"{url}\n{token}".encode()).hexdigest() + ".json")
        try:
            return cls(path, **json.loads(path.read_text()))
        except FileNotFoundError:
            return cls(path)

    def save(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".new")
        content = json.dumps({"secret": self.secret, "deposit": self.deposit, "locations": self.locations})
        with open(temporary, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
        temporary.replace(self.path)


def state_folder() -> Path:
    """Where unfinished deposits are remembered."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "strongroom" / "deposits"


def deposit(
    url: str,
    token: str,
    files: Sequence[Path],
    *,
    ca: Path | None = None,
    transport: httpx.BaseTransport | None = None,
    state: Path | None = None,
    report: Report = lambda name, sent, size: None,
) -> Receipt:
    """Send ``files``, complete the deposit and return the verified receipt; run again, it goes on where it stopped.

    Raises DepositMismatch when the warden's hashes differ from ours, DepositFailed for anything else.
    """
    paths = _named(files)
    manifest = _hash(paths)
    resume = _Resume.of(state or state_folder(), url, token)
    headers = {"Tus-Resumable": "1.0.0"}
    with httpx.Client(
        base_url=url.rstrip("/"), transport=transport or default_transport(ca), headers=headers, timeout=60
    ) as client:
        session = _Session(client, resume, report)
        session.open(token)
        for file in manifest.files:
            session.send(paths[file.name], file)
        receipt = session.complete(manifest)
    _compare(receipt, manifest, resume.deposit)
    resume.path.unlink(missing_ok=True)
    return receipt


def _named(files: Sequence[Path]) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    for path in files:
        try:
            name = names.clean(path.name)
        except ValueError as error:
            raise DepositFailed(f"{path}: {error}") from None
        if name in paths:
            raise DepositFailed(f"{path} and {paths[name]} have the same name: rename one")
        paths[name] = path
    if not paths:
        raise DepositFailed("no file was given: name at least one")
    return paths


def _hash(paths: dict[str, Path]) -> Manifest:
    found = []
    for name, path in paths.items():
        try:
            with path.open("rb") as file:
                found.append(hash_file(name, file))
        except OSError as error:
            raise DepositFailed(f"{path} cannot be read: {error.strerror}") from None
    return Manifest.of(found)


def _compare(receipt: Receipt, manifest: Manifest, deposit: str) -> None:
    if receipt.deposit != deposit:
        raise DepositMismatch(f"the receipt is for deposit {receipt.deposit}, not {deposit}: tell the Project Manager")
    if receipt.digest == manifest.digest:
        return
    ours, theirs = set(manifest.files), set(receipt.files)
    different = ", ".join(sorted({file.name for file in ours ^ theirs}))
    raise DepositMismatch(
        f"what arrived is not what you sent: {different} differ. Do not confirm this deposit; tell the Project "
        f"Manager and the Programme Manager. Digest here {manifest.digest}, there {receipt.digest}."
    )


class _Session:
    def __init__(self, client: httpx.Client, resume: _Resume, report: Report) -> None:
        self.client, self.resume, self.report = client, resume, report

    def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, **content: Any) -> httpx.Response:
        """An answer below 400; _Cut when another try may help, DepositFailed when not."""
        bearer = {"Authorization": f"Bearer {self.resume.secret}"} if self.resume.secret else {}
        try:
            answer = self.client.request(method, path, headers={**bearer, **(headers or {})}, **content)
        except httpx.TransportError as error:
            raise _Cut(f"the connection failed ({error})") from None
        if answer.status_code < 400:
            return answer
        message = _message(answer)
        if answer.status_code in _AGAIN:
            raise _Cut(message)
        raise (_There if answer.status_code == 409 else DepositFailed)(message)

    def _patiently(self, act: Callable[[], httpx.Response]) -> httpx.Response:
        for attempt in range(TRIES):
            try:
                return act()
            except _Cut as cut:
                last = cut
                time.sleep(min(0.25 * 2**attempt, LONGEST_WAIT))
        raise DepositFailed(f"{last}. Nothing is lost: run the same command again to go on")

    def open(self, token: str) -> None:
        """Exchange the token, unless an earlier run did."""
        if self.resume.secret:
            return
        answer = self._patiently(lambda: self._ask("POST", "/open", json={"token": token})).json()
        self.resume.secret, self.resume.deposit = str(answer["secret"]), str(answer["deposit"])
        self.resume.save()

    def send(self, path: Path, file: FileHash) -> None:
        """Send one file, from wherever it stands."""
        location = self.resume.locations.get(file.name)
        if location is None:
            encoded = base64.b64encode(file.name.encode()).decode()
            begin = {"Upload-Length": str(file.size), "Upload-Metadata": f"filename {encoded}"}
            try:
                location = self._patiently(lambda: self._ask("POST", "/files", begin)).headers["Location"]
            except _There:
                # Sent whole by an earlier run; whether it is the same file, the receipt will tell.
                return
            self.resume.locations[file.name] = location
            self.resume.save()
        with path.open("rb") as reading:
            offset = self._offset(location, file)
            failures = 0
            while offset < file.size:
                reading.seek(offset)
                try:
                    offset = self._chunk(location, offset, reading.read(CHUNK))
                    failures = 0
                except (_Cut, _There) as cut:
                    failures += 1
                    if failures >= TRIES:
                        raise DepositFailed(f"{cut}. Nothing is lost: run the same command again to go on") from None
                    time.sleep(min(0.25 * 2**failures, LONGEST_WAIT))
                    offset = self._offset(location, file)
                self.report(file.name, offset, file.size)

    def _offset(self, location: str, file: FileHash) -> int:
        answer = self._patiently(lambda: self._ask("HEAD", location))
        if int(answer.headers["Upload-Length"]) != file.size:
            raise DepositFailed(f"{file.name} was begun with another size: it changed meanwhile; ask for a new deposit")
        return int(answer.headers["Upload-Offset"])

    def _chunk(self, location: str, offset: int, block: bytes) -> int:
        if not block:
            raise DepositFailed("a file became shorter while it was sent: leave it alone and ask for a new deposit")
        checksum = base64.b64encode(hashlib.sha256(block).digest()).decode()
        headers = {
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {checksum}",
            "Content-Length": str(len(block)),
        }
        # In pieces: a TLS connection copies what is left of a body at each of its small writes.
        pieces = (block[start : start + PIECE] for start in range(0, len(block), PIECE))
        return int(self._ask("PATCH", location, headers, content=pieces).headers["Upload-Offset"])

    def complete(self, manifest: Manifest) -> Receipt:
        """Say that all is there; waits while the warden hashes."""
        content = {"digest": manifest.digest}
        while True:
            answer = self._patiently(lambda: self._ask("POST", "/complete", json=content, timeout=3600))
            if answer.status_code != 202:
                break
            time.sleep(POLL)
        fields = answer.json()
        try:
            return Receipt.from_json(fields.get("receipt", fields))
        except BadReceipt as error:
            raise DepositMismatch(str(error)) from None


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"the platform answered {answer.status_code} {answer.reason_phrase}: try again later"
