"""The client of a warden: one call per door of ``protocol``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import httpx

from strongroom.domain.acts import Entry
from strongroom.orders.protocol import Order, Outcome


class WardenUnreachable(Exception):
    """The warden does not answer. Nothing was decided; the same order may be sent again."""


class WardenRefused(Exception):
    """The warden refused a reading: its words."""


class Warden:
    """Speaks to the warden behind a Unix socket. Each call opens a connection of its own, so it can be shared by threads."""

    def __init__(self, socket: Path, timeout: float = 30.0) -> None:
        self._socket = str(socket)
        self._timeout = timeout

    def _call(self, method: str, path: str, **rest: Any) -> httpx.Response:
        transport = httpx.HTTPTransport(uds=self._socket)
        try:
            with httpx.Client(transport=transport, base_url="http://warden", timeout=self._timeout) as client:
                return client.request(method, path, **rest)
        except httpx.TransportError as error:
            raise WardenUnreachable(f"the warden does not answer: {error}") from error

    def order(self, order: Order) -> Outcome:
        """Ask for an act; a refusal is an Outcome, not an error. Raises WardenUnreachable."""
        return Outcome.from_json(self._call("POST", "/orders", json=order.to_json()).json())

    def lodge(self, content: bytes, access_token: str) -> str:
        """Hand over a document's bytes ahead of the act that names it; returns their SHA-256 (hex)."""
        digest = hashlib.sha256(content).hexdigest()
        self._read("PUT", f"/blobs/{digest}", access_token, content=content)
        return digest

    def feed(self, after: int, limit: int = 500) -> list[Entry]:
        """Entries of the record after a sequence number, oldest first."""
        answer = self._call("GET", "/feed", params={"after": after, "limit": limit})
        return [Entry.from_json(raw) for raw in answer.json()["entries"]]

    def document(self, digest: str, access_token: str) -> bytes:
        """A signed agreement out of the document volume."""
        return self._read("GET", f"/documents/{digest}", access_token).content

    def outputs(self, environment: str, access_token: str) -> list[dict[str, Any]]:
        """Names and sizes (bytes) of what lies in an environment's output volume, for those who may submit it."""
        files: list[dict[str, Any]] = self._read("GET", f"/outputs/{environment}", access_token).json()["files"]
        return files

    def preview(self, request: str, access_token: str) -> dict[str, Any]:
        """What the throwaway container drew of a frozen request, for its author and reviewers."""
        preview: dict[str, Any] = self._read("GET", f"/previews/{request}", access_token).json()
        return preview

    def attestation(self, environment: str, access_token: str) -> dict[str, Any]:
        """What the warden signs about an environment now; ``strongroom.attest`` verifies it."""
        found: dict[str, Any] = self._read("GET", f"/attestations/{environment}", access_token).json()
        return found

    def released(self, request: str, name: str) -> bytes:
        """Bytes of a published file; they are the reviewed bytes. Raises WardenRefused when not published."""
        return self._read("GET", f"/releases/{request}/{name}", "").content

    def leave(self, access_token: str) -> None:
        """Close every desktop that the person has open."""
        self._read("POST", "/leave", access_token)

    def checkpoint(self) -> str:
        """The newest signed checkpoint of the warden's log, as a signed note."""
        return self._call("GET", "/checkpoint").text

    def _read(self, method: str, path: str, access_token: str, **rest: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
        answer = self._call(method, path, headers=headers, **rest)
        if answer.status_code != 200:
            try:
                words = answer.json()["reason"]
            except (ValueError, KeyError):
                words = answer.text
            raise WardenRefused(words or f"refused ({answer.status_code})")
        return answer
