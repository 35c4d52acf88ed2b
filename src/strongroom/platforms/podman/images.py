"""Builds the environment image from Debian and PyPI alone, once for each version of its recipe.

Two layers: a Debian system by mmdebstrap, and Python packages, desktop and relay by ``podman build`` without network.
Mirrors, proxies, certificates and indexes come from this host's own apt and pip configuration. They are used by
processes of the host, never inside, so nothing of them can stay in the image.
``python -m strongroom.platforms.podman.images`` builds with a bar on the terminal.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from strongroom.platforms.podman import engine

Progress = Callable[[str, float], None]

RECIPES = Path(__file__).resolve().parents[4] / "deploy" / "images"
RELAY = Path(__file__).with_name("relay.py")
REPOSITORY = "localhost/strongroom"
SUITE = "trixie"
PYTHON = "3.13"
WHEEL_PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux2014", "manylinux_2_17", "manylinux_2_5", "manylinux1")
MIRROR_VARIABLE = "STRONGROOM_DEBIAN_MIRROR"


class ImageError(RuntimeError):
    """The image could not be built; the text says why and what to do."""


@dataclass(frozen=True)
class ImageRef:
    """An image in podman's store: name with tag, digest of the recipe it was made from, content id."""

    name: str
    digest: str
    id: str


@dataclass(frozen=True)
class Recipe:
    """The folder that says what is in the image."""

    folder: Path = RECIPES / "environment"

    def lines(self, name: str) -> list[str]:
        """Lines of a list file, without comments."""
        text = (self.folder / name).read_text()
        return [line for line in text.splitlines() if line and not line.startswith("#")]

    @property
    def base_digest(self) -> str:
        """Digest of what the Debian layer is made from."""
        return _digest([SUITE, *self.lines("packages.txt"), *self.lines("excluded.txt")])

    @property
    def digest(self) -> str:
        """Digest of the whole recipe, names and bytes."""
        parts = [self.base_digest, hashlib.sha256(RELAY.read_bytes()).hexdigest()]
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                parts += [str(path.relative_to(self.folder)), hashlib.sha256(path.read_bytes()).hexdigest()]
        return _digest(parts)

    @property
    def name(self) -> str:
        """Name and tag of the image this recipe makes."""
        return f"{REPOSITORY}/environment:{self.digest[:16]}"

    @property
    def base_name(self) -> str:
        return f"{REPOSITORY}/base:{self.base_digest[:16]}"


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def ensure_image(progress: Progress, recipe: Recipe | None = None) -> ImageRef:
    """Return the image of the recipe, building it if this host has none; one build at a time on a host."""
    recipe = recipe or Recipe()
    if found := find_image(recipe):
        return found
    with _lock():
        if found := find_image(recipe):
            return found
        _build(recipe, progress)
    built = find_image(recipe)
    if built is None:
        raise ImageError("The image was built but podman does not list it: look at `podman images`.")
    progress("Environment image ready", 1.0)
    return built


def find_image(recipe: Recipe | None = None) -> ImageRef | None:
    """The image of the recipe if this host has it."""
    recipe = recipe or Recipe()
    if not engine.succeeds("image", "exists", recipe.name):
        return None
    content = engine.podman("image", "inspect", "--format", "{{.Id}}", recipe.name).decode().strip()
    return ImageRef(recipe.name, recipe.digest, content)


@contextmanager
def _lock() -> Iterator[None]:
    with (engine.host_folder() / "images.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(recipe: Recipe, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="strongroom-image-", dir="/var/tmp") as folder:
        wheels = Path(folder) / "wheels"
        wheels.mkdir()
        progress("Fetching Python packages", 0.0)
        fetching = _Fetch(recipe, wheels)
        fetching.start()
        try:
            if not engine.succeeds("image", "exists", recipe.base_name):
                _build_base(recipe, lambda text, share: progress(text, 0.02 + 0.6 * share))
        finally:
            fetching.join()
        if fetching.problem:
            raise ImageError(fetching.problem)
        _build_top(recipe, wheels, Path(folder), lambda text, share: progress(text, 0.62 + 0.37 * share))


class _Fetch(threading.Thread):
    """Downloads the locked wheels with the host's pip while Debian is being unpacked."""

    def __init__(self, recipe: Recipe, wheels: Path) -> None:
        super().__init__(name="fetch-wheels")
        self.problem = ""
        self._command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, "--require-hashes"),
            *(part for platform in WHEEL_PLATFORMS for part in ("--platform", f"{platform}_{os.uname().machine}")),
            *("--requirement", str(recipe.folder / "requirements.lock"), "--dest", str(wheels)),
        ]

    def run(self) -> None:
        done = subprocess.run(self._command, capture_output=True, check=False)
        if done.returncode:
            self.problem = f"Python packages could not be fetched with this host's pip: {engine.said(done.stderr)}"


def debian_sources(suite: str = SUITE) -> list[str]:
    """Source lines for a Debian suite, from the mirrors this host's apt already uses."""
    own = os.environ.get(MIRROR_VARIABLE)
    if own:
        return [f"deb {own} {suite} main"]
    mirror, security = _apt_mirror("Debian"), _apt_mirror("Debian-Security")
    if not mirror:
        raise ImageError(
            f"This host's apt knows no Debian mirror. Set {MIRROR_VARIABLE} to the address of one "
            "and install the package debian-archive-keyring."
        )
    lines = [f"deb {mirror} {suite} main", f"deb {mirror} {suite}-updates main"]
    return lines + ([f"deb {security} {suite}-security main"] if security else [])


def _apt_mirror(label: str) -> str:
    query = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Label: {label}"]
    found = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()
    return found[0] if found else ""


def apt_connection() -> list[str]:
    """How this host's apt reaches mirrors (proxies, certificates), as options of another apt."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return [line for line in dump.splitlines() if re.match(r"Acquire::https?::.*\"[^\"]+\";$", line)]


def _base_command(recipe: Recipe) -> list[str]:
    # Emptied, not removed: mmdebstrap's own last step still wants to find them.
    forget = 'for file in sources.list apt.conf.d/99mmdebstrap; do : > "$1/etc/apt/$file"; done'
    return [
        *("mmdebstrap", "--verbose", "--variant=minbase", "--format=tar"),
        f"--include={','.join(recipe.lines('packages.txt'))}",
        *(f"--dpkgopt=path-exclude={path}" for path in recipe.lines("excluded.txt")),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--aptopt={line}" for line in apt_connection()),
        f"--customize-hook={forget}",
        *(SUITE, "-", *debian_sources()),
    ]


def _build_base(recipe: Recipe, progress: Progress) -> None:
    making = subprocess.Popen(_base_command(recipe), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert making.stdout and making.stderr
    storing = subprocess.Popen(
        ["podman", "import", "--quiet", "-", recipe.base_name],
        stdin=making.stdout,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=engine.environ(),
    )
    making.stdout.close()
    last = _watch_debian(making.stderr, progress)
    failed = making.wait()
    imported = storing.wait()
    if failed or imported:
        # A cut-off archive may still have been imported: it must not be taken for the base next time.
        engine.succeeds("image", "rm", "--force", recipe.base_name)
        raise ImageError(f"The Debian system could not be built: {last}")


def _watch_debian(stderr: IO[bytes], progress: Progress) -> str:
    total, seen, tail = 300, 0, [""]
    for raw in stderr:
        line = raw.decode(errors="replace").strip()
        tail = [*tail[-12:], line]
        if counted := re.search(r"(\d+) newly installed", line):
            total = max(total, int(counted[1]))
        if line.startswith(("Unpacking ", "Setting up ")):
            seen += 1
            progress("Installing Debian packages", min(0.95, seen / (2 * total)))
    return "\n".join(tail)


def _build_top(recipe: Recipe, wheels: Path, folder: Path, progress: Progress) -> None:
    context = folder / "context"
    for path in sorted(recipe.folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            target = context / path.relative_to(recipe.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (context / "rootfs/usr/local/lib/strongroom/relay.py").write_bytes(RELAY.read_bytes())
    command = [
        *("podman", "build", "--layers", "--network", "none", "--pull-never", "--volume", f"{wheels}:/wheels:ro"),
        *("--build-arg", f"BASE={recipe.base_name}", "--tag", recipe.name, str(context)),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=engine.environ()) as process:
        assert process.stdout
        tail: list[str] = []
        for raw in process.stdout:
            line = raw.decode(errors="replace").strip()
            tail = [*tail[-20:], line]
            if step := re.match(r"STEP (\d+)/(\d+)", line):
                progress("Installing Python packages and kernels", int(step[1]) / (int(step[2]) + 1))
    if process.returncode:
        raise ImageError("The image could not be finished: " + "\n".join(tail)[-2000:])


class Bar:
    """A bar on a terminal; elsewhere one line for each tenth."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, text: str, share: float) -> None:
        """Show where we are."""
        step = int(share * (100 if sys.stdout.isatty() else 10))
        if step == self._shown:
            return
        self._shown = step
        filled = int(share * 40)
        end = "\n" if share >= 1 or not sys.stdout.isatty() else "\r"
        print(f"[{'#' * filled}{'.' * (40 - filled)}] {share:4.0%} {text:<44}", end=end, flush=True)


def main() -> int:
    """Build the image if needed, with a bar, and print its name."""
    try:
        image = ensure_image(Bar())
    except (ImageError, engine.PodmanError) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    print(f"{image.name} {image.id}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
