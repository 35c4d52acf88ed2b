"""The session socket of a desktop, and asking whether both ends behind it answer.

The host makes the listening socket, in the pod's network namespace, and hands it into the display container as an open
file: no container can write in the folder that the gateway reads, so none can put a link there.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import grp
import json
import os
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from strongroom.layout import Layout

CLONE_NEWNET = 0x4000_0000
BANNER = b"RFB 003.008\n"
PATIENCE = 2.0
T = TypeVar("T")


def in_network_of(pid: int, call: Callable[[], T]) -> T:
    """Run a call in the network namespace of a process, in a thread that ends with it."""
    outcome: list[T] = []
    problem: list[BaseException] = []

    def inside() -> None:
        try:
            with open(f"/proc/{pid}/ns/net", "rb") as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter the network of process {pid}")
            outcome.append(call())
        except BaseException as caught:
            problem.append(caught)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if problem:
        raise problem[0]
    return outcome[0]


def socket_path(layout: Layout, environment: str) -> Path:
    """Where the gateway connects."""
    return layout.sessions / f"{environment}.sock"


def listen(layout: Layout, environment: str, pid: int) -> socket.socket:
    """Make the session socket (the old one, if any, is replaced); the caller hands it on and closes its own copy."""
    path = socket_path(layout, environment)
    prepare_folder(layout)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    listening = in_network_of(pid, lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC))
    try:
        listening.bind(str(fresh))
        os.chown(fresh, 0, gateway_group(layout))
        fresh.chmod(0o660)
        listening.listen(16)
        fresh.replace(path)
    except BaseException:
        listening.close()
        raise
    return listening


def prepare_folder(layout: Layout) -> None:
    """The folder of session sockets: root writes, the gateway's group passes."""
    layout.sessions.mkdir(mode=0o755, parents=True, exist_ok=True)
    os.chown(layout.sessions, 0, gateway_group(layout))
    layout.sessions.chmod(0o750)


def gateway_group(layout: Layout) -> int:
    """Group of the gateway's user; root's where the gateway is not installed."""
    try:
        return grp.getgrnam(layout.user("gateway")).gr_gid
    except KeyError:
        return 0


def forget(layout: Layout, environment: str) -> None:
    """Remove the session socket."""
    socket_path(layout, environment).unlink(missing_ok=True)


def desktop_answers(path: Path) -> bool:
    """Whether a greeting of the desktop comes through the relay."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    request = (
        "GET /websockify HTTP/1.1\r\nHost: environment\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\n\r\n"
    )
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(request.encode())
        return _until(client, BANNER).endswith(BANNER)
    return False


def _until(client: socket.socket, end: bytes) -> bytes:
    seen = b""
    while not seen.endswith(end) and len(seen) < 4096 and (more := client.recv(4096)):
        seen += more
    return seen


def notebook_answers(pid: int) -> bool:
    """Whether JupyterLab answers on the loopback of the work container."""

    def ask() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 8888), PATIENCE) as client:
            client.sendall(b"GET /api HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return client.recv(12).startswith(b"HTTP/1.1 200")
        return False

    with contextlib.suppress(OSError):
        return in_network_of(pid, ask)
    return False


def counts(path: Path) -> dict[str, Any]:
    """What the relay let through and stopped."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(b"GET /counts HTTP/1.0\r\n\r\n")
        seen = b""
        while (more := client.recv(4096)) and len(seen) < 65_536:
            seen += more
    answer: dict[str, Any] = json.loads(seen.partition(b"\r\n\r\n")[2])
    return answer
