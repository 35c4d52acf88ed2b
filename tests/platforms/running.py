"""Starting real environments for tests, and leaving nothing of them."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.layout import Layout
from strongroom.platforms.podman.driver import PodmanPlatform
from strongroom.platforms.podman.images import ensure_image
from strongroom.platforms.protocol import EnvironmentSpec, Observation
from tests.platforms.specs import PLACES, spec

UID_BASE = 3_000_000 + 65_536 * 4_000


@dataclass(frozen=True)
class Running:
    """One environment that a test may use."""

    platform: PodmanPlatform
    layout: Layout
    spec: EnvironmentSpec
    folder: Path

    def until(self, wanted: Callable[[Observation], bool], seconds: float = 120) -> Observation:
        """Look until it is as wanted."""
        limit = time.monotonic() + seconds
        while not wanted(seen := self.platform.observe(self.spec)):
            assert time.monotonic() < limit, f"not as wanted after {seconds} seconds: {seen}"
            time.sleep(0.2)
        return seen

    def inside(self, *argv: str) -> tuple[int, str]:
        """Exit code and all output of a command that the researcher runs."""
        ran = self.platform.run_script(self.spec.id, argv, timeout=60)
        return ran.code, (ran.stdout + ran.stderr).decode()


@contextmanager
def instance(folder: Path) -> Iterator[Running]:
    """An instance of its own with volumes below ``folder``; nothing started yet."""
    image = ensure_image(lambda text, share: None)
    layout = Layout(f"t{secrets.token_hex(4)}", 19_000)
    platform = PodmanPlatform(layout)
    wanted = spec(2, folder, image=image.name, uid_base=UID_BASE, id="env-a")
    for name, *_ in PLACES:
        (folder / name).mkdir()
        os.chown(folder / name, wanted.researcher_uid, wanted.researcher_uid)
    (folder / "pupils" / "pupils.csv").write_text("school,score\n1,10\n1,8\n2,6\n")
    try:
        yield Running(platform, layout, wanted, folder)
    finally:
        for environment in platform.list():
            platform.destroy(environment)
        shutil.rmtree(layout.run, ignore_errors=True)
