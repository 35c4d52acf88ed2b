"""Holes opened on purpose: for each pod, which probes must turn red because of it."""

from __future__ import annotations

from tests.platforms.probes.lab import HARD, LIMITS, QUIET, TMP, Design

SERVER = "import http.server as h; h.HTTPServer(('0.0.0.0', 8000), h.SimpleHTTPRequestHandler).serve_forever()"

PRIVILEGED = Design(
    pod=("--network", "none"),
    container=("--privileged", "--log-driver", "k8s-file", "-v", "/sys/kernel/mm:/sys/kernel/mm:rw"),
    data="rw",
)
PRIVILEGED_RED = [
    "change_routes",
    "raw_packets",
    "packet_capture",
    "hypervisor_socket",
    "odd_sockets",
    "mount",
    "make_device",
    "nested_user_namespace",
    "new_namespaces",
    "change_root",
    "file_handles",
    "kernel_log",
    "clock",
    "bpf",
    "performance_counters",
    "fault_handling",
    "io_uring",
    "keyrings",
    "machine_control",
    "trace_others",
    "gain_by_setuid",
    "capabilities",
    "system_call_filter",
    "root_writes",
    "data_writes",
    "kernel_settings",
    "kernel_files",
    "system_tree",
    "control_groups",
    "devices",
    "loop_devices",
    "user_mapping",
    "process_rights",
    "root_mount",
    "mounts",
    "memory_limit",
    "process_limit",
    "log_driver",
]

# No filter, no bound, a secret, a control socket: but users are mapped and capabilities dropped.
UNFILTERED = Design(
    container=(
        *("--cap-drop", "all", "--security-opt", "seccomp=unconfined", "--read-only", "--log-driver", "k8s-file"),
        *("--tmpfs", "/tmp", "-e", "API_TOKEN=x", "-v", "/dev/null:/run/podman/podman.sock:ro"),
    ),
    data="rw",
    command=("sh", "-c", "echo kept output; exec sleep infinity"),
)
UNFILTERED_RED = [
    "hypervisor_socket",
    "nested_user_namespace",
    "new_namespaces",
    "file_handles",
    "fault_handling",
    "io_uring",
    "keyrings",
    "old_system_calls",
    "system_call_filter",
    "gain_by_setuid",
    "data_writes",
    "mounts",
    "log_driver",
    "secrets",
    "process_rights",
    "host_sockets",
    "memory_limit",
]

HOST_NAMESPACES = Design(
    pod=("--share", "ipc", "--network", "host"),
    container=(
        *(*HARD, *QUIET[:-1], *LIMITS, *TMP),
        *("--pid", "host", "--uts", "host", "--network", "host", "-v", "/:/hostfs:ro"),
    ),
)
HOST_NAMESPACES_RED = [
    "default_route",
    "public_route",
    "resolver_packets",
    "host_address",
    "abstract_sockets",
    "multicast",
    "host_processes",
    "host_files",
    "host_name",
    "user_mapping",
    "namespaces",
    "interfaces",
    "routes",
    "listeners",
    "mounts",
]

BRIDGE = Design(
    pod=("--network", "{network}", "--dns", "{gateway}", "-p", "127.0.0.1::8000", "--share", "net,ipc,uts"),
    container=(*HARD, *QUIET[:-1], *LIMITS, *TMP),
    command=("python3", "-I", "-c", SERVER),
)
BRIDGE_RED = [
    "outside_names",
    "resolver_packets",
    "default_route",
    "public_route",
    "metadata_route",
    "private_routes",
    "host_address",
    "host_bridge",
    "host_link_local",
    "other_environments",
    "multicast",
    "broadcast",
    "host_name",
    "resolver_address",
    "interfaces",
    "routes",
    "listeners",
    "reachable_from_host",
    "user_mapping",
]

# Red in tests of their own: the host's settings, a forged answer, a display server that lets text through.
ELSEWHERE = ("core_dumps", "swap", "witness", "clipboard")
EVERY_RED = {*PRIVILEGED_RED, *UNFILTERED_RED, *HOST_NAMESPACES_RED, *BRIDGE_RED, *ELSEWHERE}
