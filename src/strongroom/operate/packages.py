"""Debian packages that Strongroom needs, as data, and installing those that are missing (standard library only)."""

from __future__ import annotations

import os
import subprocess

RUN = (
    "podman",  # environments run in it
    "netavark",
    "aardvark-dns",
    "runc",
    "crun",
    "catatonit",
    "iptables",
    "nftables",
    "uidmap",
    "passwd",
    "mmdebstrap",  # environment images are built with it
    "e2fsprogs",  # encrypted volumes
    "util-linux",
    "mount",
    "novnc",  # the desktop's viewer, served by the gateway
)
TEST = (
    "chromium",
    "fonts-dejavu-core",
    "fonts-liberation",
    "git",
    "iproute2",
)
VENV = ("python3-venv",)


class PackagesMissing(Exception):
    """Packages could not be installed; the text says which and what to do."""


def missing(names: tuple[str, ...]) -> list[str]:
    """Those of the named packages that are not installed."""
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    installed = {line.split()[0] for line in asked.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def _apt_get(*arguments: str) -> int:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-q", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Use-Pty=0"]
    command = ["apt-get", *options, *arguments]
    return subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, check=False).returncode


def install(names: tuple[str, ...]) -> list[str]:
    """Install what is missing of the named packages and return their names.

    The package lists are only fetched when installing from the present ones fails: they may be absent or old.
    Raises PackagesMissing when apt-get cannot bring them.
    """
    wanted = missing(names)
    if not wanted:
        return []
    print(f"Installing Debian packages: {' '.join(wanted)}", flush=True)
    arguments = ("install", "--yes", "--no-install-recommends", *wanted)
    if _apt_get(*arguments) != 0 and (_apt_get("update") != 0 or _apt_get(*arguments) != 0):
        raise PackagesMissing(
            f"apt-get could not install {' '.join(wanted)}. Its own words are above; mend the package sources "
            "(/etc/apt/sources.list.d) or the network, then run the same command again."
        )
    still = missing(tuple(wanted))
    if still:
        raise PackagesMissing(f"apt-get reported success, yet these packages are not installed: {' '.join(still)}")
    return wanted
