"""Every probe holds on an environment as it shall be, and turns red for a hole opened on purpose."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from strongroom.platforms.probes import PROBES, judge, summary
from tests.platforms.probes import variants
from tests.platforms.probes.lab import IMAGE, Design, ensure_image, podman, probe, running, until
from tests.proves import proves

pytestmark = pytest.mark.real
# Flag of an IPv6 address in /proc/net/if_inet6.
TENTATIVE = 0x40
APPLICABLE = {one.id for one in PROBES if one.kind == "probe"} - {"clipboard"}


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    ensure_image()


def assert_red(found: dict[str, object], expected: list[str]) -> None:
    still = [f"{name}: {found[name]}" for name in expected if found[name].state != "broken"]  # type: ignore[attr-defined]
    assert not still, "\n".join(still)


def test_each_probe_has_a_hole_that_turns_it_red() -> None:
    assert {one.id for one in PROBES if one.kind == "probe"} == variants.EVERY_RED


@proves("P8", "P149", "P140")
def test_a_pod_as_it_shall_be_holds_in_time() -> None:
    with running(Design(), 1) as pod:
        probe(pod, ["capabilities"])
        began = time.monotonic()
        found = probe(pod)
        took = time.monotonic() - began
    faults = [one for one in found.values() if one.state not in ("holds", "known")]
    assert not faults, faults
    assert {one.probe for one in found.values() if one.state == "holds"} == APPLICABLE
    assert summary(found.values()) == {"holds": len(APPLICABLE), "broken": 0, "unknown": 0}
    assert judge(found.values(), 3).passed
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert took < 3 * busy, f"{took:.1f} s, on a machine {busy:.1f} times busy"


@proves("P8")
def test_a_privileged_pod_is_red() -> None:
    with running(variants.PRIVILEGED, 2) as pod:
        found = probe(pod)
    assert_red(dict(found), variants.PRIVILEGED_RED)
    assert (found["interfaces"].state, found["routes"].state, found["swap"].state) == ("holds", "holds", "holds")


@proves("P8")
def test_a_pod_without_filter_and_limits_is_red() -> None:
    with running(variants.UNFILTERED, 3) as pod:
        found = probe(pod)
    assert_red(dict(found), variants.UNFILTERED_RED)
    assert found["user_mapping"].state == found["capabilities"].state == found["root_mount"].state == "holds"
    assert not judge(found.values(), 0).passed


@proves("P8", "P149")
def test_a_pod_in_the_namespaces_of_the_host_is_red() -> None:
    with running(variants.HOST_NAMESPACES, 4) as pod:
        found = probe(pod)
    assert_red(dict(found), variants.HOST_NAMESPACES_RED)
    assert (found["mount"].state, found["io_uring"].state) == ("holds", "holds"), (found["mount"], found["io_uring"])


@dataclass(frozen=True)
class Network:
    name: str
    gateway: str
    peer: str


@contextmanager
def network() -> Iterator[Network]:
    """A bridge with another environment on it, and a name server on the host that answers every question."""
    name, peer = f"probes-{uuid.uuid4().hex[:6]}", f"probes-peer-{uuid.uuid4().hex[:6]}"
    octet = 100 + uuid.uuid4().int % 100
    gateway = f"10.97.{octet}.1"
    podman("network", "create", "--disable-dns", "--subnet", f"10.97.{octet}.0/24", name)
    try:
        serve = ("python3", "-I", "-c", variants.SERVER)
        podman("run", "-d", "--name", peer, "--network", name, IMAGE, *serve)
        address = podman("inspect", "-f", f'{{{{(index .NetworkSettings.Networks "{name}").IPAddress}}}}', peer)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((gateway, 53))
            threading.Thread(target=answer_names, args=(server,), daemon=True).start()
            yield Network(name, gateway, address)
    finally:
        podman("rm", "-f", "-t", "0", peer, check=False)
        podman("network", "rm", "-f", name, check=False)


def answer_names(server: socket.socket) -> None:
    """Answer every question for an address with 203.0.113.7, until the socket is closed."""
    with suppress(OSError):
        while True:
            query, sender = server.recvfrom(512)
            end = query.index(b"\0", 12) + 5
            known = query[end - 4 : end - 2] == b"\0\x01"
            head = query[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if known else b"\0\0") + bytes(4)
            record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xcb\x00\x71\x07" if known else b""
            server.sendto(head + query[12:end] + record, sender)


def listens(address: str, port: int) -> bool:
    with suppress(OSError):
        socket.create_connection((address, port), 0.2).close()
        return True
    return False


def settled(container: str) -> bool:
    """Whether every IPv6 address, the container's and the host's, is in use: the kernel first asks around for doubles."""
    pid = podman("inspect", "--format", "{{.State.Pid}}", container).strip()
    rows = [row for where in (pid, "self") for row in Path(f"/proc/{where}/net/if_inet6").read_text().splitlines()]
    return not any(int(row.split()[4], 16) & TENTATIVE for row in rows)


@proves("P8", "P149", "satre:2.2.10", "satre:2.2.11")
def test_a_pod_on_a_bridge_is_red() -> None:
    with network() as net:
        until(lambda: listens(net.peer, 8000))
        flags = tuple(flag.format(network=net.name, gateway=net.gateway) for flag in variants.BRIDGE.pod)
        with running(Design(flags, variants.BRIDGE.container, command=variants.BRIDGE.command), 5) as pod:
            until(lambda: settled(pod.containers["work"]))
            found = probe(pod, peers=((net.peer, 8000),))
    assert_red(dict(found), variants.BRIDGE_RED)
    assert found["mount"].state == found["capabilities"].state == found["root_writes"].state == "holds"
