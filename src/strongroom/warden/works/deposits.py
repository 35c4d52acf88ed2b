"""Deposits: a new empty volume, a receiver that can only write, sealing, mounting, discarding."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from datetime import datetime

from strongroom.domain.project import Deposit
from strongroom.warden.hands import Hands
from strongroom.warden.works.environments import MEGABYTE, data_volume, look, spec_of

INCOMING = "incoming"
ROOM_FOR_FORMAT = 1.1


def prepare(hands: Hands, project: str, deposit: str) -> None:
    """Make the empty volume (P92, P95)."""
    item = hands.state(project).deposits[deposit]
    size = int(item.size_mb * MEGABYTE * ROOM_FOR_FORMAT) + 16 * MEGABYTE
    path = hands.make_volume(
        project, data_volume(deposit), item.environment, f"/data/{item.dataset}", "data", size, 0, 0o755
    )
    user = pwd.getpwnam(hands.layout.user("deposit"))
    incoming = path / INCOMING
    incoming.mkdir(mode=0o700, exist_ok=True)
    os.chown(incoming, user.pw_uid, user.pw_gid)
    hands.fact("deposit.opened", project, deposit=deposit, host=hands.layout.deposit_host(deposit))


def receive(hands: Hands, project: str, deposit: str) -> None:
    """Keep the receiver running while the window is open; end the deposit when it closes."""
    item = hands.state(project).deposits[deposit]
    if datetime.fromisoformat(item.expires) <= hands.clock():
        stop_receiver(hands, deposit)
        hands.fact("deposit.expired", project, deposit=deposit)
        return
    running = hands.receivers.get(deposit)
    if running is None or running.poll() is not None:
        hands.receivers[deposit] = _start_receiver(hands, item)


def _start_receiver(hands: Hands, item: Deposit) -> subprocess.Popen[bytes]:
    directory = hands.volumes.open(data_volume(item.id)) / INCOMING
    command = [sys.executable, "-m", "strongroom.warden.receiver", "--deposit", item.id, "--directory", str(directory)]
    command += [
        "--socket",
        str(hands.layout.receivers / f"{item.id}.sock"),
        "--size-limit",
        str(item.size_mb * MEGABYTE),
    ]
    command += ["--expires", item.expires, "--networks", ",".join(item.networks)]
    command += ["--warden-socket", str(hands.layout.receivers / "warden.sock")]
    return subprocess.Popen(command, env={**os.environ, **hands.layout.environ()}, start_new_session=True)


def stop_receiver(hands: Hands, deposit: str) -> None:
    """End a deposit's receiver: from here on nobody can write."""
    running = hands.receivers.pop(deposit, None)
    if running is not None and running.poll() is None:
        running.send_signal(signal.SIGKILL)
        running.wait(10)
    (hands.layout.receivers / f"{deposit}.sock").unlink(missing_ok=True)


def seal(hands: Hands, project: str, deposit: str) -> None:
    """Take the files out of the receiver's reach, hash them and sign the receipt (P94, P100)."""
    stop_receiver(hands, deposit)
    item = hands.state(project).deposits[deposit]
    root = hands.volumes.open(data_volume(deposit))
    incoming = root / INCOMING
    if incoming.is_dir():
        for entry in sorted((incoming / "complete").iterdir()) if (incoming / "complete").is_dir() else []:
            if entry.is_symlink() or not entry.is_file():
                continue
            os.chown(entry, 0, 0)
            entry.chmod(0o444)
            entry.rename(root / entry.name)
        shutil.rmtree(incoming)
    found = hands.volumes.sha256_tree(data_volume(deposit))
    receipt = hands.signed(
        {
            "deposit": deposit,
            "dataset": item.dataset,
            "project": project,
            "files": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in found.files],
            "digest": found.digest,
            "at": hands.clock().isoformat(timespec="seconds"),
        }
    )
    hands.fact("deposit.sealed", project, deposit=deposit, receipt=receipt)


def mount(hands: Hands, project: str, deposit: str) -> None:
    """Mount the volume read-only, after its hash is found unchanged (P93, P121)."""
    state = hands.state(project)
    item = state.deposits[deposit]
    if hands.volumes.sha256_tree(data_volume(deposit)).digest != item.digest:
        raise ValueError("the deposit has changed since it was sealed: nothing was mounted")
    spec = spec_of(hands, state, state.environments[item.environment])
    hands.platform.destroy(item.environment)
    hands.platform.apply(spec)
    found = look(hands, spec)
    if found["broken"]:
        hands.platform.suspend(item.environment)
        hands.fact(
            "environment.broken",
            project,
            environment=item.environment,
            reason=", ".join(found["broken"])[:2000],
            summary=found["summary"],
            results=found["results"],
            drift=found["drift"],
        )
        return
    hands.fact(
        "environment.probed",
        project,
        environment=item.environment,
        summary=found["summary"],
        results=found["results"],
        drift=found["drift"],
    )
    hands.fact("deposit.mounted", project, deposit=deposit, environment=item.environment)


def discard(hands: Hands, project: str, deposit: str) -> None:
    """Destroy the volume of a deposit that came to nothing."""
    stop_receiver(hands, deposit)
    volume = data_volume(deposit)
    if volume in hands.state(project).volumes:
        hands.destroy_volume(project, volume)
