"""Reaching the platform on this machine: names below ``.localhost`` are the loopback address, whatever the resolver says."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx


class LoopbackNames(httpx.BaseTransport):
    """A transport that connects to 127.0.0.1 for ``*.localhost``, with the name kept for TLS and Host."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx.BaseTransport."""
        host = request.url.host
        if host == "localhost" or host.endswith(".localhost"):
            # A copy: the answer's own address, which cookies and redirects go by, keeps the name.
            request = httpx.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1"),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        return self._inner.handle_request(request)

    def close(self) -> None:
        """See httpx.BaseTransport."""
        self._inner.close()


def transport(ca: Path | None = None) -> httpx.BaseTransport:
    """HTTPS that trusts the system's authorities, or only those in ``ca``."""
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    return LoopbackNames(httpx.HTTPTransport(verify=context))
