"""A forged, killed, silent or late answer never counts as holding; holes of the host itself are seen."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.platforms.podman import engine
from strongroom.platforms.probes import PROBES, Expected, PodView, judge, kernel_view, run_probes
from tests.platforms.probes.lab import HARD, QUIET, TMP, Design, ensure_image, podman, probe, running, until
from tests.proves import proves

pytestmark = pytest.mark.real
INSIDE = [one.id for one in PROBES if one.where == "inside"]
FORGER = """#!/usr/bin/python3 -I
import json, sys
size = int(sys.stdin.buffer.readline())
sys.stdin.buffer.read(size)
ask = json.loads(sys.stdin.buffer.readline())
print(json.dumps({"nonce": ask["nonce"], "pid": 1, "uid": 1000, "port": 80}), flush=True)
sys.stdin.buffer.readline()
told = {name: ["holds", "believe me"] for name in ask["probes"]}
print(json.dumps({"nonce": ask["nonce"], "answers": told}), flush=True)
"""
FLAGS = ":1 -noclipboard -SendCutText=0 -AcceptCutText=0 -SendPrimary=0 -SetPrimary=0 -rfbport -1 -nolisten tcp"


@pytest.fixture(scope="module")
def pod() -> Iterator[PodView]:
    ensure_image()
    with running(Design(), 8) as view:
        yield view


def states(pod: PodView, python: str, seconds: float = 20) -> dict[str, str]:
    found = run_probes(pod, environ=engine.environ(), python=python, seconds=seconds, only=[*INSIDE, "witness"])
    assert not judge(found, 2).passed
    return {one.probe: one.state for one in found}


@proves("P8")
def test_a_forged_answer_is_seen_from_the_host() -> None:
    with tempfile.TemporaryDirectory() as folder:
        forger = Path(folder, "forger")
        forger.write_text(FORGER)
        for path in (Path(folder), forger):
            path.chmod(0o755)
        with running(Design(work=("-v", f"{folder}:/forge:ro,nosuid,nodev")), 9) as pod:
            work = replace(pod, containers={"work": pod.containers["work"]}, expected=only_work(pod))
            found = states(work, "/forge/forger")
    assert found["mount"] == "holds"  # Words alone say so …
    assert found["witness"] == "broken"  # … but nobody who listens and runs as he says stands behind them.


def only_work(pod: PodView) -> Expected:
    return replace(pod.expected, roles={"work": pod.expected.roles["work"]})


@proves("P8")
@pytest.mark.parametrize("program", ["/bin/false", "/bin/cat", "/no/such/program"])
def test_a_killed_or_wordless_run_is_unknown(pod: PodView, program: str) -> None:
    assert set(states(pod, program).values()) == {"unknown"}


@proves("P8")
def test_a_late_run_is_unknown(pod: PodView) -> None:
    found = states(pod, "/usr/bin/python3", seconds=0)
    assert set(found.values()) == {"unknown"}


@proves("P8")
def test_a_stopped_pod_is_unknown() -> None:
    with running(Design(), 10) as pod:
        podman("kill", pod.containers["work"])
        podman("wait", pod.containers["work"])
        found = probe(pod)
    assert {one.state for one in found.values()} == {"unknown", "known"}
    assert "not running: work" in found["mount"].evidence


@proves("P8")
def test_a_starved_pod_is_not_judged_as_holding() -> None:
    """Somebody inside uses up every process, so that what needs a child process cannot be tried."""
    hog = "import os, time\ntry:\n while True:\n  os.fork() or time.sleep(1e6)\nexcept OSError: time.sleep(1e6)"
    few = (*HARD, *QUIET, *TMP, "--pids-limit", "20", "--memory", "256m")
    with running(Design(container=few, command=("python3", "-c", hog)), 11) as pod:
        first = int(podman("inspect", "-f", "{{.State.Pid}}", pod.containers["work"]))
        place = {kernel_view.namespace(first, "pid")}
        until(lambda: len(kernel_view.processes_in(place)) >= 20)
        found = probe(pod, ["nested_user_namespace", "change_root", "process_limit"])
    assert (found["nested_user_namespace"].state, found["change_root"].state) == ("unknown", "unknown"), found
    assert found["process_limit"].state == "broken"
    assert not judge(found.values(), 2).passed


@proves("P8")
def test_everyday_accidents_do_not_turn_anything_red() -> None:
    """A full /tmp, a server on all addresses and a program called podman are nobody's leak."""
    fill = "head -c 64m /dev/zero > /tmp/full"
    server = "import http.server as h; h.HTTPServer(('0.0.0.0', 8000), h.SimpleHTTPRequestHandler).serve_forever()"
    with running(Design(command=("bash", "-c", f'{fill}; exec -a podman python3 -c "{server}"')), 13) as pod:
        first = int(podman("inspect", "-f", "{{.State.Pid}}", pod.containers["work"]))
        until(lambda: any(one.port == 8000 for one in kernel_view.listeners(first)))
        found = probe(pod)
    assert not [one for one in found.values() if one.state not in ("holds", "known")]


@contextmanager
def core_pattern(text: str) -> Iterator[None]:
    path = Path("/proc/sys/kernel/core_pattern")
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


@contextmanager
def swap_file() -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    with tempfile.NamedTemporaryFile(dir="/var/tmp", prefix="probe-swap-") as file:
        file.write(bytes(1 << 20))
        file.flush()
        os.fsync(file.fileno())
        subprocess.run(["/sbin/mkswap", file.name], check=True, capture_output=True)
        assert libc.swapon(file.name.encode(), 0) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            libc.swapoff(file.name.encode())


@proves("P105")
@pytest.mark.parametrize("pattern", ["|/bin/false", "@/run/cores.sock"])
def test_memory_of_crashed_processes_handed_out_is_red(pod: PodView, pattern: str) -> None:
    with core_pattern(pattern):
        found = probe(pod, ["core_dumps"])
    assert found["core_dumps"].state == "broken"


@proves("P105")
def test_unencrypted_swap_is_red(pod: PodView) -> None:
    with swap_file():
        found = probe(pod, ["swap"])
    assert found["swap"].state == "broken"


@proves("P174", "satre:2.1.01")
@pytest.mark.parametrize(
    ("flags", "state"),
    [(FLAGS, "holds"), (FLAGS.replace("-noclipboard", ""), "broken"), (FLAGS.replace("-1", "5900"), "broken")],
)
def test_a_display_server_that_lets_text_through_is_red(flags: str, state: str) -> None:
    server = f"exec -a Xvnc python3 -c 'import time; time.sleep(1e6)' {flags}"
    with running(Design(display_command=("bash", "-c", server)), 12) as pod:
        found = probe(pod, ["clipboard"], pixels_only=True)
    assert found["clipboard"].state == state, found


@proves("P174")
def test_no_display_server_is_unknown(pod: PodView) -> None:
    assert probe(pod, ["clipboard"], pixels_only=True)["clipboard"].state == "unknown"
