"""Certificates and keys for tests, made once with openssl and valid until 2120 (the expired ones until 2021).

`pki/` holds: ca (signed all the others) and other-ca; server (cluster.test, localhost, 127.0.0.1), named-server
(cluster.test only) and expired-server; client (alice), second-client (bob) and expired-client; each leaf together with
its key. None of them guards anything.
"""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

PKI = Path(__file__).parent / "pki"


def pem(name: str) -> bytes:
    """A file of `pki/`."""
    return (PKI / f"{name}.pem").read_bytes()


def data(name: str) -> str:
    """A file of `pki/` as the `…-data` keys hold it."""
    return base64.b64encode(pem(name)).decode()


def server_context(name: str = "server", *, ask_client: bool = False) -> ssl.SSLContext:
    """TLS for a test server; `ask_client` asks for a client certificate but also serves without one."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(PKI / f"{name}.pem")
    if ask_client:
        made.verify_mode = ssl.CERT_OPTIONAL
        made.load_verify_locations(PKI / "ca.pem")
    return made
