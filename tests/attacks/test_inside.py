"""Attacks from inside an environment: the data, the network, the output volume, and what is left on the host afterwards."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from strongroom.domain.acts import Act
from strongroom.domain.project import Request
from strongroom.platforms.podman.driver import PodmanPlatform
from strongroom.platforms.protocol import Ran
from tests.attacks.attacker import ALIVE, Attacker, as_browser, eventually, fresh_id
from tests.attacks.conftest import Who
from tests.installation import Installation
from tests.proves import proves

pytestmark = pytest.mark.real
CONTAINERS = Path("/var/lib/containers")
ELSEWHERE = (CONTAINERS, Path("/var/log"), Path("/run/log"), Path("/tmp"), Path("/var/tmp"), Path("/run/containers"))
LARGEST_SEARCHED = 4 << 30


class Inside:
    """A researcher's hands inside the Tier 2 environment."""

    def __init__(self, whole: Installation, environment: str) -> None:
        self._platform, self.environment = PodmanPlatform(whole.layout), environment

    def run(self, script: str, *, stdin: bytes = b"", timeout: float = 60) -> Ran:
        """Run a shell script as the researcher."""
        return self._platform.run_script(self.environment, ["sh", "-c", script], stdin, timeout)

    def must(self, script: str, **rest: float) -> str:
        """Run a script that has to succeed; what it printed."""
        done = self.run(script, **rest)  # type: ignore[arg-type]
        assert done.code == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace")


@pytest.fixture(scope="module")
def inside(whole: Installation, attacker: Attacker) -> Inside:
    """Inside the living project's Tier 2 environment."""
    return Inside(whole, attacker.laboratory.id)


# Data and network ---------------------------------------------------------------------------------------------------
@proves("P121", "P122")
def test_the_data_and_the_documents_cannot_be_changed_from_inside(inside: Inside) -> None:
    before = inside.must("sha256sum /data/pupils/*")
    assert before.strip()
    tries = [
        "echo x > /data/pupils/mine",
        "for f in /data/pupils/*; do echo x >> $f || exit 1; done",
        "rm -f /data/pupils/*.csv",
        "mv /data/pupils/*.csv /scratch/",
        "chmod u+w /data/pupils/*.csv",
        "truncate -s 0 /data/pupils/*.csv",
        "ln -s /etc/passwd /data/pupils/link",
        "mount -o remount,rw /data/pupils",
        "mount --bind /work /data/pupils",
        "umount /data/pupils",
        "unshare -rm mount -o remount,rw,bind /data/pupils",
        "echo x > /documents/mine",
        "echo x > /usr/bin/mine",
        "echo x > /etc/resolv.conf",
    ]
    results = {script: inside.run(f"{script} && echo done", timeout=20).stdout for script in tries}
    assert results == dict.fromkeys(tries, b"")
    assert inside.must("sha256sum /data/pupils/*") == before


@proves("P149", "satre:2.2.10", "satre:2.2.11")
def test_there_is_no_network_inside(inside: Inside, whole: Installation) -> None:
    assert inside.must("ls /sys/class/net").split() == ["lo"]
    port = whole.layout.port
    addresses = [("127.0.0.1", port), ("127.0.0.1", 22), ("10.0.2.2", port), ("169.254.169.254", 80), ("1.1.1.1", 53)]
    for host, number in addresses:
        code = f"import socket; socket.create_connection(({host!r}, {number}), 3)"
        done = inside.run(f'python3 -c "{code}"', timeout=20)
        assert done.code != 0, f"{host}:{number} answers"
        assert b"refused" in done.stderr or b"unreachable" in done.stderr, done.stderr[-200:]
    names = inside.run("getent hosts example.org localhost.localdomain example.org", timeout=20)
    assert b"example.org" not in names.stdout


@proves("P140")
def test_nothing_of_the_host_is_within_reach(inside: Inside, whole: Installation) -> None:
    for path in (
        "/var/lib/strongroom",
        "/run/strongroom",
        "/run/podman",
        "/var/run/docker.sock",
        "/dev/vda",
        "/dev/mem",
    ):
        assert inside.run(f"test -e {path}").code != 0, path
    seen = inside.must("ps -e -o args 2>/dev/null || cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "gunicorn" not in seen
    assert "caddy" not in seen
    assert inside.run("grep -q '^CapEff:.*[1-9a-f]' /proc/self/status").code == 1
    assert inside.run("test \"$(cat /proc/self/uid_map | awk '{print $2}' | head -1)\" -gt 100000").code == 0


# The output volume --------------------------------------------------------------------------------------------------
TRICKS = {
    "shadow.csv": "ln -s /etc/shadow /output/shadow.csv",
    "host.csv": "ln -s /proc/1/root/etc/hostname /output/host.csv",
    "pipe.csv": "mkfifo /output/pipe.csv",
    "hard.csv": "echo a,b > /output/first.csv && ln /output/first.csv /output/hard.csv",
    "socket.csv": "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('/output/socket.csv')\"",
    "sparse.csv": "truncate -s 40G /output/sparse.csv",
    "way/out.csv": "ln -s /etc /output/way",
}
BOMBS = {
    "bomb.zip": (
        "python3 -c \"import zipfile; z = zipfile.ZipFile('/output/bomb.zip', 'w', 8); f = z.open('zeros.csv', 'w');"
        ' [f.write(bytes(1 << 20)) for _ in range(1024)]; f.close(); z.close()"'
    ),
    "bomb.xlsx": (
        "python3 -c \"import zipfile; z = zipfile.ZipFile('/output/bomb.xlsx', 'w', 8);"
        " z.writestr('[Content_Types].xml', '<Types/>'); z.writestr('xl/workbook.xml', '<workbook/>');"
        " f = z.open('xl/worksheets/sheet1.xml', 'w'); [f.write(b'<row/>' * 200000) for _ in range(800)]; f.close();"
        ' z.close()"'
    ),
}


@pytest.fixture
def clean(inside: Inside) -> Iterator[None]:
    """The output volume as it was, whatever a test plants in it."""
    before = set(inside.must("find /output -mindepth 1").splitlines())
    yield
    for path in sorted(set(inside.must("find /output -mindepth 1").splitlines()) - before, reverse=True):
        inside.run(f"rm -rf '{path}'")


def asked(attacker: Attacker, who: Who, environment: str, files: Sequence[str]) -> Request:
    """Ask for files to leave, straight at the warden; the request once it is decided what of it can be reviewed."""
    body = {"id": fresh_id("request"), "environment": environment, "work_package": fresh_id("output")}
    body |= {"description": "Tables.", "script": files[0]}
    act = Act("egress.submit", ALIVE, {**body, "files": list(files)})
    outcome = attacker.order(act, attacker.access(who("researcher")))
    assert outcome.done, outcome.reason
    states = ("refused", "review", "returned")
    eventually(lambda: attacker.project().requests[body["id"]].state in states, 150, f"{files}: never decided")
    return attacker.project().requests[body["id"]]


def returned(attacker: Attacker, who: Who, request: Request) -> None:
    """Send a request back, so that nobody finds it waiting."""
    body = {"request": request.id, "digest": request.digest, "decision": "return", "note": "Not wanted."}
    act = Act("egress.review", ALIVE, {**body, "question_set": "strongroom-1", "answers": []})
    assert attacker.order(act, attacker.access(who("referee"))).done


@proves("P124", "satre:3.1.12")
@pytest.mark.parametrize("name", sorted(TRICKS))
@pytest.mark.usefixtures("clean")
def test_what_is_no_plain_file_does_not_leave(
    attacker: Attacker, who: Who, inside: Inside, whole: Installation, name: str
) -> None:
    inside.must(TRICKS[name])
    request = asked(attacker, who, inside.environment, [name])
    assert request.state == "refused", request
    assert not request.frozen
    assert request.reason
    assert not (whole.layout.mounts / f"{request.id}-sealed").exists()


@pytest.mark.usefixtures("clean")
def test_names_that_lead_out_of_the_volume_are_refused(attacker: Attacker, who: Who, inside: Inside) -> None:
    for name in ("../../../etc/shadow", "/etc/shadow", "./attainment.py", "..", "a\nb", "attainment.py\x00.csv"):
        request = asked(attacker, who, inside.environment, [name])
        assert request.state == "refused", name
        assert not request.frozen


@proves("P124")
@pytest.mark.parametrize("name", sorted(BOMBS))
@pytest.mark.usefixtures("clean")
def test_a_bomb_is_flagged_and_the_checker_survives(attacker: Attacker, who: Who, inside: Inside, name: str) -> None:
    inside.must(BOMBS[name], timeout=120)
    request = asked(attacker, who, inside.environment, [name])
    assert request.state == "refused" or request.checks["verdict"] == "fail", request.checks
    if request.state == "review":
        returned(attacker, who, request)
    inside.must("echo 'a,b\n100,200' > /output/plain.csv")
    after = asked(attacker, who, inside.environment, ["plain.csv"])
    assert after.state == "review", after.reason
    returned(attacker, who, after)


@proves("P124")
@pytest.mark.usefixtures("clean")
def test_what_else_lies_there_does_not_stand_in_the_way(attacker: Attacker, who: Who, inside: Inside) -> None:
    """Oddities beside a plain file, a giant among them, are left out."""
    for trick in TRICKS.values():
        inside.must(trick)
    inside.must("echo 'a,b\n100,200' > /output/plain.csv")
    request = asked(attacker, who, inside.environment, ["plain.csv"])
    assert request.state == "review", request.reason
    assert [one["name"] for one in request.frozen] == ["plain.csv"]
    returned(attacker, who, request)


@proves("P124")
@pytest.mark.usefixtures("clean")
def test_a_file_swapped_for_a_link_while_it_is_copied_gives_nothing_of_the_host(
    attacker: Attacker, who: Who, inside: Inside
) -> None:
    """A plain file and a link to the host's secrets change places as fast as they can while the copy is made."""
    plain = "a,b\n100,200\n"
    inside.must(f"printf '{plain}' > /scratch/plain && ln -sfn /etc/shadow /scratch/link")
    swap = "while :; do cp /scratch/plain /output/n && mv /output/n /output/swap.csv; cp -P /scratch/link /output/n && mv /output/n /output/swap.csv; done"
    inside.must(f"timeout 40 sh -c '{swap}' >/dev/null 2>&1 & echo $! > /tmp/swap.pid")
    try:
        requests = [asked(attacker, who, inside.environment, ["swap.csv"]) for _ in range(5)]
    finally:
        inside.run("kill $(cat /tmp/swap.pid); rm -f /output/n /output/swap.csv /scratch/plain /scratch/link")
    wanted = hashlib.sha256(plain.encode()).hexdigest()
    for request in requests:
        assert [one["sha256"] for one in request.frozen] in ([], [wanted]), request
        if request.state == "review":
            returned(attacker, who, request)


@pytest.mark.usefixtures("clean")
def test_a_planted_giant_does_not_hold_up_the_page(attacker: Attacker, who: Who, inside: Inside) -> None:
    inside.must(TRICKS["sparse.csv"])
    began = time.monotonic()
    app = attacker.layout.app_url
    page = as_browser(who("researcher"), f"{app}/projects/{ALIVE}/environments/{inside.environment}/outputs/new")
    assert page.status_code == 200
    assert "attainment.py" in page.text
    assert time.monotonic() - began < 20
