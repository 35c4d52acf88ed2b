"""From an environment's spec to ordinary Kubernetes objects that satisfy Pod Security ``restricted``; pure.

What Kubernetes has no field for (first host uid, number of processes, limits of the desktop) stands in annotations,
so that one document says all of what shall run.
"""

from __future__ import annotations

import re
from typing import Any

from strongroom.platforms.protocol import DISPLAY, RESEARCHER, EnvironmentSpec, Volume

Manifest = dict[str, Any]

ANNOTATION = "strongroom.io/"
SECCOMP_PROFILE = "strongroom/seccomp.json"
X_FOLDER = "/tmp/.X11-unix"
LIBRARY = "/usr/local/lib/strongroom"
DISPLAY_MEMORY_MB = 384
DISPLAY_CPUS = 0.5
DISPLAY_PIDS = 64
SHARED_MEMORY_MB = 256
IDENTIFIER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?")


class BadSpec(ValueError):
    """The spec cannot be rendered; the text says what to change."""


def render(spec: EnvironmentSpec) -> list[Manifest]:
    """The pod, its claims, and a policy without a single allowed connection."""
    check(spec)
    return [_network_policy(spec), *(_claim(spec, volume) for volume in spec.volumes), pod(spec)]


def check(spec: EnvironmentSpec) -> None:
    """Raise BadSpec for what no platform could run as meant."""
    if not IDENTIFIER.fullmatch(spec.id):
        raise BadSpec(f"{spec.id!r} is no environment id: use up to 42 lower case letters, digits and dashes.")
    if spec.kernel_isolation != "shared":
        raise BadSpec(
            f"Kernel isolation {spec.kernel_isolation!r} is not offered: ask for 'shared' or another platform."
        )
    mounts = [volume.mount for volume in spec.volumes]
    if len(set(mounts)) != len(mounts):
        raise BadSpec("Two volumes have the same mount point: give each its own.")
    for volume in spec.volumes:
        if not re.fullmatch(r"(/[a-z0-9][a-z0-9._-]*){1,3}", volume.mount) or volume.mount.split("/")[1] not in PLACES:
            raise BadSpec(
                f"Volume {volume.name!r} cannot be mounted at {volume.mount!r}: use a folder in {sorted(PLACES)}."
            )
    if spec.uid_base < 100_000 or min(spec.cpus, spec.memory_mb, spec.tmp_mb, spec.pids) <= 0:
        raise BadSpec("uid_base must be at least 100000 and every limit above zero.")


PLACES = frozenset({"data", "documents", "scratch", "output", "software", "home", "work"})


def pod(spec: EnvironmentSpec) -> Manifest:
    """The pod alone: a display container that the researcher cannot reach, and a work container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**_metadata(spec, spec.id), "annotations": _annotations(spec)},
        "spec": {
            "hostUsers": False,
            "hostname": "environment",
            "restartPolicy": "Always",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "shareProcessNamespace": False,
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["127.0.0.1"]},
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "Localhost", "localhostProfile": SECCOMP_PROFILE},
            },
            "containers": [_display(spec), _work(spec)],
            "volumes": [
                _memory("screen", 1),
                _memory("display-tmp", 16),
                _memory("tmp", spec.tmp_mb),
                _memory("shm", SHARED_MEMORY_MB),
                *(_claimed(spec, volume) for volume in spec.volumes),
            ],
        },
    }


def _metadata(spec: EnvironmentSpec, name: str) -> Manifest:
    return {"name": name, "labels": {f"{ANNOTATION}environment": spec.id, f"{ANNOTATION}tier": str(spec.tier)}}


def _annotations(spec: EnvironmentSpec) -> dict[str, str]:
    return {
        f"{ANNOTATION}spec": spec.digest,
        f"{ANNOTATION}uid-base": str(spec.uid_base),
        f"{ANNOTATION}network": spec.network,
        f"{ANNOTATION}pids.display": str(DISPLAY_PIDS),
        f"{ANNOTATION}pids.work": str(spec.pids),
    }


def _container(spec: EnvironmentSpec, name: str, uid: int, program: str, memory: int, cpus: float) -> Manifest:
    amount = {"cpu": f"{int(cpus * 1000)}m", "memory": f"{memory}Mi"}
    clipboard = {"name": "STRONGROOM_CLIPBOARD", "value": "allowed" if spec.clipboard else "refused"}
    return {
        "name": name,
        "image": spec.image,
        "imagePullPolicy": "Never",
        "command": ["python3", f"{LIBRARY}/{program}.py"],
        "env": [clipboard, *({"name": key, "value": value} for key, value in spec.env)],
        "resources": {"limits": dict(amount), "requests": dict(amount)},
        "securityContext": {
            "runAsUser": uid,
            "runAsGroup": uid,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _display(spec: EnvironmentSpec) -> Manifest:
    mounts = [_mount("display-tmp", "/tmp"), _mount("screen", X_FOLDER)]
    return {**_container(spec, "display", DISPLAY, "display", DISPLAY_MEMORY_MB, DISPLAY_CPUS), "volumeMounts": mounts}


def _work(spec: EnvironmentSpec) -> Manifest:
    mounts = [_mount("tmp", "/tmp"), _mount("shm", "/dev/shm"), _mount("screen", X_FOLDER, read_only=True)]
    mounts += [_mount(f"volume-{volume.name}", volume.mount, volume.mode == "ro") for volume in spec.volumes]
    return {**_container(spec, "work", RESEARCHER, "desktop", spec.memory_mb, spec.cpus), "volumeMounts": mounts}


def _mount(name: str, path: str, read_only: bool = False) -> Manifest:
    return {"name": name, "mountPath": path, "readOnly": read_only}


def _memory(name: str, megabytes: int) -> Manifest:
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": f"{megabytes}Mi"}}


def _claim_name(spec: EnvironmentSpec, volume: Volume) -> str:
    return f"{spec.id}-{volume.name}"


def _claimed(spec: EnvironmentSpec, volume: Volume) -> Manifest:
    claim = {"claimName": _claim_name(spec, volume), "readOnly": volume.mode == "ro"}
    return {"name": f"volume-{volume.name}", "persistentVolumeClaim": claim}


def _claim(spec: EnvironmentSpec, volume: Volume) -> Manifest:
    metadata = _metadata(spec, _claim_name(spec, volume))
    metadata["labels"] = {**metadata["labels"], f"{ANNOTATION}kind": volume.kind}
    access = "ReadOnlyMany" if volume.mode == "ro" else "ReadWriteOnce"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": {
            "accessModes": [access],
            "volumeName": _claim_name(spec, volume),
            "storageClassName": "",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }


def _network_policy(spec: EnvironmentSpec) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(spec, f"{spec.id}-nothing"),
        "spec": {
            "podSelector": {"matchLabels": {f"{ANNOTATION}environment": spec.id}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": [],
        },
    }
