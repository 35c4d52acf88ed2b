"""A folder of outputs: every file examined in a process of its own, bounded in memory and time."""

from __future__ import annotations

import json
import os
import re
import resource
import select
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from strongroom.disclosure import profile as profiles
from strongroom.disclosure.context import NOWHERE
from strongroom.disclosure.examine import examine
from strongroom.disclosure.model import FileResult, Finding, Locator, Result, worst
from strongroom.disclosure.profile import Profile

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._()+-]{0,99}")
_MAX_ANSWER: Final = 40_000_000
_MAX_PREVIEWS: Final = 60_000_000


class _TooLarge(Exception):
    pass


def check(folder: Path, profile: Profile | None = None) -> Result:
    """Judge a folder of outputs under a profile (``uk-sdap`` unless given)."""
    return _run(Path(folder), profile or profiles.load(), previewed=False)[0]


def check_and_render(folder: Path, profile: Profile | None = None) -> tuple[Result, list[dict[str, Any]]]:
    """The verdict, and a preview of every file for the review page, from the same bytes."""
    return _run(Path(folder), profile or profiles.load(), previewed=True)


def render(folder: Path, profile: Profile | None = None) -> list[dict[str, Any]]:
    """Previews of every file of a folder, with the cells that the check flags."""
    return check_and_render(folder, profile)[1]


def _run(folder: Path, profile: Profile, *, previewed: bool) -> tuple[Result, list[dict[str, Any]]]:
    if not folder.is_dir() or folder.is_symlink():
        raise NotADirectoryError(f"{folder} is not a folder: name the folder that holds the outputs")
    files: list[FileResult] = []
    findings: list[Finding] = []
    previews: list[dict[str, Any]] = []
    total = room = 0
    for path, special in _walk(folder, profile.limits["depth"]):
        name = os.fsencode(path.relative_to(folder)).decode("utf-8", "replace")
        if len(files) >= profile.limits["files"]:
            findings.append(profile.finding("file.limit", "", NOWHERE, f"{profile.limits['files']} files"))
            break
        if not all(_NAME.fullmatch(part) for part in name.split("/")):
            findings.append(profile.finding("file.name", name, NOWHERE))
        data, wrong = (b"", special) if special else _bytes(path, profile)
        if wrong is not None:
            rule = "file.limit" if wrong.endswith("bytes in a file") else "file.special"
            findings.append(profile.finding(rule, name, NOWHERE, wrong))
            files.append(FileResult(name, "unread", 0, "", "fail"))
            continue
        total += len(data)
        if total > profile.limits["total_bytes"]:
            findings.append(profile.finding("file.limit", "", NOWHERE, f"{profile.limits['total_bytes']} bytes in all"))
            break
        result, found, preview = _apart(profile, name, data, previewed=previewed and room < _MAX_PREVIEWS)
        files.append(result)
        findings += found
        if preview is not None:
            room += len(json.dumps(preview))
            previews.append(preview)
    if not files:
        findings.append(profile.finding("kind.unknown", "", NOWHERE, "there are no files"))
    verdict = worst([finding.severity for finding in findings])
    return Result(verdict, profile.name, profile.version, tuple(files), tuple(findings)), previews


def _walk(folder: Path, depth: int) -> Iterator[tuple[Path, str | None]]:
    """Everything in a folder in the order of names, with what is special about it; links are not followed."""
    with os.scandir(folder) as items:
        entries = sorted(items, key=lambda item: os.fsencode(item.name))
    for item in entries:
        path = Path(item.path)
        if item.is_symlink():
            yield path, "a link"
        elif item.is_dir(follow_symlinks=False):
            if depth <= 1:
                yield path, "a folder nested too deeply"
            else:
                yield from _walk(path, depth - 1)
        elif item.is_file(follow_symlinks=False):
            yield path, None
        else:
            yield path, "a device, pipe or socket"


def _bytes(path: Path, profile: Profile) -> tuple[bytes, str | None]:
    limit = profile.limits["file_bytes"]
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return b"", f"it cannot be opened: {error.strerror}"
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return b"", "a device, pipe or socket"
        data = file.read(limit + 1)
    return (b"", f"{limit} bytes in a file") if len(data) > limit else (data, None)


def _apart(
    profile: Profile, name: str, data: bytes, *, previewed: bool
) -> tuple[FileResult, list[Finding], dict[str, Any] | None]:
    """Examine in a child process: libraries that read hostile files may crash or hang there."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(profile, name, data, writing, previewed=previewed)
    os.close(writing)
    try:
        answer = _answer(reading, time.monotonic() + profile.limits["seconds"] * 2 + 5)
    except _TooLarge:
        answer = b""
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not answer:
        limits = f"{profile.limits['seconds']} seconds or {profile.limits['memory_bytes']} bytes of memory for a file"
        finding = profile.finding("file.limit", name, NOWHERE, limits)
        return FileResult(name, "unread", len(data), "", "fail"), [finding], None
    told = json.loads(answer)
    found = [Finding(**{**item, "locator": Locator(**item["locator"])}) for item in told["findings"]]
    return FileResult(**told["result"]), found, told["preview"]


def _child(profile: Profile, name: str, data: bytes, writing: int, *, previewed: bool) -> None:
    try:
        statm = Path("/proc/self/statm")
        size = int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0
        resource.setrlimit(resource.RLIMIT_AS, (size + profile.limits["memory_bytes"],) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (profile.limits["seconds"] * 2,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        result, findings, preview = examine(profile, name, data, previewed=previewed)
        told = {"result": asdict(result), "findings": [asdict(item) for item in findings], "preview": preview}
        with os.fdopen(writing, "wb") as out:
            out.write(json.dumps(told).encode("utf-8", "replace") + b"\n")
    finally:
        os._exit(0)


def _answer(reading: int, ends: float) -> bytes:
    """All that the child says; nothing when it stops half-way or is late."""
    parts: list[bytes] = []
    size = 0
    while (left := ends - time.monotonic()) > 0:
        if not select.select([reading], [], [], left)[0]:
            break
        part = os.read(reading, 1 << 20)
        if not part:
            whole = b"".join(parts)
            return whole if whole.endswith(b"\n") else b""
        parts.append(part)
        size += len(part)
        if size > _MAX_ANSWER:
            raise _TooLarge
    return b""
