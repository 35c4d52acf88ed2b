"""Put the probes to an environment of this host: what to expect is read off the manifest that it was started from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strongroom.layout import Layout
from strongroom.platforms import manifests
from strongroom.platforms.podman import engine, translate
from strongroom.platforms.probes import Expected, Mount, PodView, Result, Role, run_probes
from strongroom.platforms.protocol import EnvironmentSpec

MEGABYTE = 1024 * 1024


def view(layout: Layout, spec: EnvironmentSpec) -> PodView:
    """The running pod as the probes look at it."""
    pod, name = manifests.pod(spec), layout.label(spec.id)
    roles = {container["name"]: _role(pod, container) for container in pod["spec"]["containers"]}
    return PodView(
        name, {role: f"{name}-{role}" for role in roles}, Expected(spec.uid_base, roles, pixels_only=not spec.clipboard)
    )


def probe(layout: Layout, spec: EnvironmentSpec) -> list[Result]:
    """Every probe, one result each; takes a few seconds."""
    return run_probes(view(layout, spec), environ=engine.environ())


def _role(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Role:
    volumes = translate.volumes(pod)
    mounts = []
    for mount in container["volumeMounts"]:
        memory = volumes[mount["name"]].get("emptyDir") if mount["name"] != "screen" else None
        size = int(memory["sizeLimit"].removesuffix("Mi")) * MEGABYTE if memory else None
        mounts.append(Mount(mount["mountPath"], not mount["readOnly"], size))
    return Role(
        uid=container["securityContext"]["runAsUser"],
        memory=int(container["resources"]["limits"]["memory"].removesuffix("Mi")) * MEGABYTE,
        pids=int(translate.annotation(pod, f"pids.{container['name']}")),
        mounts=tuple(mounts),
    )
