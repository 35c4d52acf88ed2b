"""Things the host sets out during a run, which no environment may reach: listeners, an abstract socket, a file."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

SIOCGIFADDR = 0x8915
Target = tuple[str, int]


@dataclass
class Canaries:
    """Context manager; afterwards nothing of it is left. ``visits`` tells which listeners somebody reached."""

    nonce: str
    host: list[Target] = field(default_factory=list)
    bridges: list[Target] = field(default_factory=list)
    link_local: list[Target] = field(default_factory=list)
    file: str = ""
    _listeners: dict[Target, socket.socket] = field(default_factory=dict)
    _abstract: socket.socket | None = None

    @property
    def abstract(self) -> str:
        return f"strongroom-canary-{self.nonce}"

    def __enter__(self) -> Canaries:
        try:
            for device, address in host_addresses():
                self._listen(device, address)
            self._abstract = socket.socket(socket.AF_UNIX)
            self._abstract.bind("\0" + self.abstract)
            self._abstract.listen()
            handle, self.file = tempfile.mkstemp(prefix=f".canary-{self.nonce}-", dir="/var/tmp")
            os.close(handle)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _listen(self, device: str, address: str) -> None:
        near = address.startswith("fe80")
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        try:
            place = (address, 0, 0, socket.if_nametoindex(device)) if near else (address, 0)
            listener.bind(place)
            listener.listen(64)
            listener.setblocking(False)
            target = (address, int(listener.getsockname()[1]))
            with socket.create_connection((f"{address}%{device}" if near else address, target[1]), 0.5):
                listener.accept()[0].close()
        except OSError:  # An address that is still being set up cannot be reached by anybody: nothing to try.
            listener.close()
            return
        self._listeners[target] = listener
        bridge = Path(f"/sys/class/net/{device}/bridge").exists()
        (self.link_local if near else self.bridges if bridge else self.host).append(target)

    def visits(self) -> dict[Target, str]:
        """Listeners that somebody connected to, and from where."""
        seen = {}
        for target, listener in self._listeners.items():
            try:
                connection, sender = listener.accept()
            except OSError:
                continue
            connection.close()
            seen[target] = str(sender[0])
        return seen

    def _close(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        if self._abstract is not None:
            self._abstract.close()
        if self.file:
            Path(self.file).unlink(missing_ok=True)


def host_addresses() -> list[tuple[str, str]]:
    """(device, address) of this machine, loopback left out."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, device in socket.if_nameindex():
            try:
                raw = fcntl.ioctl(sock.fileno(), SIOCGIFADDR, struct.pack("256s", device[:15].encode()))
            except OSError:
                continue
            found.append((device, socket.inet_ntoa(raw[20:24])))
    table = Path("/proc/net/if_inet6")
    for line in table.read_text().splitlines() if table.exists() else []:
        raw6, *_, device = line.split()
        found.append((device, socket.inet_ntop(socket.AF_INET6, bytes.fromhex(raw6))))
    return [(device, address) for device, address in found if device != "lo"]
