"""Core of what runs alone inside a container: tries what must fail there and prints what happened, as JSON lines.

The files of this folder are fed together by standard input to the image's ``python3 -I``: they use the standard library
and each other, nothing else. Each check first proves that it could see the hole (its control); without that proof it
answers ``unknown``.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Answer = tuple[str, str]
Ask = dict[str, Any]
CHECKS: dict[str, Callable[[Ask], Answer]] = {}
DENIED = (errno.EPERM, errno.EACCES, errno.ENOSYS)
UNREACHABLE = (
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EPERM,
    errno.EACCES,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
)
NAMES = [
    "mount",
    "unshare",
    "setns",
    "keyctl",
    "add_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "syslog",
    "adjtimex",
    "ptrace",
    "finit_module",
    "delete_module",
    "reboot",
    "open_by_handle_at",
    "chroot",
    "kexec_load",
    "clone",
    "fsopen",
    "open_tree",
    "process_vm_readv",
    "clone3",
    "getpid",
    "close",
    "clock_settime",
    "swapon",
]
NUMBERS = {
    "x86_64": "165 272 308 250 248 321 298 323 425 103 159 101 313 176 169 304 161 246 56 430 428 310 435 39 3 227 167",
    "aarch64": "40 97 268 219 217 280 241 282 425 116 171 117 273 106 142 265 51 104 220 430 428 270 435 172 57 112 224",
}
SYSCALLS = dict(zip(NAMES, map(int, NUMBERS.get(os.uname().machine, "").split()), strict=False))
LIBC = ctypes.CDLL(None, use_errno=True)
NEWUSER, NEWNS, NEWNET = 0x10000000, 0x00020000, 0x40000000


class Blind(Exception):
    """The control failed: this check could not have seen a hole."""


def check(name: str) -> Callable[[Callable[[Ask], Answer]], Callable[[Ask], Answer]]:
    """Register a check under the id of its probe."""

    def register(function: Callable[[Ask], Answer]) -> Callable[[Ask], Answer]:
        CHECKS[name] = function
        return function

    return register


def control(seen: object, what: str) -> None:
    """Raise Blind unless the check has proved that it can see."""
    if not seen:
        raise Blind(what)


def syscall(name: str, *args: Any) -> tuple[int, int]:
    """Result and errno of a raw system call."""
    control(syscall_works(), f"system calls cannot be made on {os.uname().machine}")
    ctypes.set_errno(0)
    wide = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return int(LIBC.syscall(ctypes.c_long(SYSCALLS[name]), *wide)), ctypes.get_errno()


def syscall_works() -> bool:
    if "getpid" not in SYSCALLS:
        return False
    ctypes.set_errno(0)
    closed = LIBC.syscall(ctypes.c_long(SYSCALLS["close"]), ctypes.c_long(-1))
    return (closed, ctypes.get_errno()) == (-1, errno.EBADF) and LIBC.syscall(SYSCALLS["getpid"]) == os.getpid()


def name_of(number: int) -> str:
    return errno.errorcode.get(number, str(number))


def denied(calls: dict[str, tuple[int, int]]) -> Answer:
    """Holds if the kernel or its filter refused each call before looking at the arguments."""
    said = ", ".join(f"{name}: {'done' if result >= 0 else name_of(code)}" for name, (result, code) in calls.items())
    fine = all(result < 0 and code in DENIED for result, code in calls.values())
    return ("holds" if fine else "broken"), said


@contextmanager
def scratch() -> Iterator[str]:
    """A folder of this run, in memory that everybody may write; the control of whoever tries to write elsewhere.

    Nothing is written into files here, so that a full /tmp, an everyday accident, does not blind a check.
    """
    for place in ("/tmp", "/dev/shm", "/var/tmp", "/run"):
        path = f"{place}/.probe-{os.getpid()}-{os.urandom(4).hex()}"
        try:
            os.mkdir(path, 0o700)
        except OSError:
            continue
        try:
            os.close(os.open(f"{path}/control", os.O_WRONLY | os.O_CREAT, 0o600))
            yield path
        finally:
            for name in os.listdir(path):
                os.unlink(f"{path}/{name}")
            os.rmdir(path)
        return
    raise Blind("nothing can be written anywhere")


def in_child(action: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """Run something that would change this process in a child that ends at once."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, struct.pack("qq", *action()))
        finally:
            os._exit(0)
    os.close(writer)
    raw = os.read(reader, 16)
    os.close(reader)
    os.waitpid(child, 0)
    control(len(raw) == 16, "the child that tried it died")
    result, code = struct.unpack("qq", raw)
    return int(result), int(code)


def attempts(calls: dict[str, Callable[[], object]], ok: tuple[int, ...] = ()) -> Answer:
    """Holds if each Python call raised OSError (with one of ``ok`` where given); broken if one succeeded."""
    said, broken = [], False
    for name, call in calls.items():
        try:
            result = call()
        except OSError as error:
            odd = bool(ok) and error.errno not in ok
            broken, text = broken or odd, name_of(error.errno or 0)
        else:
            broken, text = True, "done"
            if isinstance(result, socket.socket):
                result.close()
            elif isinstance(result, int) and result > 2:
                os.close(result)
        said.append(f"{name}: {text}")
    return ("broken" if broken else "holds"), ", ".join(said) or "nothing to try"


def main() -> None:
    """Read the question, open the listener the host looks for, answer, and stay until the host has looked."""
    ask: Ask = json.loads(sys.stdin.buffer.readline())
    witness = socket.create_server(("127.0.0.1", 0))
    hello = {"nonce": ask["nonce"], "pid": os.getpid(), "uid": os.getuid(), "port": witness.getsockname()[1]}
    print(json.dumps(hello), flush=True)
    ask["victims"] = json.loads(sys.stdin.buffer.readline())
    answers = {name: answer(name, ask) for name in ask["probes"] if name in CHECKS}
    print(json.dumps({"nonce": ask["nonce"], "answers": answers}), flush=True)
    sys.stdin.buffer.readline()
    os._exit(0)


def answer(name: str, ask: Ask) -> Answer:
    """One check; whatever goes wrong in it is ``unknown``."""
    try:
        return CHECKS[name](ask)
    except Blind as reason:
        return "unknown", f"cannot judge: {reason}"
    except Exception as error:
        return "unknown", f"cannot judge: {type(error).__name__}: {error}"
