"""Where one installation ("instance") keeps everything, derived from its name and first port alone.

Pure: touches no file. Every process is started with ``STRONGROOM_INSTANCE`` and ``STRONGROOM_PORT`` set and
calls ``Layout.current()``; nothing else in the code spells a path, a socket, a host name or a user name of the platform.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_INSTANCE = "main"
DEFAULT_PORT = 8480


@dataclass(frozen=True)
class Layout:
    """Paths, users, host names and ports of one instance (several run side by side on a host)."""

    instance: str = DEFAULT_INSTANCE
    port: int = DEFAULT_PORT

    @classmethod
    def current(cls) -> Layout:
        """The layout this process was started for, from its environment variables."""
        return cls(
            os.environ.get("STRONGROOM_INSTANCE", DEFAULT_INSTANCE),
            int(os.environ.get("STRONGROOM_PORT", str(DEFAULT_PORT))),
        )

    def environ(self) -> dict[str, str]:
        """The variables that make ``current()`` return this layout in a child process."""
        return {"STRONGROOM_INSTANCE": self.instance, "STRONGROOM_PORT": str(self.port)}

    # Folders ----------------------------------------------------------------------------------------------
    @property
    def state(self) -> Path:
        """Everything that outlives a restart: ``web/ identity/ warden/ gateway/ worker/``, one owner each."""
        return Path("/var/lib/strongroom") / self.instance

    @property
    def run(self) -> Path:
        """Sockets, process ids and mounts; gone after a restart of the machine."""
        return Path("/run/strongroom") / self.instance

    @property
    def code(self) -> Path:
        """Root-owned, world-readable copy of the code (``src/``) that the services run."""
        return Path("/opt/strongroom") / self.instance

    def state_of(self, part: str) -> Path:
        """State folder of one part: ``web``, ``worker``, ``identity``, ``warden`` or ``gateway``."""
        return self.state / part

    @property
    def places(self) -> Path:
        """The organisation's file of networks and rooms; everyone on the host may read it, root alone writes."""
        return self.state / "places.toml"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def volumes(self) -> Path:
        """Encrypted volume images and their wrapped keys; the warden's alone."""
        return self.state / "warden" / "volumes"

    @property
    def mounts(self) -> Path:
        """Where unlocked volumes are mounted."""
        return self.run / "volumes"

    # Sockets ----------------------------------------------------------------------------------------------
    @property
    def web_socket(self) -> Path:
        return self.run / "web" / "web.sock"

    @property
    def identity_socket(self) -> Path:
        return self.run / "identity" / "identity.sock"

    @property
    def warden_socket(self) -> Path:
        """Orders and event feed (group of the web and worker users)."""
        return self.run / "warden" / "orders.sock"

    @property
    def entry_socket(self) -> Path:
        """Asked by the gateway before each request to an environment host; knows only tickets."""
        return self.run / "entry" / "entry.sock"

    @property
    def sessions(self) -> Path:
        """One socket per running desktop, made by the warden: ``<environment id>.sock``; no environment can write here."""
        return self.run / "sessions"

    @property
    def receivers(self) -> Path:
        """One socket per open deposit: ``<deposit id>.sock``."""
        return self.run / "receivers"

    # Names ------------------------------------------------------------------------------------------------
    def user(self, part: str) -> str:
        """Unprivileged user of ``web``, ``worker``, ``identity``, ``gateway`` or ``deposit``."""
        prefix = "strongroom" if self.instance == DEFAULT_INSTANCE else f"strongroom-{self.instance}"
        return f"{prefix}-{part}"

    def label(self, name: str) -> str:
        """Name of a container, pod, network or nft table of this instance."""
        return f"strongroom-{self.instance}-{name}"

    # Addresses (TLS by the gateway on both listeners) -----------------------------------------------------
    @property
    def outside_port(self) -> int:
        return self.port + 1

    @property
    def app_host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def identity_host(self) -> str:
        return f"id.localhost:{self.port}"

    @property
    def app_url(self) -> str:
        return f"https://{self.app_host}"

    @property
    def outside_url(self) -> str:
        return f"https://localhost:{self.outside_port}"

    @property
    def issuer(self) -> str:
        return f"https://{self.identity_host}"

    def environment_host(self, environment: str) -> str:
        return f"{environment}.env.localhost:{self.port}"

    def deposit_host(self, deposit: str) -> str:
        return f"{deposit}.deposit.localhost:{self.outside_port}"

    @property
    def authority(self) -> Path:
        """Certificate of the gateway's own authority, for clients on this machine."""
        return self.state / "gateway" / "authority.crt"
