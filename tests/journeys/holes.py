"""A hole opened on purpose in a running environment, and closed again: a network device put into its pod from the host."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from strongroom.layout import Layout
from strongroom.platforms.podman import engine

DEVICE = "hole0"


@contextmanager
def network_device(layout: Layout, environment: str) -> Iterator[None]:
    """Put a network device into the pod of an environment for a while."""
    inside = open_hole(layout, environment)
    try:
        yield
    finally:
        subprocess.run([*inside, "delete", DEVICE], check=True, timeout=30)


def open_hole(layout: Layout, environment: str) -> list[str]:
    """Put the device into the pod and leave it there; returns the command that speaks of devices in it."""
    inside = ["nsenter", "--target", _process(layout, environment), "--net", "ip", "link"]
    subprocess.run([*inside, "add", DEVICE, "type", "bridge"], check=True, timeout=30)
    return inside


def _process(layout: Layout, environment: str) -> str:
    name = f"{layout.label(environment)}-work"
    command = ["podman", "inspect", "--format", "{{.State.Pid}}", name]
    done = subprocess.run(command, env=engine.environ(), capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()
