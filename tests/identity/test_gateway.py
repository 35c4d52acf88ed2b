"""Through a real TLS gateway on both listeners, as people reach the provider."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from strongroom.identity.signin import browser
from tests.identity.server import Provider

pytestmark = pytest.mark.real
CADDY = Path(sys.executable).with_name("caddy")


def configuration(provider: Provider, folder: Path) -> str:
    """A gateway with a certificate authority of its own in this folder."""
    layout = provider.layout
    return f"""
{{
  admin off
  storage file_system {folder}
  skip_install_trust
  auto_https disable_redirects
}}
https://id.localhost:{layout.port}, https://id.localhost:{layout.outside_port} {{
  bind 127.0.0.1
  tls internal
  reverse_proxy unix/{layout.identity_socket}
}}
"""


@pytest.fixture
def authority(provider: Provider, tmp_path: Path) -> Iterator[Path]:
    """Certificate of the running gateway's authority."""
    config = tmp_path / "Caddyfile"
    config.write_text(configuration(provider, tmp_path))
    command = [str(CADDY), "run", "--config", str(config), "--adapter", "caddyfile"]
    process = subprocess.Popen(command, env={**os.environ, "HOME": str(tmp_path)}, stderr=subprocess.DEVNULL)
    try:
        certificate = tmp_path / "pki" / "authorities" / "local" / "root.crt"
        deadline = time.monotonic() + 30
        while not answers(provider, certificate):
            assert process.poll() is None and time.monotonic() < deadline, "the gateway does not answer"
            time.sleep(0.05)
        yield certificate
    finally:
        process.terminate()
        process.wait(30)


def answers(provider: Provider, certificate: Path) -> bool:
    """Whether the gateway serves both listeners."""
    if not certificate.exists():
        return False
    try:
        with browser(certificate) as client:
            for port in (provider.layout.port, provider.layout.outside_port):
                client.get(f"https://id.localhost:{port}/").raise_for_status()
    except httpx.TransportError:
        return False
    return True


@pytest.mark.parametrize("outside", [False, True])
def test_signing_in_through_the_gateway(provider: Provider, authority: Path, outside: bool) -> None:
    account, asked = provider.person(), provider.round(outside=outside)
    with browser(authority) as client:
        answer = provider.exchange(provider.code(client, account, asked), asked)
    assert provider.verified(answer.json()["access_token"])["iss"] == provider.layout.issuer


def test_a_visitor_cannot_forge_what_the_gateway_says(provider: Provider, authority: Path) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.9"}
    with browser(authority) as client:
        found = client.get(f"{provider.layout.issuer}/.well-known/openid-configuration", headers=forged)
        assert found.json()["issuer"] == provider.layout.issuer
        page = client.get(f"{provider.layout.issuer}/sign-in", headers=forged)
    assert "Secure" in page.headers["Set-Cookie"]
