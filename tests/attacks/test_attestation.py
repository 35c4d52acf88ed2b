"""The attestation as a person gets it: true of what runs, checkable away from the host, and not to be bent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strongroom import attest
from tests.attacks.attacker import ALIVE, Attacker, as_browser
from tests.attacks.conftest import Who
from tests.installation import Installation
from tests.proves import proves

pytestmark = pytest.mark.real


@proves("P8")
def test_an_attestation_verifies_away_from_the_host_and_not_when_bent(
    whole: Installation, attacker: Attacker, who: Who, tmp_path: Path
) -> None:
    laboratory = attacker.laboratory
    address = f"{whole.layout.app_url}/projects/{ALIVE}/environments/{laboratory.id}/attestation"
    answer = as_browser(who("referee"), address)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{laboratory.id}-attestation.json"'
    file = tmp_path / "attestation.json"
    file.write_bytes(answer.content)
    key = whole.report["ledger"]["keys"]["warden"]
    done = whole.door("attest", "verify", str(file), "--key", key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERIFIED" in done.stdout
    told = json.loads(answer.content)
    assert told["controls"]["copy_out"] == "blocked"
    assert told["image"] == laboratory.image
    assert str(whole.layout.run) not in answer.text
    told["controls"]["copy_out"] = "permitted"
    with pytest.raises(attest.NotSound):
        attest.verify(told, key)
