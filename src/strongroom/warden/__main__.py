"""Start the warden (``python -m strongroom.warden``), or take down what it left (``--down``)."""

from __future__ import annotations

import argparse
import grp
import logging
import pwd
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from strongroom import ledger
from strongroom.layout import Layout
from strongroom.platforms.podman import checks, images, probing
from strongroom.platforms.podman.driver import PodmanPlatform
from strongroom.platforms.protocol import EnvironmentSpec
from strongroom.site import Site
from strongroom.warden.decide import Desk
from strongroom.warden.doors import Doors
from strongroom.warden.entry import Entrance
from strongroom.warden.hands import Hands, signing_key
from strongroom.warden.receiver import process
from strongroom.warden.reconcile import Reconciler
from strongroom.warden.record import Record
from strongroom.warden.server import UnixServer
from strongroom.warden.tokens import Verifier
from strongroom.warden.volumes import VolumeStore

ORIGIN = "warden"
log = logging.getLogger("warden")


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="strongroom.warden", description=__doc__)
    parser.add_argument("--down", action="store_true", help="end pods, unmount volumes, and stop")
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the warden's log for an auditor, and stop")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    layout = Layout.current()
    if arguments.down:
        take_down(layout)
        return
    if arguments.export:
        export(layout, arguments.export)
        return
    serve(layout)


def export(layout: Layout, path: Path) -> None:
    """Write the warden's whole log with its newest checkpoint; it verifies from that file alone."""
    record = Record(layout.state_of("warden") / "warden.sqlite3")
    key = signing_key(layout.state_of("warden") / "keys" / "warden.ed25519")
    with record.transaction() as db:
        ledger.checkpoint(db.execute, ORIGIN, key)
    with record.reading() as db:
        ledger.export(db.execute, path, key.public_key())
    record.close()


def take_down(layout: Layout) -> None:
    """Leave no pod, mount or loop device of this instance; nothing is destroyed."""
    process.stop_all(layout)
    platform = PodmanPlatform(layout)
    for environment in platform.list():
        platform.destroy(environment)
    VolumeStore(layout).close_all()


def serve(layout: Layout) -> None:
    """Open the doors and bring the world to the record until told to stop."""
    record = Record(layout.state_of("warden") / "warden.sqlite3")
    hands = hands_of(layout, record)
    site = Site(layout.places)
    entrance = Entrance(record, layout, lambda: site.places)
    desk = Desk(record, Verifier(layout.issuer, lambda: provider_keys(layout)), {}, {}, lambda: site.places)
    doors = Doors(desk, hands, entrance)
    desk.before = {"agreement.lodge": doors.keep_document}
    desk.extra = {"environment.enter": entrance.ticket, "deposit.token": doors.give_token}
    servers = [
        UnixServer(layout.warden_socket, group_of(layout, "web"), doors.orders()),
        UnixServer(layout.entry_socket, group_of(layout, "gateway"), doors.entries()),
        UnixServer(layout.receivers / "warden.sock", group_of(layout, "deposit"), doors.deposits()),
    ]
    reconciler = Reconciler(hands)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    for server in servers:
        server.start()
    threads = [threading.Thread(target=run, daemon=True) for run in (reconciler.run, lambda: sequence(hands, stop))]
    for thread in threads:
        thread.start()
    log.info("the warden serves %s", layout.instance)
    stop.wait()
    for server in servers:
        server.shutdown()
    reconciler.stop()
    record.close()


def hands_of(layout: Layout, record: Record) -> Hands:
    """The real parts of this host."""
    key = signing_key(layout.state_of("warden") / "keys" / "warden.ed25519")

    def image() -> str:
        found = images.find_image() or images.ensure_image(
            lambda words, part: log.info("image: %s %.0f %%", words, 100 * part)
        )
        return found.id

    def probe(spec: EnvironmentSpec) -> list[dict[str, Any]]:
        return [asdict(result) for result in probing.probe(layout, spec)]

    def check(files: Path, what: str) -> bytes:
        command = ["-m", "strongroom.disclosure", "/inputs", "--json", *(["--previews"] if what == "render" else [])]
        # 1: something fails, which is an answer.
        return checks.run_checks(layout, image(), command, files, accepted=(0, 1))

    return Hands(layout, record, VolumeStore(layout), PodmanPlatform(layout), key, image, probe, check)


def sequence(hands: Hands, stop: threading.Event) -> None:
    """Sign a checkpoint of the log each second in which it grew."""
    signed = 0
    while not stop.wait(1.0):
        with hands.record.reading() as db:
            size = ledger.size(db.execute)
        if size == signed:
            continue
        signed = size
        with hands.record.transaction() as db:
            ledger.checkpoint(db.execute, ORIGIN, hands.key)


def group_of(layout: Layout, part: str) -> int:
    """Primary group of one of the platform's users; the warden's own group where it does not exist (a bare test)."""
    try:
        return pwd.getpwnam(layout.user(part)).pw_gid
    except KeyError:
        return grp.getgrgid(0).gr_gid


def provider_keys(layout: Layout) -> Any:
    """The identity provider's published keys, over its Unix socket."""
    transport = httpx.HTTPTransport(uds=str(layout.identity_socket))
    with httpx.Client(transport=transport, timeout=10) as client:
        headers = {"Host": layout.identity_host, "X-Forwarded-Proto": "https", "X-Forwarded-Host": layout.identity_host}
        return client.get("http://identity/.well-known/jwks.json", headers=headers).raise_for_status().json()


if __name__ == "__main__":
    main()
