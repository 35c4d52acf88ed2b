"""What a receiver asks of the warden: to open with a token, to complete with the secret. Nothing else."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

TIMEOUT = 3600.0
LONGEST_ANSWER = 4 << 20


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("warden", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(warden_socket: str, deposit: str, act: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """``POST http://warden/deposits/<deposit>/<act>``: status and JSON of the answer; OSError when nobody answers."""
    connection = _UnixConnection(warden_socket)
    try:
        body = json.dumps(content).encode()
        connection.request("POST", f"/deposits/{deposit}/{act}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        fields = json.loads(answer.read(LONGEST_ANSWER) or b"{}")
        if not isinstance(fields, dict):
            raise ValueError("not an object")
        return answer.status, fields
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"the warden's answer cannot be read: {error}") from None
    finally:
        connection.close()
