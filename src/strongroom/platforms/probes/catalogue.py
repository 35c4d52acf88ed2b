"""The probes as data, what they do not cover, and the reference page made from both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from strongroom.platforms.probes.model import Probe

NET, KERNEL, RESIDUE = "outbound_network", "kernel_isolation", "residue"
INBOUND, DEVICES, COPY = "inbound_network", "device_sharing", "copy_out"
Row = tuple[str, str, str, str]

INSIDE: tuple[Row, ...] = (
    ("outside_names", "Do names of the internet resolve?", NET, "no name resolves"),
    ("resolver_packets", "Can a DNS question leave for any resolver?", NET, "no packet leaves"),
    ("default_route", "Is there any route out?", NET, "no route but loopback"),
    ("public_route", "Is there a way to public addresses?", NET, "unreachable"),
    ("metadata_route", "Is there a way to a cloud's metadata service?", NET, "unreachable"),
    ("private_routes", "Is there a way to the usual private container networks?", NET, "unreachable"),
    ("host_address", "Does a service on the host's own addresses answer?", NET, "no connection"),
    ("host_bridge", "Does a service on the host's bridges answer?", NET, "no connection"),
    ("host_link_local", "Does a service answer on the host's IPv6 link-local addresses?", NET, "no connection"),
    ("other_environments", "Do other environments answer?", NET, "no connection"),
    ("abstract_sockets", "Can an abstract socket of the host be connected to?", NET, "refused"),
    ("change_routes", "Can a route or an address be added?", NET, "refused"),
    ("raw_packets", "Can raw ICMP packets be made?", NET, "refused"),
    ("packet_capture", "Can the network be sniffed?", NET, "refused"),
    ("multicast", "Can a multicast leave?", NET, "unreachable"),
    ("broadcast", "Can a broadcast leave?", NET, "unreachable"),
    ("hypervisor_socket", "Can a socket to the hypervisor (AF_VSOCK) be made?", NET, "refused"),
    ("odd_sockets", "Can sockets of rarely used kernel families be made?", KERNEL, "refused"),
    ("mount", "Can anything be mounted?", KERNEL, "refused"),
    ("make_device", "Can a device file be made?", KERNEL, "refused"),
    ("nested_user_namespace", "Can a user namespace be made, whose root meets more of the kernel?", KERNEL, "refused"),
    ("new_namespaces", "Can namespaces be made or entered?", KERNEL, "refused"),
    ("change_root", "Can the root be changed?", KERNEL, "refused"),
    ("file_handles", "Can files be opened by handle, past the mounts?", KERNEL, "refused"),
    ("kernel_log", "Can the kernel's log be read?", KERNEL, "refused"),
    ("clock", "Can the clock be set?", KERNEL, "refused"),
    ("bpf", "Can programs be loaded into the kernel?", KERNEL, "refused"),
    ("performance_counters", "Can performance counters be opened?", KERNEL, "refused"),
    ("fault_handling", "Can page faults be handled in user space?", KERNEL, "refused"),
    ("io_uring", "Can io_uring be used?", KERNEL, "refused"),
    ("keyrings", "Can kernel keyrings be used?", KERNEL, "refused"),
    ("old_system_calls", "Is the 32-bit entry a way round the system call filter?", KERNEL, "refused"),
    ("machine_control", "Can modules or a kernel be loaded, the machine restarted, swap added?", KERNEL, "refused"),
    ("trace_others", "Can processes of another user be traced or read?", KERNEL, "refused"),
    ("gain_by_setuid", "Can a process gain rights or change its user?", KERNEL, "refused"),
    ("capabilities", "Does any process hold or may it gain a capability?", KERNEL, "all sets empty"),
    ("system_call_filter", "Is the system call filter on?", KERNEL, "mode 2"),
    ("root_writes", "Can the root file system be written?", RESIDUE, "read-only"),
    ("data_writes", "Can read-only volumes be written?", "data_ingress", "read-only"),
    ("kernel_settings", "Can kernel settings be written?", KERNEL, "read-only"),
    (
        "kernel_files",
        "Can kernel memory, keys, timers or the system request trigger be opened?",
        KERNEL,
        "absent or empty",
    ),
    ("system_tree", "Can /sys be written?", KERNEL, "read-only"),
    ("control_groups", "Can the control groups, that is the limits, be written?", KERNEL, "read-only"),
    ("devices", "Are devices of the host present?", DEVICES, "only the harmless ones"),
    ("loop_devices", "Are loop devices present?", DEVICES, "none"),
    ("host_files", "Is a fresh file of the host found anywhere?", KERNEL, "not found"),
    ("host_sockets", "Are control sockets of the host present?", KERNEL, "none"),
    ("host_processes", "Are processes of the host visible?", KERNEL, "none"),
    ("host_name", "Do the host's name or addresses show?", KERNEL, "neither"),
    ("resolver_address", "Does the address of a resolver show?", NET, "none, or loopback"),
)
HOST: tuple[Row, ...] = (
    ("witness", "Is what answered inside really a process of this container, filtered as the others?", KERNEL, "seen"),
    (
        "user_mapping",
        "Are all users mapped to the environment's own range?",
        KERNEL,
        "one range, not the host's, nobody else's",
    ),
    (
        "namespaces",
        "Has the pod namespaces of its own, shared with nobody?",
        KERNEL,
        "own ones, only the agreed ones shared",
    ),
    (
        "process_rights",
        "Is every process without capabilities, filtered and unable to gain rights?",
        KERNEL,
        "every one",
    ),
    ("interfaces", "Are there network devices?", NET, "only loopback"),
    ("routes", "Are there routes in the kernel's tables?", NET, "only loopback"),
    ("listeners", "Does anything listen where others could connect?", INBOUND, "only on loopback"),
    (
        "reachable_from_host",
        "Do the pod's ports answer from the host's network?",
        INBOUND,
        "no connection, no published port",
    ),
    ("root_mount", "Is the root mounted read-only?", RESIDUE, "ro"),
    ("mounts", "Are exactly the expected file systems mounted, with the expected modes and sizes?", RESIDUE, "exactly"),
    ("memory_limit", "Does the kernel hold the memory limit?", KERNEL, "as asked"),
    ("process_limit", "Does the kernel hold the limit of processes?", KERNEL, "as asked"),
    ("log_driver", "Is the output of the containers kept anywhere?", RESIDUE, "driver none, no log file"),
    ("core_dumps", "Are crashed processes' memories handed to a program of the host?", RESIDUE, "no pipe, no socket"),
    ("swap", "Could memory be written to an unencrypted swap?", RESIDUE, "none, or encrypted"),
    ("secrets", "Are secrets or the host's proxy settings in the environment variables?", KERNEL, "none"),
    ("clipboard", "Is every clipboard switch of the display server off?", COPY, "off, and locked"),
)
KNOWN: tuple[Row, ...] = (
    ("kernel_version", "The version of the host's kernel shows.", KERNEL, "visible: one kernel is shared"),
    ("memory_total", "The memory of the whole host shows.", KERNEL, "visible: one kernel is shared"),
    ("load_average", "The load of the whole host shows.", KERNEL, "visible: a slow side channel between environments"),
    ("storage_path", "Paths of the host's image storage and control groups show.", KERNEL, "visible: names only"),
)
NOT_COVERED: tuple[str, ...] = (
    "Faults in the kernel itself: all containers of a host share one (the control kernel_isolation says so).",
    "Side channels through processor caches, shared memory pages, timing and disk load.",
    "The host's load, total memory and kernel version, which a shared kernel shows to everybody.",
    "What people see and photograph or type: a screen is a way out that no probe closes.",
    "Whether the filter that lets only pixels pass works: the gateway's own tests prove that.",
    "The process and memory limits are read from the kernel, not tried, so as not to disturb work going on.",
    "Physical access to the host, its firmware and its memory.",
)


def _rows(rows: tuple[Row, ...], where: Literal["inside", "host"], kind: Literal["probe", "known"]) -> Iterator[Probe]:
    for name, asks, control, expects in rows:
        yield Probe(name, asks, control, where, expects, kind)


PROBES: tuple[Probe, ...] = (
    *_rows(INSIDE, "inside", "probe"),
    *_rows(HOST, "host", "probe"),
    *_rows(KNOWN, "host", "known"),
)
BY_ID: dict[str, Probe] = {probe.id: probe for probe in PROBES}


def reference() -> str:
    """The reference page of all probes, in Markdown."""
    counted = [probe for probe in PROBES if probe.kind == "probe"]
    lines = [
        "# Probes",
        "",
        f"{len(counted)} questions are put to each environment of Tier 2 and above: at creation, on schedule and before",
        "anyone enters. A probe *holds*, is *broken*, or is *unknown*; unknown counts as broken at Tier 2 and above.",
        "Every probe has a test in which a hole opened on purpose turns it red.",
        "",
    ]
    titles = {
        "inside": "Tried from inside, by a process the researcher cannot trace, as the researcher, and as the "
        "container's root",
        "host": "Read from the kernel, and tried, on the host's side",
    }
    for where, title in titles.items():
        lines += [f"## {title}", "", "| Probe | Asks | Control | Expects |", "|---|---|---|---|"]
        rows = [probe for probe in counted if probe.where == where]
        lines += [f"| `{row.id}` | {row.asks} | `{row.control}` | {row.expects} |" for row in rows]
        lines.append("")
    lines += ["## Shown, but not closed", "", "| Fact | What shows | Why |", "|---|---|---|"]
    lines += [f"| `{row.id}` | {row.asks} | {row.expects} |" for row in PROBES if row.kind == "known"]
    lines += ["", "## Not covered", "", *(f"- {line}" for line in NOT_COVERED), ""]
    return "\n".join(lines)
