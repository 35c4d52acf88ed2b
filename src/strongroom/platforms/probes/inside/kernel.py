"""What the kernel must refuse, tried from inside."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import struct

from strongroom.platforms.probes.inside.core import (
    DENIED,
    LIBC,
    NEWNET,
    NEWNS,
    NEWUSER,
    Answer,
    Ask,
    attempts,
    check,
    control,
    denied,
    in_child,
    name_of,
    scratch,
    syscall,
)


@check("mount")
def mount(ask: Ask) -> Answer:
    with scratch() as place:

        def new() -> tuple[int, int]:
            return syscall("mount", b"none", place.encode(), b"tmpfs", 0, b"size=4096")

        calls = {
            "mount": new(),
            "fsopen": syscall("fsopen", b"tmpfs", 0),
            "open_tree": syscall("open_tree", -100, b"/", 1),
        }
        if calls["mount"][0] == 0:
            LIBC.umount2(place.encode(), 2)
        for name in ("fsopen", "open_tree"):
            if calls[name][0] > 2:
                os.close(calls[name][0])
    return denied(calls)


@check("make_device")
def make_device(ask: Ask) -> Answer:
    with scratch() as place:
        os.mkfifo(f"{place}/pipe")
        return attempts(
            {
                "block device": lambda: os.mknod(f"{place}/disk", 0o060600, os.makedev(254, 0)),
                "character device": lambda: os.mknod(f"{place}/memory", 0o020600, os.makedev(1, 1)),
            }
        )


@check("nested_user_namespace")
def nested_user_namespace(ask: Ask) -> Answer:
    control(in_child(lambda: (7, 0)) == (7, 0), "no child process can be made")

    def clone() -> tuple[int, int]:
        result, code = syscall("clone", NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
        if result == 0:
            os._exit(0)
        return result, code

    return denied(
        {
            "unshare": in_child(lambda: syscall("unshare", NEWUSER)),
            "clone": in_child(clone),
            "clone3": syscall("clone3", None, 0),
        }
    )


@check("new_namespaces")
def new_namespaces(ask: Ask) -> Answer:
    return denied({"unshare": in_child(lambda: syscall("unshare", NEWNS | NEWNET)), "setns": syscall("setns", -1, 0)})


@check("change_root")
def change_root(ask: Ask) -> Answer:
    return denied({"chroot": in_child(lambda: syscall("chroot", b"/"))})


@check("file_handles")
def file_handles(ask: Ask) -> Answer:
    return denied({"open_by_handle_at": syscall("open_by_handle_at", -1, None, 0)})


@check("kernel_log")
def kernel_log(ask: Ask) -> Answer:
    return denied({"syslog": syscall("syslog", 10, None, 0)})


@check("clock")
def clock(ask: Ask) -> Answer:
    state = ctypes.create_string_buffer(256)
    control(syscall("adjtimex", state)[1] in (0, *DENIED), "the clock cannot be asked")
    struct.pack_into("I", state, 0, 0x0010)
    return denied({"adjtimex (same value)": syscall("adjtimex", state)})


@check("bpf")
def bpf(ask: Ask) -> Answer:
    return denied({"bpf": syscall("bpf", 0, None, 0)})


@check("performance_counters")
def performance_counters(ask: Ask) -> Answer:
    return denied({"perf_event_open": syscall("perf_event_open", None, 0, -1, -1, 0)})


@check("fault_handling")
def fault_handling(ask: Ask) -> Answer:
    result = syscall("userfaultfd", 1)
    if result[0] > 2:
        os.close(result[0])
    return denied({"userfaultfd": result})


@check("io_uring")
def io_uring(ask: Ask) -> Answer:
    return denied({"io_uring_setup": syscall("io_uring_setup", 1, None)})


@check("keyrings")
def keyrings(ask: Ask) -> Answer:
    return denied({"keyctl": syscall("keyctl", 0, -3, 0, 0, 0), "add_key": syscall("add_key", None, None, None, 0, 0)})


@check("old_system_calls")
def old_system_calls(ask: Ask) -> Answer:
    """The 32-bit entry (int 0x80) must not be a way round the filter: keyctl is 288 there."""
    if os.uname().machine != "x86_64":
        return "holds", "this processor has no 32-bit x86 entry"
    code = b"\x53\xb8" + struct.pack("<I", 288) + b"\x31\xdb\xb9\xfd\xff\xff\xff\x31\xd2\x31\xf6\xcd\x80\x5b\xc3"
    proof = b"\x53\xb8" + struct.pack("<I", 7) + b"\x5b\xc3"

    def run(machine_code: bytes) -> tuple[int, int]:
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(machine_code)
        entry = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        result = int(entry())
        return (result, 0) if result >= 0 else (-1, -result)

    control(in_child(lambda: run(proof)) == (7, 0), "machine code cannot be run")
    try:
        told = in_child(lambda: run(code))
    except Exception:
        return "holds", "the process that tried is ended: no 32-bit entry"
    return denied({"keyctl through int 0x80": told})


@check("machine_control")
def machine_control(ask: Ask) -> Answer:
    return denied(
        {
            "load a module": syscall("finit_module", -1, b"", 0),
            "load a kernel": syscall("kexec_load", 0, 1 << 20, None, 0),
            "reboot (wrong magic)": syscall("reboot", 0, 0, 0, None),
            "add swap": syscall("swapon", b"", 0),
        }
    )


@check("trace_others")
def trace_others(ask: Ask) -> Answer:
    """Processes of other users: neither traced nor read nor signalled. The victims are our own other vantages."""
    with open("/proc/self/environ", "rb") as own:
        own.read()
    victims = [pid for pid, uid in ask["victims"] if uid != os.getuid() and pid != os.getpid()]
    control(victims, "no process of another user to try on")
    calls = {}
    for pid in victims:
        # In a child whose end lets go of the victim: a traced process would stop at its next signal.
        traced, code = in_child(lambda pid=pid: syscall("ptrace", 0x4206, pid, 0, 0))  # type: ignore[misc]
        control(code != errno.ESRCH, "the other process is not visible")
        calls[f"trace {pid}"] = (traced, code)
        for name in ("mem", "environ"):
            try:
                os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
                calls[f"read {name} of {pid}"] = (0, 0)
            except OSError as error:
                calls[f"read {name} of {pid}"] = (-1, error.errno or 0)
    return denied(calls)


@check("gain_by_setuid")
def gain_by_setuid(ask: Ask) -> Answer:
    with open("/proc/self/status") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    control("Uid" in fields and "NoNewPrivs" in fields, "the process status cannot be read")

    def change() -> tuple[int, int]:
        try:
            os.setresuid(4321, 4321, 4321)
        except OSError as error:
            return -1, error.errno or 0
        return 0, 0

    result, code = in_child(change)
    if fields["NoNewPrivs"] != "1" or result == 0:
        return (
            "broken",
            f"no_new_privs is {fields['NoNewPrivs']}; change of user: {'done' if not result else name_of(code)}",
        )
    return "holds", "set-user-id programs gain nothing; the user cannot be changed"


@check("capabilities")
def capabilities(ask: Ask) -> Answer:
    with open("/proc/self/status") as status:
        sets = dict(line.rstrip("\n").split(":\t", 1) for line in status if line.startswith("Cap"))
    control(len(sets) == 5, "the process status cannot be read")
    held = {name: value for name, value in sets.items() if int(value, 16)}
    return ("broken", str(held)) if held else ("holds", "all five sets are empty")


@check("system_call_filter")
def system_call_filter(ask: Ask) -> Answer:
    with open("/proc/self/status") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    control("Seccomp" in fields, "the kernel does not tell")
    return ("holds" if fields["Seccomp"] == "2" else "broken"), f"filter mode {fields['Seccomp']}"
