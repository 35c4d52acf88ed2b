"""What a spec is rendered to: golden files for each tier, Pod Security ``restricted``, and refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from strongroom.platforms import manifests
from strongroom.platforms.protocol import Volume
from tests.platforms.specs import spec
from tests.proves import proves

GOLDEN = Path(__file__).with_name("golden")


@pytest.mark.parametrize("tier", [0, 1, 2, 3])
def test_manifests_of_a_tier_are_the_golden_ones(tier: int) -> None:
    """A change of what runs is a visible difference; STRONGROOM_GOLDEN=write accepts it."""
    text = json.dumps(manifests.render(spec(tier)), indent=1, sort_keys=True) + "\n"
    path = GOLDEN / f"tier-{tier}.json"
    if os.environ.get("STRONGROOM_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("tier", [0, 1, 2, 3])
def test_pod_security_restricted(tier: int) -> None:
    """Every rule of the profile ``restricted``, one by one."""
    pod = manifests.pod(spec(tier))["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["hostUsers"] is False
    assert pod["securityContext"]["seccompProfile"]["type"] in ("RuntimeDefault", "Localhost")
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"emptyDir", "persistentVolumeClaim"}
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False and security["privileged"] is False
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0
        assert security["capabilities"] == {"drop": ["ALL"]} and security["readOnlyRootFilesystem"] is True
        assert "ports" not in container and container["resources"]["limits"]["memory"]


@proves("P149", "satre:2.2.09", "satre:2.2.11")
def test_no_connection_is_allowed() -> None:
    policy = manifests.render(spec())[0]
    assert policy["kind"] == "NetworkPolicy"
    assert policy["spec"]["ingress"] == policy["spec"]["egress"] == []
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


def _mounts(container: dict[str, Any]) -> dict[str, bool]:
    return {mount["mountPath"]: mount["readOnly"] for mount in container["volumeMounts"]}


@proves("P121", "P122")
def test_data_and_documents_are_read_only_and_the_display_sees_no_volume() -> None:
    display, work = manifests.pod(spec())["spec"]["containers"]
    mounts = _mounts(work)
    assert mounts["/data/pupils"] and mounts["/documents"] and mounts["/tmp/.X11-unix"]
    assert not mounts["/output"] and not mounts["/work"]
    assert set(_mounts(display)) == {"/tmp", "/tmp/.X11-unix"}
    assert display["securityContext"]["runAsUser"] != work["securityContext"]["runAsUser"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "../x"}, "is no environment id"),
        ({"id": "A"}, "is no environment id"),
        ({"kernel_isolation": "dedicated"}, "not offered"),
        ({"uid_base": 0}, "uid_base"),
        ({"memory_mb": 0}, "above zero"),
        ({"volumes": (Volume("x", "data", Path("/v"), "rw", "/etc"),)}, "cannot be mounted"),
        ({"volumes": (Volume("x", "data", Path("/v"), "rw", "/data/../etc"),)}, "cannot be mounted"),
        ({"volumes": (Volume("x", "data", Path("/v"), "rw", "/data/a"),) * 2}, "same mount point"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(manifests.BadSpec, match=words):
        manifests.render(spec(**changes))


def test_every_field_counts_in_the_digest() -> None:
    digests = {spec(**change).digest for change in ({}, {"memory_mb": 1}, {"clipboard": True}, {"env": (("A", "b"),)})}
    assert len(digests) == 4
