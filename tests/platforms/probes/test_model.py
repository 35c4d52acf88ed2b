"""The catalogue, the judgement, and how answers are put together; nothing real is started."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.platforms.probes import (
    NOT_COVERED,
    PROBES,
    Expected,
    Mount,
    PodView,
    ProbeError,
    Result,
    Role,
    host,
    judge,
    reference,
    run_probes,
    summary,
)
from strongroom.platforms.probes.inside import core, files, kernel, network
from strongroom.platforms.probes.kernel_view import Row
from strongroom.platforms.probes.mounts import compare
from strongroom.platforms.probes.run import _merge
from strongroom.platforms.probes.vantage import Vantage, script
from strongroom.policy.tiers import matrix
from tests.proves import proves

AT = "2025-01-01T00:00:00Z"


def result(state: str, probe: str = "mount") -> Result:
    return Result(probe, state, "", AT)  # type: ignore[arg-type]


def test_ids_are_unique_and_every_probe_has_its_check() -> None:
    ids = [one.id for one in PROBES]
    assert len(ids) == len(set(ids))
    inside = {one.id for one in PROBES if one.where == "inside"}
    on_host = {one.id for one in PROBES if one.where == "host" and one.kind == "probe"}
    assert inside == set(core.CHECKS) and on_host == set(host.CHECKS)
    assert len(inside | on_host) >= 30


def test_every_probe_attests_a_control_of_the_tiers() -> None:
    assert {one.control for one in PROBES} <= set(matrix())


def test_the_reference_names_every_probe_and_what_is_not_covered() -> None:
    page = reference()
    assert all(f"| `{one.id}` |" in page for one in PROBES)
    assert all(line in page for line in NOT_COVERED)


@proves("P8", "control:unknown_probe")
@pytest.mark.parametrize(
    ("states", "tier", "passed"),
    [
        (["holds", "holds"], 2, True),
        (["holds", "unknown"], 2, False),
        (["holds", "unknown"], 1, True),
        (["holds", "broken"], 0, False),
        ([], 2, False),
        (["known"], 3, False),
        (["holds", "known"], 4, True),
    ],
)
def test_unknown_counts_as_broken_from_tier_2(states: list[str], tier: int, passed: bool) -> None:
    assert judge([result(state) for state in states], tier).passed is passed


def test_facts_are_not_counted() -> None:
    found = [result("holds"), result("broken"), result("unknown"), result("known")]
    assert summary(found) == {"holds": 1, "broken": 1, "unknown": 1}


def pod(**changes: object) -> PodView:
    given: dict[str, object] = {"name": "p", "containers": {"work": "p-work"}}
    given["expected"] = Expected(3_000_000, {"work": Role(1000, 1, 1)})
    return PodView(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"containers": {}}, "at least one role"),
        ({"containers": {"display": "x"}}, "for the same roles"),
        ({"containers": {"work": "--privileged"}}, "is not a container name"),
        ({"name": "a b"}, "is not a container name"),
    ],
)
def test_a_pod_that_cannot_be_asked_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ProbeError, match=words):
        pod(**changes)


def test_an_unknown_probe_is_refused() -> None:
    with pytest.raises(ProbeError, match="no such probe: nonsense"):
        run_probes(pod(), only=["nonsense"])


def test_an_engine_that_fails_leaves_everything_unknown() -> None:
    found = run_probes(pod(), podman=("/bin/false",))
    assert {one.state for one in found} == {"unknown", "known"}
    assert not judge(found, 2).passed


def vantages(*states: str) -> list[Vantage]:
    made = [Vantage("work", "w", number, "n") for number in range(len(states))]
    for one, state in zip(made, states, strict=True):
        one.failure = "was killed" if state == "killed" else ""
        one.answers = {} if state in ("silent", "killed") else {"mount": [state, "said"]}
    return made


@proves("P8")
@pytest.mark.parametrize(
    ("states", "merged"),
    [
        (("holds", "holds"), "holds"),
        (("holds", "broken", "killed"), "broken"),
        (("holds", "killed"), "unknown"),
        (("holds", "silent"), "unknown"),
        (("holds", "fine, thanks"), "unknown"),
        ((), "unknown"),
    ],
)
def test_the_worst_answer_counts(states: tuple[str, ...], merged: str) -> None:
    probe = next(one for one in PROBES if one.id == "mount")
    assert _merge(probe, vantages(*states), [])[0] == merged


def test_a_visit_that_the_host_saw_outweighs_denials() -> None:
    probe = next(one for one in PROBES if one.id == "mount")
    assert _merge(probe, vantages("holds"), ["the host saw 10.0.0.2 connect"])[0] == "broken"


def row(
    target: str, options: str = "ro,nosuid,nodev", kind: str = "ext4", detail: str = "rw", shared: bool = False
) -> Row:
    return Row(target, frozenset(options.split(",")), shared, kind, "x", frozenset(detail.split(",")))


TMP = row("/tmp", "rw,nosuid,nodev", "tmpfs", "rw,size=1024k")


@proves("satre:3.2.03")
@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([row("/data"), TMP], ""),
        ([TMP], "/data is not mounted"),
        ([row("/data", "rw,nosuid,nodev"), TMP], "/data is writable"),
        ([row("/data", "ro"), TMP], "/data lacks nosuid, nodev"),
        ([row("/data", shared=True), TMP], "/data passes mounts on to the host"),
        ([row("/data"), row("/tmp", "rw,nosuid,nodev", "tmpfs")], "/tmp has no size limit"),
        (
            [row("/data"), row("/tmp", "rw,nosuid,nodev", "tmpfs", "size=2048k")],
            "/tmp has 2097152 bytes, asked 1048576",
        ),
        ([row("/data"), TMP, row("/host")], "/host (ext4) was not asked for"),
        ([row("/data"), TMP, row("/etc/hosts", "rw")], "/etc/hosts is writable"),
        ([row("/data"), TMP, row("/sys", "rw", "sysfs")], "/sys is a writable sysfs"),
        ([row("/data"), TMP, row("/sys/fs/cgroup/pids", "rw", "cgroup")], "/sys/fs/cgroup/pids is writable"),
        ([row("/data"), TMP, row("/dev/sda", "rw", "ext4")], "/dev/sda (ext4) was not asked for"),
        ([row("/data"), TMP, row("/proc/sys", "rw", "proc")], "/proc/sys is a writable proc"),
    ],
)
def test_every_difference_of_mounts_is_told(rows: list[Row], fault: str) -> None:
    asked = (Mount("/data", False), Mount("/tmp", True, 1 << 20))
    assert compare(rows, asked) == ([fault] if fault else [])


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_inside_program_needs_the_standard_library_only() -> None:
    for module in (core, network, kernel, files):
        for name in imported(Path(str(module.__file__)).read_text()):
            ours = name == "strongroom.platforms.probes.inside.core"
            assert ours or name.split(".")[0] in sys.stdlib_module_names, f"{module.__name__} imports {name}"
    compile(script(), "inside", "exec")
    assert len(script()) < 60_000  # Written to the pipe before anybody reads it.


def test_a_process_that_has_ended_and_is_still_listed_stops_no_probe() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    try:
        pod = PodView("p", {"display": "d"}, Expected(1, {"display": Role(0, 0, 0, ())}))
        sight = host.Sight(pod, {"display": os.getpid()}, 0, {}, (), ())
        assert host.CHECKS["clipboard"](sight) == ("unknown", "no display server runs")
    finally:
        ended.wait()
