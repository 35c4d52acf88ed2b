"""A throwaway container for looking at files that nobody trusts: no network, no right, bounded, gone afterwards."""

from __future__ import annotations

import os
import secrets
import stat
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from strongroom.layout import Layout
from strongroom.platforms.podman import engine, translate
from strongroom.platforms.protocol import DISPLAY, PlatformError

SOURCE = Path(__file__).resolve().parents[3]
INSIDE = "/opt/strongroom/src"
INPUTS = "/inputs"
RESULTS = "/results"
UID = DISPLAY
# Below the first range that an environment can have.
UID_BASE = 2_900_000
CHECKER_UID = UID_BASE + UID
STDERR_LIMIT = 4096


def run_checks(
    layout: Layout,
    image: str,
    command: Sequence[str],
    inputs: Path,
    results: Path | None = None,
    *,
    packages: Sequence[str] = ("strongroom/disclosure",),
    memory_mb: int = 1024,
    seconds: int = 120,
    output_limit: int = 16 * 1024 * 1024,
    accepted: Sequence[int] = (0,),
) -> bytes:
    """Run ``python3 COMMAND…`` over files at ``/inputs`` (read only) and return what it printed.

    Files and folders of ``inputs`` must be readable by everyone or belong to host user ``CHECKER_UID``.
    ``results``, if given, is a folder it may write at ``/results``. Packages of our own source stand at
    ``/opt/strongroom/src``. ``accepted`` are the exit codes that count as an answer. Raises PlatformError when it fails, prints more than the limit, or takes too long.
    """
    seen = inputs.stat()
    if seen.st_uid != CHECKER_UID and not seen.st_mode & stat.S_IROTH:
        raise PlatformError(
            f"The checks could not read {inputs}: give it to user {CHECKER_UID} or let everyone read it."
        )
    name = layout.label(f"checks-{secrets.token_hex(6)}")
    arguments = _arguments(layout, name, image, command, inputs, results, packages, memory_mb)
    try:
        return _run(name, arguments, seconds, output_limit, accepted)
    finally:
        engine.succeeds("rm", "--force", "--ignore", "--time", "0", name)


def _arguments(
    layout: Layout,
    name: str,
    image: str,
    command: Sequence[str],
    inputs: Path,
    results: Path | None,
    packages: Sequence[str],
    memory_mb: int,
) -> list[str]:
    mounts = translate.bind(inputs, INPUTS, read_only=True, no_programs=True) + translate.tmpfs("/tmp", 128)
    if results is not None:
        os.chown(results, CHECKER_UID, CHECKER_UID)
        mounts += translate.bind(results, RESULTS, read_only=False, no_programs=True)
    # One marker file makes the mounted packages a package; nothing else of the product is inside.
    for package in ("strongroom/__init__.py", *packages):
        mounts += translate.bind(SOURCE / package, f"{INSIDE}/{package}", read_only=True, no_programs=True)
    return [
        *("run", "--name", name, "--network", "none", "--no-hosts", "--user", f"{UID}:{UID}"),
        *("--uidmap", f"0:{UID_BASE}:{translate.UIDS}", "--gidmap", f"0:{UID_BASE}:{translate.UIDS}"),
        *("--label", f"strongroom.instance={layout.instance}", "--attach", "stdout", "--attach", "stderr"),
        *translate.hardening(),
        *translate.limits(memory_mb, 1.0, 64),
        *("--env", f"PYTHONPATH={INSIDE}", "--env", "PYTHONDONTWRITEBYTECODE=1", "--env", "HOME=/tmp"),
        *mounts,
        *("--workdir", "/tmp", image, "python3", *command),
    ]


def _run(name: str, arguments: Sequence[str], seconds: int, limit: int, accepted: Sequence[int]) -> bytes:
    with subprocess.Popen(
        ["podman", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=engine.environ(),
    ) as process:
        late = threading.Event()

        def stop() -> None:
            late.set()
            engine.succeeds("kill", name)
            process.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        errors = _Tail(process)
        errors.start()
        try:
            assert process.stdout
            printed = process.stdout.read(limit + 1)
            if len(printed) > limit:
                stop()
                raise PlatformError(f"The checks printed more than {limit} bytes and were stopped.")
            code = process.wait()
        finally:
            timer.cancel()
            errors.join()
    if late.is_set():
        raise PlatformError(f"The checks did not end within {seconds} seconds and were stopped.")
    if code not in accepted:
        raise PlatformError(f"The checks failed ({code}): {errors.text}")
    return printed


class _Tail(threading.Thread):
    """Keeps the end of what a process says on its error stream."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._seen = b""

    def run(self) -> None:
        assert self._process.stderr
        while more := self._process.stderr.read1(65_536):  # type: ignore[attr-defined]
            self._seen = (self._seen + more)[-STDERR_LIMIT:]

    @property
    def text(self) -> str:
        """As text."""
        return self._seen.decode(errors="replace").strip()
