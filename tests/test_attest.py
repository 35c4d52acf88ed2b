"""What an attestation says can be checked by anybody, and nothing in it can be changed unseen."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import attest, ledger
from tests.proves import proves

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def probe(name: str, state: str = "holds") -> dict[str, str]:
    return {"probe": name, "state": state, "evidence": "seen", "at": "2026-01-01T00:00:00Z", "words": "?"}


def signed(key: Ed25519PrivateKey = KEY, **changes: Any) -> dict[str, Any]:
    """An attestation as a warden signs it."""
    document = {
        "kind": attest.KIND,
        "project": "chem97",
        "environment": "lab",
        "tier": 2,
        "image": "sha256:0123456789abcdef",
        "rules": "ab" * 32,
        "phase": "ready",
        "drift": [],
        "probes": [probe("mount"), probe("network"), probe("kernel_version", "known")],
        "summary": {"holds": 2, "broken": 0, "unknown": 0},
        "probed_at": "2026-01-01T00:00:00Z",
        "at": "2026-01-01T00:00:01Z",
        **changes,
        "key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
    }
    return {**document, "signature": base64.b64encode(key.sign(rfc8785.dumps(document))).decode()}


@proves("P8")
def test_a_sound_attestation_holds() -> None:
    line = ledger.key_line("warden", KEY.public_key())
    bare = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    for key in ("", line, bare):
        assert attest.verify(signed(), key) == attest.Verdict(bare, ())


@pytest.mark.parametrize("name", ["probes", "summary", "drift", "phase", "tier", "image", "rules", "at", "key"])
def test_whatever_is_changed_or_left_out_is_seen(name: str) -> None:
    changed = signed()
    changed[name] = [probe("mount")] if name == "probes" else "0"
    with pytest.raises(attest.NotSound):
        attest.verify(changed)
    left_out = {key: value for key, value in signed().items() if key != name}
    with pytest.raises(attest.NotSound):
        attest.verify(left_out)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "certificate"}, "no attestation"),
        ({"summary": {"holds": 67, "broken": 0, "unknown": 0}}, "not the sum"),
        ({"probes": "all hold"}, "a part is missing|another form"),
        ({"summary": 2}, "a part is missing|another form"),
    ],
)
def test_what_was_signed_but_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(attest.NotSound, match=words):
        attest.verify(signed(**changes))


def test_another_key_than_ones_own_is_refused() -> None:
    with pytest.raises(attest.NotSound, match="another key"):
        attest.verify(signed(OTHER), ledger.key_line("warden", KEY.public_key()))
    with pytest.raises(attest.NotSound, match="cannot be read"):
        attest.verify(signed(), "warden+key")


@proves("P8")
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"probes": [probe("a"), probe("b", "broken")], "summary": {"holds": 1, "broken": 1, "unknown": 0}}, "b: broken"),
        ({"probes": [probe("a"), probe("b", "unknown")], "summary": {"holds": 1, "broken": 0, "unknown": 1}}, "b: unknown"),
        ({"probes": [], "summary": {"holds": 0, "broken": 0, "unknown": 0}}, "no probe has answered"),
        ({"drift": ["work: another image"]}, "differs from asked"),
        ({"phase": "suspended"}, "is suspended"),
    ],
)
def test_what_does_not_hold_is_told(changes: dict[str, Any], fault: str) -> None:
    assert fault in " ".join(attest.verify(signed(**changes)).faults)


def test_below_tier_2_unknown_is_shown_and_passes() -> None:
    changes = {"probes": [probe("a"), probe("b", "unknown")], "summary": {"holds": 1, "broken": 0, "unknown": 1}}
    assert attest.verify(signed(**changes, tier=1)).faults == ()


def test_the_command_tells_and_ends_with_its_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, key = tmp_path / "a.json", tmp_path / "warden.key"
    key.write_text(ledger.key_line("warden", KEY.public_key()) + "\n")
    file.write_text(json.dumps(signed(), indent=1))
    assert attest.main(["verify", str(file), "--key", str(key)]) == 0
    assert "VERIFIED: the isolation held" in capsys.readouterr().out
    file.write_text(json.dumps(signed(phase="suspended")))
    assert attest.main(["verify", str(file)]) == 1
    assert "ISOLATION DOES NOT" in capsys.readouterr().out
    file.write_text(json.dumps({**signed(), "drift": ["x"]}))
    assert attest.main(["verify", str(file)]) == 1
    file.write_text("[]")
    assert attest.main(["verify", str(file)]) == 1
    assert attest.main(["verify", str(tmp_path / "none.json")]) == 1
    assert capsys.readouterr().err.count("NOT VERIFIED") == 3
