"""Egress requests: a frozen copy, first checks in a throwaway container, and release of the very bytes that were reviewed."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

from strongroom.deposit import names as names_of
from strongroom.deposit.manifest import Manifest
from strongroom.domain.acts import Entry
from strongroom.domain.project import Request
from strongroom.platforms.protocol import PlatformError
from strongroom.warden.hands import Hands
from strongroom.warden.volumes.errors import VolumeError
from strongroom.warden.volumes.freeze import Limits
from strongroom.warden.volumes.freeze import freeze as freeze_files
from strongroom.warden.works.environments import MEGABYTE, own_volume

ROOM = 160 * MEGABYTE
# Below the room there is: a sparse file is small where it lies and large where it is copied.
LIMITS = Limits(total_bytes=128 * MEGABYTE)
# An entry of the record is bounded; more findings than this do not change a verdict.
MOST_FINDINGS = 300
MOST_FINDINGS_BYTES = 120_000
MOST_REFUSED = 50
MOST_LISTED = 2000
# A file that the checks cannot get through is not a reason to check for ever.
TRIES = 3


def sealed_volume(request: str) -> str:
    """Volume that holds the frozen copy; no environment mounts it."""
    return f"{request}-sealed"


def freeze(hands: Hands, project: str, request: str) -> None:
    """Copy the named files out of the output volume; from here on only the copy counts."""
    item = hands.state(project).requests[request]
    source = hands.volumes.open(own_volume(item.environment, "output"))
    root = hands.make_volume(project, sealed_volume(request), "", "", "output", ROOM, 0, 0o700)
    target = root / "files"
    shutil.rmtree(target, ignore_errors=True)
    try:
        whole = freeze_files(source, target, LIMITS, frozenset(item.files))
    except VolumeError as error:
        hands.fact("egress.refused", project, request=request, reason=str(error)[:1000], refused=[])
        return
    chosen = Manifest.of(whole.files)
    refused = [{"name": one.name, "reason": one.reason} for one in whole.refused if one.name in item.files]
    missing = sorted(set(item.files) - {one.name for one in chosen.files})
    if missing:
        words = "; ".join(f"{one['name']}: {one['reason']}" for one in refused) or f"not found: {', '.join(missing)}"
        hands.fact("egress.refused", project, request=request, reason=words[:1000], refused=refused[:MOST_REFUSED])
        return
    files = [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in chosen.files]
    hands.fact(
        "egress.frozen", project, request=request, files=files, digest=chosen.digest, refused=refused[:MOST_REFUSED]
    )


def listing(folder: Path) -> list[dict[str, Any]]:
    """Name and size of each plain file in an output volume; links and the like are not followed and not named."""
    found: list[dict[str, Any]] = []
    for path, folders, names, descriptor in os.fwalk(folder):
        folders.sort()
        for name in sorted(names):
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            whole = _composed(os.path.relpath(os.path.join(path, name), folder))
            if stat.S_ISREG(status.st_mode) and whole.isprintable():
                found.append({"name": whole, "size": status.st_size})
            if len(found) >= MOST_LISTED:
                return found
    return found


def _composed(path: str) -> str:
    """The path as the frozen copy will name it, where it can be taken at all."""
    try:
        return "/".join(names_of.clean(part) for part in path.split("/"))
    except ValueError:
        return path


def check(hands: Hands, project: str, request: str) -> None:
    """First checks and the drawings for reviewers, both made in the throwaway container; only digests and verdicts are recorded."""
    files = _readable(hands.volumes.open(sealed_volume(request)) / "files")
    try:
        result = json.loads(hands.check(files, "check"))["result"]
    except (PlatformError, ValueError, KeyError) as error:
        tries = hands.tries[request] = hands.tries.get(request, 0) + 1
        if tries < TRIES:
            raise
        hands.fact(
            "egress.checked",
            project,
            request=request,
            checks=_unfinished(hands.state(project).requests[request].script, str(error)),
        )
        return
    profile = f"{result['profile']} {result['profile_version']}"
    checks = {"verdict": result["verdict"], "profile": profile, "findings": _bounded(result["findings"])}
    hands.fact("egress.checked", project, request=request, checks=checks)


def _bounded(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many findings, the heaviest first, as fit one line of the record."""
    kept: list[dict[str, Any]] = []
    room = MOST_FINDINGS_BYTES
    for finding in sorted(findings, key=lambda one: one["severity"] != "fail")[:MOST_FINDINGS]:
        room -= len(json.dumps(finding, ensure_ascii=False).encode(errors="replace"))
        if room < 0:
            break
        kept.append(finding)
    return kept


def _unfinished(file: str, why: str) -> dict[str, Any]:
    """Checks that did not end: nothing may leave on them."""
    finding = {
        "rule": "check.unfinished",
        "severity": "fail",
        "source": "",
        "file": file,
        "locator": {},
        "words": f"The first checks did not end: {why[:500]}",
        "mend": "Return the request. The author makes smaller or plainer files and submits again.",
    }
    return {"verdict": "fail", "profile": "", "findings": [finding]}


def _readable(files: Path) -> Path:
    """Let the throwaway container's user read the copy; the folder above it stays root's alone."""
    for folder, _, names in os.walk(files):
        os.chmod(folder, 0o755)  # noqa: S103 (below a folder that only root passes)
        for name in names:
            os.chmod(os.path.join(folder, name), 0o444)
    return files


def preview(hands: Hands, item: Request) -> dict[str, Any]:
    """What the throwaway container draws of the frozen files; kept nowhere."""
    files = _readable(hands.volumes.open(sealed_volume(item.id)) / "files")
    drawn: dict[str, Any] = json.loads(hands.check(files, "render"))
    return {"previews": drawn["previews"]}


def release_folder(hands: Hands, request: str) -> Path:
    """Where published bytes lie, for anybody."""
    return hands.layout.state_of("warden") / "releases" / request


def release(hands: Hands, project: str, request: str) -> None:
    """Publish the reviewed bytes with a signed record bound to them by hash."""
    state = hands.state(project)
    item = state.requests[request]
    files = hands.volumes.open(sealed_volume(request)) / "files"
    shelf = release_folder(hands, request)
    fresh = shelf.with_name(f"{request}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shelf.parent.mkdir(parents=True, exist_ok=True)
    frozen = freeze_files(files, fresh)
    if frozen.digest != item.digest:
        shutil.rmtree(fresh)
        raise ValueError("the frozen copy is not what was reviewed: nothing was released")
    if shelf.exists():
        shutil.rmtree(shelf)
    fresh.rename(shelf)
    released = next(entry for entry in reversed(state.history) if _is_release_of(entry, request))
    record = hands.signed(
        {
            "request": request,
            "project": project,
            "work_package": item.work_package,
            "tier": item.tier,
            "files": [dict(one) for one in item.frozen],
            "digest": item.digest,
            "description": item.description,
            "script": item.script,
            "checks": {
                "verdict": item.checks["verdict"],
                "profile": item.checks["profile"],
                "findings": len(item.checks["findings"]),
            },
            "reviews": [
                {"role": one.role, "name": one.name, "tier": one.tier, "decision": one.decision, "entry": one.seq}
                for one in item.reviews
            ],
            "released_by": released.actor.name,
            "entry": released.seq,
            "policy": released.policy,
            "at": hands.clock().isoformat(timespec="seconds"),
        }
    )
    hands.fact("egress.released", project, request=request, record=record)


def _is_release_of(entry: Entry, request: str) -> bool:
    return entry.kind == "egress.release" and entry.outcome == "done" and entry.body["request"] == request


def discard(hands: Hands, project: str, request: str) -> None:
    """Destroy the frozen copy of a request that does not leave, and what a cut-off release may have left."""
    shelf = release_folder(hands, request)
    for folder in (shelf, shelf.with_name(f"{request}.new")):
        shutil.rmtree(folder, ignore_errors=True)
    volume = sealed_volume(request)
    if volume in hands.state(project).volumes:
        hands.destroy_volume(project, volume)
