"""The door: which command it sees, what it prepares, when the environment is built anew, which tests it runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.operate import __main__ as commands
from strongroom.operate import bootstrap, checks, packages, virtualenv

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "words,command",
    [
        (["demo"], "demo"),
        (["--instance", "test", "up"], "up"),
        (["--port", "9000", "--json", "status"], "status"),
        (["audit", "verify", "x"], "audit"),
        (["audit", "export", "x"], "audit-export"),
        ([], ""),
    ],
)
def test_the_command_among_the_words(words: list[str], command: str) -> None:
    assert bootstrap.command_of(words) == command


def test_verifying_and_depositing_need_neither_root_nor_packages() -> None:
    for command in ("audit", "deposit", "check", "status"):
        assert command not in bootstrap.AS_ROOT
        assert command not in bootstrap.PACKAGES


def test_a_change_of_the_lock_asks_for_a_new_environment(tmp_path: Path) -> None:
    lock, venv = tmp_path / "requirements.lock", tmp_path / "venv"
    lock.write_text("a==1")
    venv.mkdir()
    assert not virtualenv.is_complete(venv, lock)
    (venv / virtualenv.MARKER).write_text(virtualenv.digest(lock))
    assert virtualenv.is_complete(venv, lock)
    lock.write_text("a==2")
    assert not virtualenv.is_complete(venv, lock)


def test_every_package_of_the_lock_has_hashes_and_no_address() -> None:
    text = (CHECKOUT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", "\n" + text)[1:]
    assert len(entries) > 40
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==\S+", entry), entry[:60]
        assert "--hash=sha256:" in entry, entry[:60]
    assert "://" not in text
    assert "--index" not in text


def test_missing_packages_are_those_not_installed() -> None:
    assert packages.missing(("dpkg", "no-such-package-of-ours")) == ["no-such-package-of-ours"]


@pytest.mark.parametrize(
    "wanted,stages", [("", checks.STAGES), ("real fast", ("fast", "real")), ("static", ("static",))]
)
def test_stages_are_selected_in_our_order(wanted: str, stages: tuple[str, ...]) -> None:
    assert checks.selected_stages(wanted) == stages


def test_an_unknown_stage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="static, fast, real"):
        checks.selected_stages("slow")


@pytest.mark.parametrize("name", ["Main", "1st", "a" * 11, "a/b", "a.b", ""])
def test_a_name_that_cannot_be_part_of_users_and_paths_is_refused(name: str) -> None:
    with pytest.raises(Exception, match="small letters"):
        commands.instance_name(name)


@pytest.mark.parametrize("port", ["80", "65535", "x", "-1"])
def test_a_port_that_cannot_be_is_refused(port: str) -> None:
    with pytest.raises(Exception, match="from 1024 to 65534"):
        commands.first_port(port)


def test_words_of_handed_on_commands_are_not_interpreted() -> None:
    arguments = commands.parser().parse_args(["deposit", "--help", "--port", "1", "file"])
    assert arguments.rest == ["--help", "--port", "1", "file"]


def test_the_demonstration_takes_the_installation_before_or_after_its_name() -> None:
    for words in (
        ["demo", "--json", "f", "--instance", "x", "--port", "9000"],
        ["--instance", "x", "--port", "9000", "demo", "--json", "f"],
    ):
        arguments = commands.parser().parse_args(commands.instance_first(words))
        assert (arguments.instance, arguments.port, arguments.rest) == ("x", 9000, ["--json", "f"])


def test_destroying_asks_for_the_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_INSTANCE", "precious")
    arguments = commands.parser().parse_args(["destroy-instance", "--yes", "other"])
    assert arguments.run(arguments, CHECKOUT) == 2
    assert "--yes precious" in capsys.readouterr().err


def test_the_door_is_plain_shell() -> None:
    assert subprocess.run(["sh", "-n", CHECKOUT / "strongroom"], check=False).returncode == 0


def test_what_runs_before_the_environment_exists_needs_the_standard_library_alone() -> None:
    script = "import sys; import strongroom.operate.bootstrap; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        ["/usr/bin/python3", "-S", "-c", script],
        env={"PYTHONPATH": str(CHECKOUT / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    others = set(done.stdout.split()) - set(sys.stdlib_module_names) - {"strongroom", "sitecustomize", "__main__"}
    assert others == set()
