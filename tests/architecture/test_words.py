"""What may stand in no tracked file: addresses of package registries, and paths of somebody's own machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
# Put together here, so that this file does not contain them.
HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "registry.npm" + "js.org", "deb.debian" + ".org",
         "security.debian" + ".org", "snapshot.debian" + ".org", "archive.ubuntu" + ".com", "crates" + ".io",
         "proxy.golang" + ".org")  # fmt: skip
PATHS = (r"/work/(main|shared)\b", "/tmp/" + "brief", "/opt/" + "sr-venv", r"/home/(?!researcher\b)[a-z]+")
FORBIDDEN = re.compile("|".join([*(re.escape(host) for host in HOSTS), *PATHS]))
# Files of others that are kept as they came, with a reason.
VENDORED: dict[str, str] = {}
ALLOWED = {
    "tests/architecture/test_words.py": "spells the patterns",
}


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "-C", CHECKOUT, "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout
    return [CHECKOUT / name for name in listing.split("\0") if name]


def test_no_registry_host_and_no_developer_path() -> None:
    found = []
    for path in tracked():
        name = str(path.relative_to(CHECKOUT))
        if name in ALLOWED or name.startswith(tuple(VENDORED)) or not path.is_file():
            continue
        text = path.read_text(errors="ignore")
        found += [f"{name}: {match[0]}" for match in FORBIDDEN.finditer(text)]
    assert found == []


@pytest.mark.parametrize("text", [f"https://{HOSTS[0]}/simple", "cd /work/" + "main/src", "/home/" + "ann/x"])
def test_the_search_finds_them(text: str) -> None:
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize("text", ["/var/lib/strongroom/main", "/homes", "a framework/main", "https://localhost:8480"])
def test_the_search_leaves_others_alone(text: str) -> None:
    assert not FORBIDDEN.search(text.replace("framework/main", "framework"))
