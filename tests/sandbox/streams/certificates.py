"""TLS for test servers, with the certificate that the unit tests have."""

from __future__ import annotations

import ssl
from pathlib import Path


def tls() -> ssl.SSLContext:
    """A server's side, for 127.0.0.1."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(Path(__file__).parents[2] / "unit" / "pki" / "server.pem")
    return made
