"""From a rendered pod to the arguments of ``podman pod create`` and ``podman create``.

``podman kube play`` 4.3.1 is not used: it silently ignores fields that matter here (sizes and medium of ``emptyDir``,
sysctls), and has no words for others (number of processes, mapped uids, no log). A field this module does not know is
an error, so nothing that a manifest asks for is dropped without notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strongroom.platforms.manifests import ANNOTATION
from strongroom.platforms.podman.engine import default_limits
from strongroom.platforms.podman.seccomp import PROFILE

UIDS = 65_536
# Host facts that no analysis needs: other environments' volumes and load would show in them.
MASKED = ("/sys/block", "/sys/class/block", "/sys/dev/block", "/proc/diskstats", "/proc/partitions", "/proc/swaps")
# Podman would write the host's own name and resolver into these.
ETC = Path(__file__).parent / "etc"
NAMES = ("hosts", "resolv.conf")
# Places whose files are data, never programs.
DATA_PLACES = ("/data", "/documents", "/output")

POD_FIELDS = frozenset(
    (
        "hostUsers",
        "hostname",
        "restartPolicy",
        "automountServiceAccountToken",
        "enableServiceLinks",
        "shareProcessNamespace",
        "dnsPolicy",
        "dnsConfig",
        "securityContext",
        "containers",
        "volumes",
    )
)
CONTAINER_FIELDS = frozenset(
    ("name", "image", "imagePullPolicy", "command", "env", "resources", "securityContext", "volumeMounts")
)
SECURITY_FIELDS = frozenset(
    (
        "runAsUser",
        "runAsGroup",
        "runAsNonRoot",
        "allowPrivilegeEscalation",
        "readOnlyRootFilesystem",
        "privileged",
        "capabilities",
    )
)


class Untranslatable(ValueError):
    """The manifest asks for something that cannot be given on one host."""


def annotation(pod: Mapping[str, Any], name: str) -> str:
    """Value of one of our annotations."""
    return str(pod["metadata"]["annotations"][ANNOTATION + name])


def pod_arguments(pod: Mapping[str, Any], name: str, instance: str) -> list[str]:
    """Arguments of ``podman pod create``."""
    _known("pod", pod["spec"], POD_FIELDS)
    if pod["spec"]["hostUsers"] or pod["spec"]["shareProcessNamespace"]:
        raise Untranslatable("A pod here has its own users, and each container its own processes.")
    base = annotation(pod, "uid-base")
    return [
        *("--name", name, "--infra-name", f"{name}-infra", "--infra-image", pod["spec"]["containers"][0]["image"]),
        *("--infra-command", "/usr/bin/sleep infinity", "--share", "net,ipc,uts"),
        *("--network", annotation(pod, "network"), "--no-hosts", "--hostname", pod["spec"]["hostname"]),
        *("--uidmap", f"0:{base}:{UIDS}", "--gidmap", f"0:{base}:{UIDS}"),
        *("--label", f"strongroom.instance={instance}", "--label", f"strongroom.environment={pod['metadata']['name']}"),
        *("--label", f"strongroom.spec={annotation(pod, 'spec')}"),
    ]


def container_arguments(
    pod: Mapping[str, Any], container: Mapping[str, Any], pod_name: str, screen: Path, claims: Mapping[str, Path]
) -> list[str]:
    """Arguments of ``podman create`` for one container of the pod."""
    _known("container", container, CONTAINER_FIELDS)
    security = container["securityContext"]
    _known("securityContext", security, SECURITY_FIELDS)
    if security["allowPrivilegeEscalation"] or security["privileged"] or security["capabilities"] != {"drop": ["ALL"]}:
        raise Untranslatable("A container here has no privilege and no capability.")
    name = f"{pod_name}-{container['name']}"
    memory = container["resources"]["limits"]["memory"].removesuffix("Mi")
    return [
        *("--pod", pod_name, "--name", name, "--user", f"{security['runAsUser']}:{security['runAsGroup']}"),
        *hardening(security["readOnlyRootFilesystem"]),
        *limits(int(memory), cpus(container), int(annotation(pod, f"pids.{container['name']}"))),
        *(part for entry in container["env"] for part in ("--env", f"{entry['name']}={entry['value']}")),
        *(part for mount in container["volumeMounts"] for part in _mount(pod, mount, screen, claims)),
        *(part for name in NAMES for part in bind(ETC / name, f"/etc/{name}", read_only=True, no_programs=True)),
        *("--workdir", "/", container["image"], *container["command"]),
    ]


def hardening(read_only: bool = True) -> list[str]:
    """What every container of ours gets, the throwaway ones too."""
    return [
        *(["--read-only", "--read-only-tmpfs=false"] if read_only else []),
        *("--cap-drop", "all", "--security-opt", "no-new-privileges", "--security-opt", f"seccomp={PROFILE}"),
        *("--security-opt", f"mask={':'.join(MASKED)}", "--cgroupns", "private", "--log-driver", "none"),
        *(part for name, most in default_limits().items() for part in ("--ulimit", f"{name}={most}:{most}")),
        *("--http-proxy=false", "--systemd=false", "--pull", "never", "--restart", "no"),
        *("--stop-timeout", "2", "--no-healthcheck"),
    ]


def limits(memory_mb: int, cpu: float, pids: int) -> list[str]:
    """Memory without swap, processors, number of processes."""
    memory = f"{memory_mb}m"
    return ["--memory", memory, "--memory-swap", memory, "--cpus", f"{cpu:g}", "--pids-limit", str(pids)]


def cpus(container: Mapping[str, Any]) -> float:
    """Processors of one container."""
    return int(container["resources"]["limits"]["cpu"].removesuffix("m")) / 1000


def tmpfs(path: str, megabytes: int) -> list[str]:
    """A folder in memory, bounded, that every user may write."""
    return ["--mount", f"type=tmpfs,destination={path},tmpfs-size={megabytes}m,tmpfs-mode=1777,notmpcopyup"]


def bind(source: Path, destination: str, *, read_only: bool, no_programs: bool) -> list[str]:
    """A folder of the host."""
    options = ["ro" if read_only else "rw", "nosuid", "nodev", *(["noexec"] if no_programs else []), "private"]
    if ":" in str(source):
        raise Untranslatable(f"The folder {source} has a colon in its name: give it another.")
    return ["--volume", f"{source}:{destination}:{','.join(options)}"]


def volumes(pod: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Volumes of the pod by name."""
    return {volume["name"]: volume for volume in pod["spec"]["volumes"]}


def no_programs(destination: str) -> bool:
    """Whether nothing below may be executed."""
    return destination.startswith(DATA_PLACES)


def _mount(pod: Mapping[str, Any], mount: Mapping[str, Any], screen: Path, claims: Mapping[str, Path]) -> list[str]:
    volume, path = volumes(pod)[mount["name"]], mount["mountPath"]
    if mount["name"] == "screen":
        return bind(screen, path, read_only=mount["readOnly"], no_programs=True)
    if memory := volume.get("emptyDir"):
        if memory.get("medium") != "Memory":
            raise Untranslatable(f"Volume {mount['name']} would be on the host's disk: its medium must be Memory.")
        return tmpfs(path, int(memory["sizeLimit"].removesuffix("Mi")))
    claim = volume["persistentVolumeClaim"]["claimName"]
    return bind(claims[claim], path, read_only=mount["readOnly"], no_programs=no_programs(path))


def _known(what: str, fields: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := set(fields) - known:
        raise Untranslatable(f"Unknown fields of a {what}: {', '.join(sorted(unknown))}.")
