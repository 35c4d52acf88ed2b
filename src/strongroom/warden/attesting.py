"""One environment's attestation: what was asked, what runs, what every probe found, signed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from strongroom import attest
from strongroom.domain.project import Environment, Project
from strongroom.policy import tiers
from strongroom.warden.hands import Hands
from strongroom.warden.works.environments import plan_of, spec_of

ATTESTED = ("running", "suspended")


def attestation(hands: Hands, state: Project, item: Environment) -> dict[str, Any]:
    """Read the pod back now and sign it with the newest results of its probes, which are on record."""
    spec = spec_of(hands, state, item)
    observed = hands.platform.observe(spec)
    asked = asdict(spec)
    # Where volumes lie on the host helps nobody but an intruder.
    asked["volumes"] = [{key: one[key] for key in ("name", "kind", "mode", "mount")} for one in asked["volumes"]]
    volumes = [
        {"mount": made["mount"], "kind": made["kind"], "encryption": made["encryption"]}
        for made in state.volumes.values()
        if made["environment"] == item.id
    ]
    return hands.signed(
        {
            "kind": attest.KIND,
            "project": state.id,
            "environment": item.id,
            "work_package": item.work_package,
            "tier": item.tier,
            "first_assessment": item.assessment,
            "image": spec.image,
            "rules": tiers.digest(),
            "controls": dict(plan_of(state, item).controls),
            "asked": asked,
            "asked_digest": spec.digest,
            "volumes": volumes,
            "phase": observed.phase,
            "drift": list(observed.drift),
            "probes": [dict(one) for one in item.results],
            "summary": {name: int(item.probes.get(name, 0)) for name in ("holds", "broken", "unknown")},
            "probed_at": item.probed_at,
            "entry": item.seq,
            "at": hands.clock().isoformat(timespec="seconds"),
        }
    )
