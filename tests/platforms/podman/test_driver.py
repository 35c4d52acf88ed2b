"""One real environment: what is seen on its desktop, what cannot be done inside, what is read back."""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strongroom.platforms.podman import translate
from strongroom.platforms.podman.checks import run_checks
from strongroom.platforms.podman.driver import PodmanPlatform
from strongroom.platforms.protocol import PlatformError
from tests.platforms.podman.rfb import Viewer
from tests.platforms.running import Running, instance
from tests.proves import proves

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A ready environment, shared by the tests of this module."""
    with instance(tmp_path_factory.mktemp("volumes")) as running:
        running.platform.apply(running.spec)
        running.until(lambda seen: seen.as_asked)
        yield running


@proves("P142", "satre:2.1.02", "control:connection")
def test_the_desktop_shows_jupyterlab_and_takes_the_pointer(ready: Running) -> None:
    path = ready.platform.session_socket(ready.spec.id)

    def shown(_seen: object) -> bool:
        with Viewer(path) as viewer:
            return len(viewer.screenshot().getcolors(1 << 24) or []) > 500

    def menu_opened(_seen: object) -> bool:
        with Viewer(path) as viewer:
            before = viewer.screenshot()
            viewer.click(54, 14)
            # The menu is painted a moment after the click; the next round's click would close it again.
            for _ in range(30):
                time.sleep(0.1)
                if viewer.screenshot() != before:
                    return True
            return False

    ready.until(shown)
    ready.until(menu_opened)


@proves("P174", "satre:2.1.01", "control:paste_in", "control:copy_out")
def test_clipboard_is_refused_in_both_directions(ready: Running) -> None:
    before = ready.platform.clipboard_counts(ready.spec.id)
    with Viewer(ready.platform.session_socket(ready.spec.id)) as viewer:
        viewer.send(struct.pack(">B3xI", 6, 5) + b"paste")
        viewer.screenshot()
    after = ready.platform.clipboard_counts(ready.spec.id)
    assert after["clipboard_in_refused"] == before["clipboard_in_refused"] + 1
    assert after["clipboard_out_refused"] == before["clipboard_out_refused"]


INSIDE_FAILS = {
    "new user namespace": ("unshare", "-Ur", "true"),
    "mount": ("mount", "-t", "tmpfs", "x", "/tmp"),
    "kernel keys": ("python3", "-c", "import ctypes,sys; sys.exit(ctypes.CDLL(None).syscall(250, 0, -3, 1) < 0)"),
    "vsock": ("python3", "-c", "import socket; socket.socket(40, socket.SOCK_STREAM)"),
    "kernel crypto socket": ("python3", "-c", "import socket; socket.socket(38, socket.SOCK_SEQPACKET)"),
    "packet socket": ("python3", "-c", "import socket; socket.socket(17, socket.SOCK_RAW)"),
    "trace": ("python3", "-c", "import ctypes,sys; sys.exit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) < 0)"),
    "write to the system": ("touch", "/usr/bin/x"),
    "write to data": ("touch", "/data/pupils/x"),
    "write to documents": ("touch", "/documents/x"),
    "put something beside the X socket": ("touch", "/tmp/.X11-unix/x"),
    "run a program from output": ("sh", "-c", "cp /usr/bin/true /output/t && /output/t"),
    "more memory on disk than allowed": ("dd", "if=/dev/zero", "of=/tmp/big", "bs=1M", "count=300"),
    "reach another host": ("python3", "-c", "import socket; socket.create_connection(('192.0.2.1', 80), 2)"),
    "look up a name": ("python3", "-c", "import socket; socket.getaddrinfo('example.org', 80)"),
    "see the display's processes": ("pgrep", "-x", "Xvnc"),
}


@proves("P149", "P121")
@pytest.mark.parametrize("what", INSIDE_FAILS)
def test_inside_one_cannot(ready: Running, what: str) -> None:
    code, text = ready.inside(*INSIDE_FAILS[what])
    assert code not in (0, 126, 127) or "run a program" in what and code == 126, text


@proves("satre:2.1.10")
@pytest.mark.parametrize(
    "argv",
    [
        ("python3", "-c", "import pandas, statsmodels.api, matplotlib.pyplot; print(pandas.__version__)"),
        ("Rscript", "-e", "png('/output/f.png'); plot(1:3); invisible(dev.off()); summary(lm(c(1,2,4)~c(1,2,3)))"),
        ("jupyter", "kernelspec", "list"),
        (
            "python3",
            "-c",
            "open('/work/a','w'); open('/scratch/a','w'); open('/output/a','w'); open('/data/pupils/pupils.csv')",
        ),
    ],
)
def test_inside_one_can(ready: Running, argv: tuple[str, ...]) -> None:
    code, text = ready.inside(*argv)
    assert code == 0, text
    if argv[0] == "jupyter":
        assert "ir" in text.split() and "python3" in text.split()


def test_a_script_gets_its_input_and_ends_in_time(ready: Running) -> None:
    ran = ready.platform.run_script(
        ready.spec.id, ["python3", "-"], b"import os; print(os.getuid(), os.getcwd())", cwd="/work"
    )
    assert (ran.code, ran.stdout.split()) == (0, [b"1000", b"/work"])
    assert ready.platform.run_script(ready.spec.id, ["sleep", "60"], timeout=1).code == 124


def test_files_written_inside_belong_to_the_mapped_user(ready: Running) -> None:
    ready.inside("touch", "/output/mine")
    assert (ready.folder / "output/mine").stat().st_uid == ready.spec.researcher_uid


@proves("P148", "D17")
def test_the_session_socket_is_the_hosts_and_no_container_sees_its_folder(ready: Running) -> None:
    path = ready.platform.session_socket(ready.spec.id)
    seen = path.lstat()
    assert stat.S_ISSOCK(seen.st_mode) and stat.S_IMODE(seen.st_mode) == 0o660 and seen.st_uid == 0
    folder = path.parent.stat()
    assert folder.st_uid == 0 and stat.S_IMODE(folder.st_mode) == 0o750
    for pid in ready.platform.pids(ready.spec.id).values():
        assert str(ready.layout.sessions) not in Path(f"/proc/{pid}/mountinfo").read_text()


def test_no_container_keeps_a_socket_of_the_hosts_network(ready: Running) -> None:
    display = ready.platform.pids(ready.spec.id)["display"]
    own, host = (os.stat(f"/proc/{pid}/ns/net").st_ino for pid in (display, "self"))
    assert own != host
    assert ready.until(lambda seen: seen.phase == "ready").drift == ()


class Careless(PodmanPlatform):
    """A driver that adds arguments of its own: what a bug, or an engine that ignores a field, would amount to."""

    extra: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def _container_arguments(self, pod: Any, container: Any, name: str, screen: Path, claims: Any) -> list[str]:
        asked = translate.container_arguments(pod, container, name, screen, claims)
        kept = [word for word in asked if word not in self.without]
        return [*self.extra, *kept] if container["name"] == "work" else asked


HOLES = {
    "holds capabilities": (("--cap-add", "NET_RAW"), ()),
    "root file system is writable": ((), ("--read-only", "--read-only-tmpfs=false")),
    "/etc/ssl is mounted": (("--volume", "/etc/ssl:/etc/ssl:ro"), ()),
    "core files up to unlimited bytes": ((), ("core=0:0",)),
    "may gain privileges": ((), ("no-new-privileges",)),
}


@proves("satre:2.1.01", "satre:2.4.03")
@pytest.mark.parametrize("words", ["holds capabilities", "root file system is writable", "/etc/ssl is mounted"])
def test_one_thing_started_otherwise_than_asked_is_seen(ready: Running, words: str) -> None:
    careless = Careless(ready.layout)
    careless.extra, careless.without = HOLES[words]
    other = replace(ready.spec, id="env-hole")
    try:
        careless.apply(other)
        drift = careless.observe(other).drift
        assert len([line for line in drift if words in line]) == 1, drift
    finally:
        careless.destroy(other.id)


def test_a_volume_that_is_another_folder_is_seen(ready: Running, tmp_path: Path) -> None:
    first, *others = ready.spec.volumes
    moved = replace(ready.spec, volumes=(replace(first, path=tmp_path), *others))
    assert any("another folder than asked" in line for line in ready.platform.observe(moved).drift)


# Throwaway checks --------------------------------------------------------------------------------------------
def _check(ready: Running, code: str, folder: Path, **changes: Any) -> bytes:
    return run_checks(ready.layout, ready.spec.image, ["-c", code], folder, **changes)


def test_checks_see_inputs_and_our_source_and_nothing_else(ready: Running, inputs: Path) -> None:
    (inputs / "table.csv").write_text("a,b\n1,2\n")
    (inputs / "out").mkdir()
    code = (
        "import os, lxml, openpyxl, PIL, puremagic, strongroom;"
        "print(os.listdir('/inputs'), os.getuid(), os.listdir('/opt/strongroom/src/strongroom'));"
        "open('/results/x', 'w').write('done')"
    )
    printed = _check(ready, code, inputs, results=inputs / "out", packages=("strongroom/policy",))
    assert b"table.csv" in printed and b"2000" in printed and b"policy" in printed and b"warden" not in printed
    assert (inputs / "out" / "x").read_text() == "done"


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder that the checks may read."""
    tmp_path.chmod(0o755)
    return tmp_path


def test_inputs_that_nobody_else_may_read_are_a_clear_error(ready: Running, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(PlatformError, match="let everyone read it"):
        _check(ready, "1", tmp_path, packages=())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("open('/inputs/x', 'w')", "Read-only"),
        ("import socket; socket.create_connection(('192.0.2.1', 80), 2)", "unreachable"),
        ("b'x' * (2 << 30)", "failed"),
        ("print('x' * 100_000)", "printed more"),
        ("import time; time.sleep(60)", "did not end"),
    ],
)
def test_checks_cannot(ready: Running, inputs: Path, code: str, words: str) -> None:
    with pytest.raises(PlatformError, match=words):
        _check(ready, code, inputs, packages=(), memory_mb=256, seconds=8, output_limit=50_000)
