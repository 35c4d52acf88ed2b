"""Deposits: a new empty volume, a receiver that can only write, sealing, mounting, discarding."""

from __future__ import annotations

import os
import pwd
from datetime import datetime

from strongroom.deposit.receipt import sign
from strongroom.domain.project import Deposit
from strongroom.warden.hands import Hands
from strongroom.warden.receiver import process
from strongroom.warden.works.environments import MEGABYTE, broken, data_volume, look, room_for, spec_of

# No file that is deposited can be called so: names begin with no dot.
INCOMING = ".arriving"


def prepare(hands: Hands, project: str, deposit: str) -> None:
    """Make the empty volume (P92, P95)."""
    item = hands.state(project).deposits[deposit]
    mount, size = f"/data/{item.dataset}", room_for(item.size_mb)
    path = hands.make_volume(project, data_volume(deposit), item.environment, mount, "data", size, 0, 0o755)
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
    before, secret = hands.upload_secrets.get(deposit, ""), hands.record.upload_secret(deposit)
    hands.upload_secrets[deposit] = secret
    running = hands.receivers.get(deposit)
    if before and before != secret:
        # A new token was given: the receiver forgets the secret that the old one was exchanged for.
        running = None
    if running is None or running.poll() is not None:
        hands.receivers[deposit] = process.start(hands.layout, _opening(hands, item))


def _opening(hands: Hands, item: Deposit) -> process.Opening:
    user = pwd.getpwnam(hands.layout.user("deposit"))
    return process.Opening(
        deposit=item.id,
        directory=hands.volumes.open(data_volume(item.id)) / INCOMING,
        warden_socket=hands.layout.receivers / "warden.sock",
        size_limit=item.size_mb * MEGABYTE,
        expires=datetime.fromisoformat(item.expires),
        networks=item.networks,
        uid=user.pw_uid,
        gid=user.pw_gid,
        gateway_gid=pwd.getpwnam(hands.layout.user("gateway")).pw_gid,
        secret_sha256=hands.record.upload_secret(item.id),
    )


def stop_receiver(hands: Hands, deposit: str) -> None:
    """End a deposit's receiver: from here on nobody can write."""
    hands.receivers.pop(deposit, None)
    process.stop(hands.layout, deposit)


def seal(hands: Hands, project: str, deposit: str) -> None:
    """Take the files out of the receiver's reach, hash them and sign the receipt (P94, P100).

    The receiver takes nothing any more and stays only to hand over the receipt; all is hashed again before the mount.
    """
    root = hands.volumes.open(data_volume(deposit))
    incoming = root / INCOMING
    if incoming.is_dir():
        process.seal(incoming, 0)
        for entry in sorted(incoming.iterdir()):
            entry.rename(root / entry.name)
        incoming.rmdir()
    found = hands.volumes.sha256_tree(data_volume(deposit))
    receipt = sign(hands.key, deposit, found, hands.clock().isoformat(timespec="seconds")).to_json()
    hands.fact("deposit.sealed", project, deposit=deposit, receipt=receipt)


def mount(hands: Hands, project: str, deposit: str) -> None:
    """Mount the volume read-only, after its hash is found unchanged (P93, P121)."""
    state = hands.state(project)
    item = state.deposits[deposit]
    stop_receiver(hands, deposit)
    hands.volumes.open(data_volume(deposit))
    digest = hands.volumes.sha256_tree(data_volume(deposit)).digest
    if digest != item.digest:
        if not item.damaged:
            hands.fact("deposit.damaged", project, deposit=deposit, digest=digest)
        hands.fact("deposit.mismatched", project, deposit=deposit, digest=digest)
        return
    spec = spec_of(hands, state, state.environments[item.environment])
    hands.platform.destroy(item.environment)
    hands.platform.apply(spec)
    found = look(hands, spec)
    if found["broken"]:
        broken(hands, project, item.environment, found)
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
