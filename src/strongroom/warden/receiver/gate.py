"""Who may speak to a receiver at all: from which address, which page, until when. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from strongroom.warden.receiver.uploads import Refusal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ALLOWED_HEADERS = (
    "Authorization, Content-Type, Tus-Resumable, Upload-Checksum, Upload-Length, Upload-Metadata, Upload-Offset"
)
EXPOSED_HEADERS = (
    "Location, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, Upload-Length, "
    "Upload-Offset"
)


@dataclass(frozen=True)
class Gate:
    """Networks, end of the window, and the origins of the pages that may upload."""

    networks: tuple[Network, ...]
    expires: datetime
    origins: tuple[str, ...]

    def admit(self, forwarded_for: Sequence[str], origin: str | None, now: datetime) -> None:
        """Refusal unless address, page and time are right; ``forwarded_for`` is as the gateway wrote it."""
        if not self._near(forwarded_for):
            raise Refusal(403, "address", "deposits are not taken from your network: use the one agreed for this "
                                          "deposit, or ask the Project Manager to add yours")  # fmt: skip
        if origin is not None and origin not in self.origins:
            raise Refusal(403, "origin", "this page may not upload here: use the deposit's own page")
        if now >= self.expires:
            raise Refusal(
                410, "expired", "the time for this deposit is over: ask the Project Manager to open a new one"
            )

    def _near(self, forwarded_for: Sequence[str]) -> bool:
        # The gateway writes exactly one address; anything else did not come through it.
        if len(forwarded_for) != 1:
            return False
        try:
            address = ipaddress.ip_address(forwarded_for[0].strip())
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)

    def cross_origin(self, origin: str | None) -> dict[str, str]:
        """Headers that let the page of an allowed origin read the answer."""
        if origin not in self.origins or origin is None:
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "POST, HEAD, PATCH, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
            "Access-Control-Max-Age": "600",
        }


def networks(text: str) -> tuple[Network, ...]:
    """``CIDR,CIDR`` as networks; ValueError naming what is none."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
