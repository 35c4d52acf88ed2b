"""Start one receiver: ``python -m strongroom.warden.receiver --deposit ID --directory DIR --socket PATH …``.

``--directory`` and ``--socket`` are paths, or ``fd:N`` for an open folder or a listening socket inherited from the
warden, which needs to give this process access to nothing else.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import sys
import threading
from datetime import datetime

from strongroom.layout import Layout
from strongroom.warden.receiver.gate import Gate, networks
from strongroom.warden.receiver.server import Receiver, Settings
from strongroom.warden.receiver.uploads import Uploads

_NOT_TRACEABLE = 4
_NO_NEW_PRIVILEGES = 38


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("give the time with its offset, as in 2030-01-31T12:00:00Z")
    return moment


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="strongroom.warden.receiver", description="Receive one deposit.")
    parser.add_argument("--deposit", required=True)
    parser.add_argument("--directory", required=True, help="path, or fd:N")
    parser.add_argument("--socket", required=True, help="path, or fd:N")
    parser.add_argument("--warden-socket", required=True)
    parser.add_argument("--secret-sha256", default="", help="of the upload's secret, when it was opened before")
    parser.add_argument("--size-limit", type=int, required=True)
    parser.add_argument("--expires", type=_moment, required=True)
    parser.add_argument("--networks", type=networks, required=True, help="CIDR,CIDR")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that started this one")
    return parser.parse_args()


def _directory(text: str) -> int:
    if text.startswith("fd:"):
        return int(text[3:])
    return os.open(text, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _listening(text: str) -> socket.socket:
    if text.startswith("fd:"):
        return socket.socket(fileno=int(text[3:]))
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(text)
    os.chmod(text, 0o660)
    listening.listen(64)
    return listening


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    # At once: what is synced is synced, and nobody is left to answer to.
    os._exit(0)


def main() -> None:
    """Serve until told to stop."""
    arguments = _arguments()
    os.umask(0o077)
    # Receivers share a user: none may look into another's memory, where a secret passes.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NOT_TRACEABLE, 0, 0, 0, 0) or libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        sys.exit(f"the receiver cannot give up privileges: {os.strerror(ctypes.get_errno())}")
    layout = Layout.current()
    gate = Gate(arguments.networks, arguments.expires, (layout.app_url, layout.outside_url))
    settings = Settings(arguments.deposit, gate, arguments.warden_socket, arguments.secret_sha256)
    uploads = Uploads(_directory(arguments.directory), arguments.size_limit)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if arguments.until_stdin_closes:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with Receiver(settings, uploads, _listening(arguments.socket)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
