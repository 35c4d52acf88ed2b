"""The end of environments and projects: volumes destroyed by destroying their keys, and a signed certificate."""

from __future__ import annotations

from strongroom.warden.hands import Hands
from strongroom.warden.works.deposits import stop_receiver


def environment(hands: Hands, project: str, name: str) -> None:
    """End one environment: its pod, then every volume that is its own; deposits for other environments stay."""
    hands.platform.destroy(name)
    state = hands.state(project)
    deposits = {f"{item.id}-data" for item in state.deposits.values() if item.environment == name}
    for volume, made in list(state.volumes.items()):
        if made.get("environment") == name and volume not in deposits:
            hands.destroy_volume(project, volume)
    hands.fact("environment.destroyed", project, environment=name)


def project(hands: Hands, name: str, _subject: str) -> None:
    """End a project: every environment, every volume, then the certificate that lists them (P105, P106)."""
    state = hands.state(name)
    for deposit in state.deposits:
        stop_receiver(hands, deposit)
    for item in list(state.environments.values()):
        if item.state != "destroyed":
            environment(hands, name, item.id)
    for volume in list(hands.state(name).volumes):
        hands.destroy_volume(name, volume)
    state = hands.state(name)
    closed = next(
        entry for entry in reversed(state.history) if entry.kind == "project.close" and entry.outcome == "done"
    )
    certificate = hands.signed(
        {
            "project": name,
            "name": state.name,
            "closed_by": closed.actor.name,
            "entry": closed.seq,
            "environments": [
                {"id": item.id, "tier": item.tier, "work_package": item.work_package}
                for item in state.environments.values()
            ],
            "volumes": [
                {
                    "id": volume,
                    "kind": made["kind"],
                    "environment": made["environment"],
                    "destroyed_at": made["destroyed"]["destroyed_at"],
                    "key_id": made["destroyed"]["key_id"],
                    "method": made["destroyed"]["method"],
                }
                for volume, made in state.volumes.items()
            ],
            "words": "The encryption key of each volume was destroyed. Without its key the content cannot be read by anybody. "
            "No claim is made about the physical surface of the disk.",
            "at": hands.clock().isoformat(timespec="seconds"),
        }
    )
    hands.fact("project.destroyed", name, certificate=certificate)
