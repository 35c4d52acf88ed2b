"""What the organisation says about itself on this host: its networks and rooms, read again whenever the file changes."""

from __future__ import annotations

import logging
from pathlib import Path

from strongroom.domain.place import Places, PlacesError, parse

# At the start everything is one machine that stands in one room: whoever sits at it is inside.
FIRST = """# Networks and rooms of this organisation. An address that stands nowhere here is on the internet.
# Tier 2 opens from the institutional or a restricted network, Tier 3 from a restricted network and a room of at least
# medium security. A change counts at once for environments; for the management pages after `./strongroom up`.

[networks]
institutional = ["127.0.0.0/8"]
restricted = ["127.0.0.0/8"]

# class: medium (entry is controlled, screens are locked) or high (fixed devices, members of the project alone).
[spaces.this-machine]
class = "medium"
ranges = ["127.0.0.0/8"]
"""
log = logging.getLogger("site")


def read(path: Path) -> Places:
    """The places of a file; those of a first start where there is none. Raises PlacesError."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return parse(FIRST)
    except PlacesError as error:
        raise PlacesError(f"{path}: {error}") from error


class Site:
    """The places of one file. While the file is wrong, what it said before counts; at the start nothing does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] = (-1, -1)
        self._places = Places()

    @property
    def places(self) -> Places:
        """As the file says now."""
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            seen = (0, 0)
        if seen != self._seen:
            self._seen = seen
            try:
                self._places = read(self._path)
            except PlacesError as error:
                log.error("%s; what it said before still counts", error)
        return self._places
