"""What the doctor says of a machine."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from strongroom.layout import Layout
from strongroom.operate import doctor
from strongroom.operate.doctor import Finding


@pytest.mark.parametrize("pattern,good", [("core", True), ("/tmp/core.%p", True), ("|/usr/bin/collect %p", False)])
def test_a_piped_core_pattern_is_bad_and_says_how_to_mend_it(pattern: str, good: bool) -> None:
    finding = doctor.core_pattern_finding(pattern)
    assert finding.good is good
    assert finding.needed
    assert good or "kernel.core_pattern=core" in finding.words


def test_swap_in_plain_form_is_named() -> None:
    swaps = "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n/dev/zram0 partition 1 0 5\n/dev/dm-0 partition 1 0 1\n"
    assert doctor.plain_swaps(swaps, lambda name: name == "/dev/dm-0") == ["/dev/sda2"]


def test_memory_is_read_in_bytes() -> None:
    assert doctor.memory("MemTotal:  100 kB\nHugePages_Total: 0\n")["MemTotal"] == 102_400


def test_cgroup_version(tmp_path: Path) -> None:
    assert doctor.cgroup_version(tmp_path) == 1
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    assert doctor.cgroup_version(tmp_path) == 2


def test_the_verdict_names_what_must_be_mended() -> None:
    good, wish, must = Finding("A", True, "a"), Finding("B", False, "b"), Finding("C", False, "c", needed=True)
    assert "every tier up to 3" in doctor.told([good, wish])
    assert doctor.told([good, wish, must]).endswith("refused here until this is mended: C.")


@pytest.mark.real
def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finding = doctor._ports(Layout("doctor-x", port))
    assert not finding.good
    assert str(port) in finding.words


@pytest.mark.real
def test_every_look_gives_a_finding_here() -> None:
    layout = Layout(f"doc{os.getpid() % 100000}", 8490)
    try:
        findings = doctor.examine(layout)
    finally:
        shutil.rmtree(layout.state, ignore_errors=True)
        shutil.rmtree(layout.run, ignore_errors=True)
    assert len(findings) == len(doctor.LOOKS)
    assert not [finding for finding in findings if "could not be looked at" in finding.words]
