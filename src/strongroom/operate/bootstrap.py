"""What ``./strongroom`` does first, with nothing but the system's Python: root, packages, virtual environment."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from strongroom.operate import packages, virtualenv

# Commands that create users, mounts or networks, or read what only root may read.
AS_ROOT = frozenset({"demo", "up", "down", "destroy-instance", "test", "code", "audit-export"})
PACKAGES: dict[str, tuple[str, ...]] = {
    "demo": packages.RUN,
    "up": packages.RUN,
    "test": packages.RUN + packages.TEST,
}
OPTIONS_WITH_VALUE = ("--instance", "--port")


def command_of(arguments: list[str]) -> str:
    """The command among the arguments: the first that is neither an option nor an option's value."""
    words = iter(arguments)
    for word in words:
        if word in OPTIONS_WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            if word == "audit" and next(words, None) == "export":
                return "audit-export"
            return word
    return ""


def _become_root(door: str, arguments: list[str]) -> None:
    """Run the same command again under sudo; returns only if there is no sudo."""
    if shutil.which("sudo"):
        kept = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("STRONGROOM_")]
        os.execvp("sudo", ["sudo", "env", *kept, door, *arguments])  # noqa: S606


def _prepare(command: str, checkout: Path) -> Path:
    """Packages and virtual environment; returns the Python to run the command with."""
    if importlib.util.find_spec("ensurepip") is None:
        if os.geteuid() != 0:
            raise packages.PackagesMissing("Python cannot make virtual environments. Run once: sudo ./strongroom doctor")
        packages.install(packages.VENV)
    packages.install(PACKAGES.get(command, ()))
    return virtualenv.ensure(checkout) / "bin" / "python"


def main(arguments: list[str]) -> int:
    """Prepare the machine for the command, then replace this process by it; returns (an exit code) only on failure."""
    door = os.environ.get("STRONGROOM_DOOR", str(Path(__file__).resolve().parents[3] / "strongroom"))
    checkout = Path(door).parent
    if sys.version_info < (3, 11):  # noqa: UP036  the system's Python may be older than what we ask for
        found = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(f"strongroom: needs Python 3.11 or newer as {sys.executable}; this is {found}", file=sys.stderr)
        return 1
    command = command_of(arguments)
    if command in AS_ROOT and os.geteuid() != 0:
        _become_root(door, arguments)
        print(f"strongroom: '{command}' needs root, and sudo is not installed. Run it as root.", file=sys.stderr)
        return 1
    try:
        python = _prepare(command, checkout)
    except (packages.PackagesMissing, virtualenv.BuildFailed) as problem:
        print(f"strongroom: {problem}", file=sys.stderr)
        return 1
    environ = {**os.environ, "PYTHONPATH": str(checkout / "src"), "STRONGROOM_DOOR": door}
    return os.execve(python, [str(python), "-m", "strongroom.operate", *arguments], environ)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
