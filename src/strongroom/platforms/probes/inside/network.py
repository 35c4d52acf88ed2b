"""What must fail on the network, tried from inside."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import threading
import time
from typing import Any

from strongroom.platforms.probes.inside.core import (
    DENIED,
    LIBC,
    UNREACHABLE,
    Answer,
    Ask,
    attempts,
    check,
    control,
    denied,
)


def ask_udp(address: str, port: int, payload: bytes) -> str:
    """``refused`` (no way there), ``sent`` (left this machine's stack) or ``answered``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.25)
        try:
            sock.connect((address, port))
            sock.send(payload)
            sock.recv(512)
            return "answered"
        except TimeoutError:
            return "sent"
        except OSError as error:
            near = error.errno == errno.ECONNREFUSED and not address.startswith(("127.", "::1"))
            return "answered by a refusal" if near else "refused"


def echo_once() -> tuple[socket.socket, int]:
    """A loopback UDP responder, the control of ``ask_udp``."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer() -> None:
        data, sender = server.recvfrom(512)
        server.sendto(data, sender)

    threading.Thread(target=answer, daemon=True).start()
    return server, server.getsockname()[1]


def route_to(addresses: list[str]) -> Answer:
    """Look for a route without sending a packet; loopback, which has one, is the control."""
    found = []
    for address in ["127.0.0.1", *addresses]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((address, 9))
                found.append(address)
        except OSError as error:
            control(error.errno in UNREACHABLE, f"{address}: {error}")
    control("127.0.0.1" in found, "no route even to loopback")
    leaks = [address for address in found if address != "127.0.0.1"]
    return ("broken", f"route to {', '.join(leaks)}") if leaks else ("holds", f"no route to {', '.join(addresses)}")


def reach(targets: list[Any]) -> Answer:
    """TCP to each (address, port, scope); a listener of this process on loopback is the control."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        own = socket.create_connection(server.getsockname(), 0.3)
        own.close()
    open_, closed = [], 0
    for address, port in targets:
        places = [address]
        if address.startswith("fe80"):
            places = [f"{address}%{name}" for _, name in socket.if_nameindex()]
        for place in places:
            try:
                socket.create_connection((place, port), 0.3).close()
                open_.append(f"{place} port {port}")
            except OSError:
                closed += 1
    if open_:
        return "broken", f"reached {', '.join(open_)}"
    return "holds", f"{closed} attempts at {len(targets)} listening addresses failed"


def names_itself() -> bool:
    """Whether /etc/hosts knows localhost, so that looking it up proves that looking up works."""
    try:
        with open("/etc/hosts") as file:
            return any("localhost" in line.split() for line in file)
    except OSError:
        return False


@check("outside_names")
def outside_names(ask: Ask) -> Answer:
    control(socket.getaddrinfo("localhost" if names_itself() else "127.0.0.1", 80), "no name resolves at all")
    found: dict[str, str] = {}

    def look_up(name: str) -> None:
        try:
            found[name] = str(socket.getaddrinfo(name, 80)[0][4][0])
        except OSError:
            found[name] = ""

    threads = [threading.Thread(target=look_up, args=(name,), daemon=True) for name in ask["names"]]
    for thread in threads:
        thread.start()
    patience = time.monotonic() + 3
    for thread in threads:
        thread.join(max(0.0, patience - time.monotonic()))
    leaks = [f"{name} is {address}" for name, address in found.items() if address]
    if leaks:
        return "broken", "; ".join(leaks)
    if len(found) < len(threads):
        return "unknown", "the resolver is still trying after 3 s"
    return "holds", f"{', '.join(found)} do not resolve"


@check("resolver_packets")
def resolver_packets(ask: Ask) -> Answer:
    server, port = echo_once()
    with server:
        control(ask_udp("127.0.0.1", port, b"x") == "answered", "a datagram over loopback got lost")
    query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06debian\x03org\0\0\x01\0\x01"
    told = {address: ask_udp(address, 53, query) for address in ask["resolvers"]}
    leaks = [f"{address}: {text}" for address, text in told.items() if text != "refused"]
    return ("broken", "; ".join(leaks)) if leaks else ("holds", f"no packet can leave for {', '.join(told)}")


@check("default_route")
def default_route(ask: Ask) -> Answer:
    with open("/proc/net/route") as table:
        lines = table.read().splitlines()
    control(lines and lines[0].startswith("Iface"), "the routing table cannot be read")
    routes = [line.split()[0] for line in lines[1:] if line.split()[0] != "lo"]
    if os.path.exists("/proc/net/ipv6_route"):
        with open("/proc/net/ipv6_route") as table6:
            routes += [line.split()[-1] for line in table6 if line.split()[-1] != "lo"]
    return ("broken", f"routes over {', '.join(sorted(set(routes)))}") if routes else ("holds", "no routes")


@check("public_route")
def public_route(ask: Ask) -> Answer:
    return route_to(["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111"])


@check("metadata_route")
def metadata_route(ask: Ask) -> Answer:
    return route_to(["169.254.169.254", "fd00:ec2::254"])


@check("private_routes")
def private_routes(ask: Ask) -> Answer:
    return route_to(ask["private"])


@check("host_address")
def host_address(ask: Ask) -> Answer:
    return reach(ask["host"])


@check("host_bridge")
def host_bridge(ask: Ask) -> Answer:
    return reach(ask["bridges"])


@check("host_link_local")
def host_link_local(ask: Ask) -> Answer:
    return reach(ask["link_local"])


@check("other_environments")
def other_environments(ask: Ask) -> Answer:
    return reach(ask["peers"])


@check("abstract_sockets")
def abstract_sockets(ask: Ask) -> Answer:
    own = "\0probe-" + ask["nonce"]
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(own)
        server.listen()
        client.connect(own)
    with socket.socket(socket.AF_UNIX) as client:
        return attempts({"the host's abstract socket": lambda: client.connect("\0" + ask["abstract"])})


@check("change_routes")
def change_routes(ask: Ask) -> Answer:
    control(socket.if_nameindex(), "no network interface is visible")
    request = struct.pack("16s16s", b"lo", struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton("198.51.100.1")))
    place = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("203.0.113.9"))
    mask = struct.pack("HH4s8x", socket.AF_INET, 0, b"\xff" * 4)
    route = ctypes.create_string_buffer(struct.pack("Q16s16s16sH", 0, place, bytes(16), mask, 5) + bytes(6), 120)
    device = ctypes.create_string_buffer(b"lo")
    struct.pack_into("Q", route, 88, ctypes.addressof(device))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        alias = request.replace(b"lo\0\0\0", b"lo:9\0", 1)
        calls = {"add a route": (0x890B, route), "add an address": (0x8916, ctypes.create_string_buffer(alias, 40))}
        told = {}
        for name, (code, argument) in calls.items():
            ctypes.set_errno(0)
            told[name] = LIBC.ioctl(sock.fileno(), ctypes.c_ulong(code), argument), ctypes.get_errno()
    return denied(told)


@check("raw_packets")
def raw_packets(ask: Ask) -> Answer:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    return attempts(
        {
            "raw ICMP": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
            "raw ICMPv6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58),
        },
        DENIED + (errno.EAFNOSUPPORT,),
    )


@check("packet_capture")
def packet_capture(ask: Ask) -> Answer:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    return attempts({"AF_PACKET": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))})


def send_to(address: str) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        return sock.sendto(b"probe", (address, 9)) and "sent"


@check("multicast")
def multicast(ask: Ask) -> Answer:
    control(send_to("127.0.0.1"), "a datagram over loopback could not be sent")
    return attempts({"224.0.0.251": lambda: send_to("224.0.0.251")}, UNREACHABLE)


@check("broadcast")
def broadcast(ask: Ask) -> Answer:
    control(send_to("127.0.0.1"), "a datagram over loopback could not be sent")
    return attempts({"255.255.255.255": lambda: send_to("255.255.255.255")}, UNREACHABLE)


@check("hypervisor_socket")
def hypervisor_socket(ask: Ask) -> Answer:
    socket.socket(socket.AF_UNIX).close()
    return attempts({"AF_VSOCK": lambda: socket.socket(40, socket.SOCK_STREAM)})


@check("odd_sockets")
def odd_sockets(ask: Ask) -> Answer:
    socket.socket(socket.AF_UNIX).close()
    families = {"KEY": (15, 3), "RDS": (21, 5), "CAN": (29, 3), "TIPC": (30, 1), "BLUETOOTH": (31, 3), "RXRPC": (33, 2)}
    families |= {"ALG": (38, 5), "NFC": (39, 3), "KCM": (41, 2), "QIPCRTR": (42, 2), "SMC": (43, 1), "XDP": (44, 3)}
    state, said = attempts({name: lambda pair=pair: socket.socket(*pair) for name, pair in families.items()})  # type: ignore[misc]
    made = [part for part in said.split(", ") if part.endswith("done")]
    return (state, "can make " + ", ".join(made)) if made else (state, f"refused: {', '.join(families)}")
