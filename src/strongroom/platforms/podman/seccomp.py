"""Which system calls a container may make: podman's list made smaller, written to ``seccomp.json`` beside this file.

``python -m strongroom.platforms.podman.seccomp`` writes it anew from the host's default profile.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PROFILE = Path(__file__).with_name("seccomp.json")
DEFAULT = Path("/usr/share/containers/seccomp.json")

ALLOW, REFUSE = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
EPERM, ENOSYS = 1, 38

# Namespaces, mounts, kernel keys, other processes' memory, and young parts of the kernel that analysis does not need.
REFUSED = frozenset(
    (
        "acct",
        "add_key",
        "bpf",
        "chroot",
        "delete_module",
        "fanotify_init",
        "finit_module",
        "fsconfig",
        "fsmount",
        "fsopen",
        "fspick",
        "init_module",
        "io_uring_enter",
        "io_uring_register",
        "io_uring_setup",
        "ioperm",
        "iopl",
        "kcmp",
        "kexec_file_load",
        "kexec_load",
        "keyctl",
        "lookup_dcookie",
        "mount",
        "mount_setattr",
        "move_mount",
        "name_to_handle_at",
        "nfsservctl",
        "open_by_handle_at",
        "open_tree",
        "perf_event_open",
        "pidfd_getfd",
        "pivot_root",
        "process_madvise",
        "process_vm_readv",
        "process_vm_writev",
        "ptrace",
        "quotactl",
        "quotactl_fd",
        "reboot",
        "request_key",
        "setdomainname",
        "sethostname",
        "setns",
        "swapoff",
        "swapon",
        "syslog",
        "umount",
        "umount2",
        "unshare",
        "userfaultfd",
        "vhangup",
    )
)
CLONE = "clone"
SOCKET = "socket"
# Answered "no such call", so that the C library falls back to clone, whose flags a filter can see.
UNKNOWN = frozenset({"clone3", "socketcall"})
NAMESPACE_FLAGS = 0x7E02_0000
UNIX, INET, INET6, NETLINK, NETLINK_ROUTE = 1, 2, 10, 16, 0


def harden(default: dict[str, Any]) -> dict[str, Any]:
    """The profile: what the default allows without any capability, less what is refused here."""
    rules = [
        {**rule, "names": kept}
        for rule in default["syscalls"]
        if rule["action"] == ALLOW and not (rule.get("includes") or {}).get("caps")
        if (kept := sorted(set(rule["names"]) - REFUSED - UNKNOWN - {CLONE, SOCKET}))
    ]
    return {
        "defaultAction": REFUSE,
        "defaultErrnoRet": ENOSYS,
        # Only the machine's own call table: the older ones on the same chip would go round rules on arguments.
        "archMap": [{"architecture": entry["architecture"], "subArchitectures": []} for entry in default["archMap"]],
        "syscalls": [*rules, _clone(), *_sockets(), _rule(REFUSE, sorted(REFUSED), errnoRet=EPERM)],
    }


def _rule(action: str, names: list[str], args: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    return {"names": names, "action": action, "args": args or [], "comment": "", "includes": {}, "excludes": {}, **more}


def _equal(index: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": value, "valueTwo": 0, "op": "SCMP_CMP_EQ"}


def _clone() -> dict[str, Any]:
    plain = {"index": 0, "value": NAMESPACE_FLAGS, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    return _rule(ALLOW, [CLONE], [plain])


def _sockets() -> list[dict[str, Any]]:
    families = [_rule(ALLOW, [SOCKET], [_equal(0, family)]) for family in (UNIX, INET, INET6)]
    return [*families, _rule(ALLOW, [SOCKET], [_equal(0, NETLINK), _equal(2, NETLINK_ROUTE)])]


def main() -> None:
    """Write the profile."""
    PROFILE.write_text(json.dumps(harden(json.loads(DEFAULT.read_text())), indent=1) + "\n")


if __name__ == "__main__":
    main()
