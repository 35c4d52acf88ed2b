"""The supervisor with real processes and users: order, rights, restarts, stopping, and being killed itself."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.layout import Layout
from strongroom.operate import control, install, leftovers, supervisor
from tests.operate import standins
from tests.proves import proves

pytestmark = pytest.mark.real
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def layout() -> Iterator[Layout]:
    made = standins.free_layout("sv")
    install.make_users(made)
    install.make_folders(made)
    try:
        yield made
    finally:
        control._stop_supervisor(made)
        install.remove(made)


def start(layout: Layout) -> subprocess.Popen[bytes]:
    environ = {**os.environ, **layout.environ(), "PYTHONPATH": f"{CHECKOUT / 'src'}:{CHECKOUT}"}
    return subprocess.Popen([sys.executable, "-m", "tests.operate.standin_supervisor"], env=environ, cwd=CHECKOUT)


def rows(layout: Layout) -> dict[str, Any]:
    found: dict[str, Any] = control.status(layout)["processes"]
    return found


def wait_up(layout: Layout) -> dict[str, Any]:
    standins.wait_for(lambda: control.status(layout)["up"], "not all processes run")
    return rows(layout)


def fields(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


def alive(layout: Layout) -> list[int]:
    return leftovers.users_processes(layout)


def test_each_runs_as_its_user_with_its_groups_and_no_way_to_gain_rights(layout: Layout) -> None:
    process = start(layout)
    now = wait_up(layout)
    for name, part, groups in (("first", "identity", []), ("second", "web", ["identity"])):
        seen = fields(now[name]["pid"])
        account = pwd.getpwnam(layout.user(part))
        assert set(seen["Uid"]) == {str(account.pw_uid)}
        assert seen["Groups"] == [str(pwd.getpwnam(layout.user(group)).pw_gid) for group in groups]
        assert seen["NoNewPrivs"] == ["1"]
        assert seen["CapEff"] == ["0" * 16]
    mark = layout.state_of("identity") / "prepared"
    assert mark.stat().st_uid == pwd.getpwnam(layout.user("identity")).pw_uid
    process.terminate()
    assert process.wait(20) == 0


@proves("P185")
def test_the_gateway_can_open_sockets_but_not_the_records(layout: Layout) -> None:
    process = start(layout)
    wait_up(layout)
    account = pwd.getpwnam(layout.user("gateway"))
    groups = [pwd.getpwnam(layout.user("identity")).pw_gid]

    def attempt(script: str) -> int:
        return subprocess.run(
            ["/usr/bin/python3", "-c", script],
            user=account.pw_uid, group=account.pw_gid, extra_groups=groups, capture_output=True,
        ).returncode  # fmt: skip

    for path in (layout.web_socket, layout.identity_socket):
        path.chmod(0o777)
        assert attempt(f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})") == 0
    assert attempt(f"open({str(layout.state_of('web') / 'web.sqlite3')!r}, 'rb')") != 0
    assert attempt(f"import os; os.listdir({str(layout.state_of('identity'))!r})") != 0
    assert attempt(f"import os; os.listdir({str(layout.warden_socket.parent)!r})") != 0
    process.terminate()
    process.wait(20)


def test_what_dies_comes_back(layout: Layout) -> None:
    process = start(layout)
    before = wait_up(layout)["first"]["pid"]
    os.kill(before, signal.SIGKILL)
    standins.wait_for(lambda: rows(layout)["first"]["pid"] not in (None, before), "it was not restarted")
    after = wait_up(layout)["first"]
    assert after["restarts"] == 1
    assert after["last_exit"] == -signal.SIGKILL
    process.terminate()
    assert process.wait(20) == 0


def test_stopping_leaves_nobody_not_even_who_ignores_it(layout: Layout) -> None:
    process = start(layout)
    wait_up(layout)
    standins.wait_for(lambda: len(alive(layout)) == 4, "the stubborn process has no child yet")
    process.terminate()
    assert process.wait(20) == 0
    assert alive(layout) == []
    assert not supervisor.is_running(layout)
    assert supervisor.read_status(layout) == {}


def test_a_second_supervisor_refuses(layout: Layout) -> None:
    process = start(layout)
    now = wait_up(layout)
    assert start(layout).wait(20) == 1
    assert rows(layout) == now
    process.terminate()
    process.wait(20)


def test_after_a_killed_supervisor_the_next_takes_over_with_nothing_twice(layout: Layout) -> None:
    process = start(layout)
    before = wait_up(layout)
    process.kill()
    process.wait(10)
    assert not supervisor.is_running(layout)
    again = start(layout)
    after = wait_up(layout)
    standins.wait_for(lambda: len(alive(layout)) == 4, "processes of the first supervisor are still there")
    for name in ("first", "second", "stubborn"):
        assert after[name]["pid"] != before[name]["pid"]
        assert leftovers.start_time(before[name]["pid"]) is None
    again.terminate()
    assert again.wait(20) == 0


def test_stopping_after_a_killed_supervisor_leaves_nobody(layout: Layout) -> None:
    process = start(layout)
    wait_up(layout)
    process.kill()
    process.wait(10)
    control._stop_supervisor(layout)
    assert alive(layout) == []


def test_a_recorded_number_that_now_names_another_process_is_left_alone(layout: Layout) -> None:
    bystander = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    try:
        row = {"pid": bystander.pid, "start_time": (leftovers.start_time(bystander.pid) or 0) - 1}
        leftovers.end_recorded({"processes": {"first": row}})
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait(10)


def test_a_log_that_grows_too_large_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        writer.write(b"a" * (supervisor.LARGEST_LOG + 1))
        writer.flush()
        supervisor.cap_log(log)
        assert log.stat().st_size == 0
        writer.write(b"next")
        writer.flush()
    assert log.read_bytes() == b"next"
    assert (tmp_path / "x.log.1").stat().st_size == supervisor.LARGEST_LOG + 1
