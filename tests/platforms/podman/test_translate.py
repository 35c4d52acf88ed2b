"""Arguments of podman for a pod, and the filter of system calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strongroom.platforms import manifests
from strongroom.platforms.podman import seccomp, translate
from tests.platforms.specs import spec

SCREEN = Path("/screen")
CLAIMS = {f"env-2-{volume.name}": volume.path for volume in spec().volumes}


def _arguments(part: int = 1) -> list[str]:
    pod = manifests.pod(spec())
    return translate.container_arguments(pod, pod["spec"]["containers"][part], "name", SCREEN, CLAIMS)


def test_a_pod_has_no_network_and_mapped_users() -> None:
    arguments = translate.pod_arguments(manifests.pod(spec()), "name", "test")
    assert arguments[arguments.index("--network") + 1] == "none"
    assert arguments[arguments.index("--uidmap") + 1] == "0:3000000:65536"
    assert arguments[arguments.index("--share") + 1] == "net,ipc,uts"


@pytest.mark.parametrize("part", [0, 1])
def test_a_container_has_no_privilege(part: int) -> None:
    text = " ".join(_arguments(part))
    for words in ("--read-only --read-only-tmpfs=false", "--cap-drop all", "no-new-privileges", "core=0:0"):
        assert words in text
    assert "--log-driver none" in text and "--http-proxy=false" in text and "seccomp=" in text


def test_volumes_are_mounted_as_asked() -> None:
    arguments = _arguments()
    assert "/volumes/pupils:/data/pupils:ro,nosuid,nodev,noexec,private" in arguments
    assert "/volumes/output:/output:rw,nosuid,nodev,noexec,private" in arguments
    assert "/volumes/work:/work:rw,nosuid,nodev,private" in arguments
    assert "/screen:/tmp/.X11-unix:ro,nosuid,nodev,noexec,private" in arguments


@pytest.mark.parametrize(
    ("where", "change"),
    [
        (("spec",), {"hostNetwork": True}),
        (("spec",), {"hostUsers": True}),
        (("spec", "containers", 1), {"lifecycle": {}}),
        (("spec", "containers", 1, "securityContext"), {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}),
        (("spec", "containers", 1, "securityContext"), {"sysctls": []}),
        (("spec", "volumes", 2, "emptyDir"), {"medium": ""}),
    ],
)
def test_what_cannot_be_given_is_an_error_and_never_dropped(where: tuple[Any, ...], change: dict[str, Any]) -> None:
    pod: Any = manifests.pod(spec())
    place = pod
    for step in where:
        place = place[step]
    place.update(change)
    with pytest.raises(translate.Untranslatable):
        translate.pod_arguments(pod, "name", "test")
        translate.container_arguments(pod, pod["spec"]["containers"][1], "name", SCREEN, CLAIMS)


def test_the_profile_refuses_namespaces_keys_and_foreign_sockets() -> None:
    profile = json.loads(seccomp.PROFILE.read_text())
    allowed = {name for rule in profile["syscalls"] if rule["action"] == seccomp.ALLOW for name in rule["names"]}
    assert not allowed & seccomp.REFUSED and not allowed & seccomp.UNKNOWN
    families = {rule["args"][0]["value"] for rule in profile["syscalls"] if "socket" in rule["names"]}
    assert families == {seccomp.UNIX, seccomp.INET, seccomp.INET6, seccomp.NETLINK}
    assert all(not entry["subArchitectures"] for entry in profile["archMap"])
    (clone,) = [rule for rule in profile["syscalls"] if "clone" in rule["names"]]
    assert clone["args"][0]["value"] & 0x1000_0000, "a new user namespace must not pass"
