"""TLS towards the API server: contexts, and what a failed handshake means in words.

Contexts are made off the event loop: reading a trust store takes 20 ms.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import ssl
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tui.kube.context import Context
from tui.kube.credentials import Identity
from tui.problem import Cause, Problem, ProblemError

_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


class _NamedContext(ssl.SSLContext):
    """A context that asks for one fixed server name, for connectors that cannot be told one (SOCKS)."""

    server_name = ""

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:  # noqa: ANN401 (passed on as they are)
        """As the base class, with our server name."""
        return super().wrap_bio(*args, **{**options, "server_hostname": self.server_name})


def make_context(context: Context, identity: Identity, *, fix_name: bool = False) -> ssl.SSLContext:
    """The TLS context for a server and an identity; blocks on files.

    Args:
        context: what the kubeconfig says of the server.
        identity: its client certificate is loaded, if it has one.
        fix_name: build `tls-server-name` into the context instead of leaving it to the connection.

    Raises:
        ProblemError: CONFIG for an unusable CA, CREDENTIALS for an unusable or expired client certificate.
    """
    cluster = context.cluster
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if fix_name and cluster.tls_server_name:
        made = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
        made.server_name = cluster.tls_server_name
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    # Python 3.13 turns this on by default; home-made cluster CAs often lack the extensions that it asks for.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if cluster.insecure_skip_tls_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    else:
        _load_authorities(made, context)
    if identity.certificate:
        check_validity(identity.certificate, context)
        _load_client_certificate(made, identity)
    return made


def _load_authorities(made: ssl.SSLContext, context: Context) -> None:
    cluster = context.cluster
    key = "certificate-authority-data" if cluster.certificate_authority_data else "certificate-authority"
    try:
        if cluster.certificate_authority_data:
            content = base64.b64decode("".join(cluster.certificate_authority_data.split()), validate=True)
        elif cluster.certificate_authority:
            content = Path(cluster.certificate_authority).read_bytes()
        else:
            made.load_default_certs()
            return
        made.load_verify_locations(cadata=content.decode("ascii", "ignore"))
    except OSError as error:
        # SSLError is an OSError: a file that cannot be read and one that holds no certificate both end here.
        where = cluster.certificate_authority if key == "certificate-authority" else context.source
        reason = "it holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                f"The {key} of the cluster {context.cluster_name} cannot be used",
                f"{where}: {reason}",
                "Without it the server's identity cannot be checked; get the cluster's CA certificate anew.",
            )
        ) from error
    except (binascii.Error, ValueError) as error:
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                f"The {key} of the cluster {context.cluster_name} is not base64",
                f"{context.source}: {error}",
                "Write the kubeconfig anew.",
            )
        ) from error


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path for what OpenSSL only reads from a path: in memory where the system can, else private and short-lived."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").exists():
        descriptor = os.memfd_create("statetui", os.MFD_CLOEXEC)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="statetui-") as directory:  # mode 0700
        path = Path(directory) / "pem"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
        yield str(path)


def _load_client_certificate(made: ssl.SSLContext, identity: Identity) -> None:
    encrypted = False

    def no_password() -> str:
        # Without this, OpenSSL would ask for the password on the terminal, in the middle of the screen.
        nonlocal encrypted
        encrypted = True
        return ""

    try:
        with _as_file(identity.certificate.rstrip() + b"\n" + identity.key) as path:
            made.load_cert_chain(path, password=no_password)
    except (ssl.SSLError, ValueError) as error:
        reason = "the private key is encrypted" if encrypted else _reason(error)
        raise ProblemError(
            Problem(
                Cause.CREDENTIALS,
                "The client certificate and its key cannot be used",
                reason,
                "Decrypt the key first (openssl pkey -in KEY -out NEW)."
                if encrypted
                else "Check that certificate and key belong together and were copied whole.",
            )
        ) from error


def _reason(error: Exception) -> str:
    """OpenSSL's words without its brackets and source lines."""
    text = getattr(error, "reason", None) or str(error)
    return str(text).replace("_", " ").lower()


# --- validity of a certificate, read from its DER


def check_validity(pem: bytes, context: Context, *, refused: bool = False) -> None:
    """Says at once that a client certificate has expired; the server would only say 401.

    One that is not valid yet is tried: the server goes by its own clock, and a new certificate on a machine whose clock
    is behind is good there. Only after a refusal is it told.

    Args:
        pem: the certificate.
        context: whose it is, for the message.
        refused: whether the server has said 401 already.

    Raises:
        ProblemError: CREDENTIALS with the time of its end.
    """
    period = validity(pem)
    if period is None:
        return
    begins, ends = period
    now = time.time()
    if now >= ends:
        raise ProblemError(
            Problem(
                Cause.CREDENTIALS,
                f"The client certificate of {context.user_name or 'the user'} expired on {_date(ends)}",
                context.user_source,
                "Get a new kubeconfig from whoever runs the cluster; or is this machine's clock wrong?",
            )
        )
    if refused and now < begins:
        raise ProblemError(
            Problem(
                Cause.CREDENTIALS,
                f"The client certificate of {context.user_name or 'the user'} is valid only from {_date(begins)}",
                context.user_source,
                f"This machine's clock says {_date(now)}: is it right?",
            )
        )


def validity(pem: bytes) -> tuple[float, float] | None:
    """When the first certificate of a PEM text begins and ends (wall clock, seconds); None if it cannot be read."""
    block = _BLOCK.search(pem)
    if block is None:
        return None
    try:
        certificate = _children(base64.b64decode(block[1]))[0]
        fields = _children(_children(certificate[1])[0][1])
        if fields[0][0] == 0xA0:  # an explicit version precedes the serial number
            fields = fields[1:]
        begins, ends = _children(fields[3][1])[:2]
        return _time(begins), _time(ends)
    except (binascii.Error, ValueError, IndexError):
        return None


def _children(der: bytes) -> list[tuple[int, bytes]]:
    """The elements of a DER value one after the other: tag and content."""
    found = []
    position = 0
    while position < len(der):
        tag, length = der[position], der[position + 1]
        position += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[position : position + size], "big")
            position += size
        if position + length > len(der):
            raise ValueError("a DER element that is longer than its container")
        found.append((tag, der[position : position + length]))
        position += length
    return found


def _time(element: tuple[int, bytes]) -> float:
    tag, content = element
    text = content.decode("ascii")
    if tag == 0x17:  # UTCTime: two digits of the year, split at 50 (RFC 5280)
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


# --- failed handshakes in words

#: OpenSSL's X509_V_ERR codes: (what is wrong, what to do).
_VERIFY: dict[int, tuple[str, str]] = {
    9: ("the server's certificate is not valid yet", "Is this machine's clock right?"),
    10: (
        "the server's certificate has expired",
        "Whoever runs the cluster must renew it; is this machine's clock right?",
    ),
    18: (
        "the server's certificate is self-signed and not the one of the kubeconfig",
        "Put its certificate into certificate-authority-data if you trust it.",
    ),
    19: (
        "the server's certificate is signed by an authority that the kubeconfig does not name",
        "Was the cluster made anew? Get its kubeconfig again.",
    ),
    20: (
        "the server's certificate is signed by an authority that the kubeconfig does not name",
        "Was the cluster made anew? Get its kubeconfig again.",
    ),
    62: (
        "the server's certificate is for another name",
        "Use a name that the certificate has in server, or set tls-server-name to one.",
    ),
    64: (
        "the server's certificate is for another address",
        "Use an address that the certificate has in server, or set tls-server-name to a name of it.",
    ),
}


def explain(error: ssl.SSLError, server: str) -> Problem:
    """What a failed handshake means.

    Args:
        error: what the ssl module raised.
        server: the server's URL, for the message.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reason, remedy = _VERIFY.get(error.verify_code, (error.verify_message, "Get the cluster's kubeconfig again."))
        return Problem(Cause.UNREACHABLE, f"{server} could not prove who it is: {reason}", error.verify_message, remedy)
    words = _reason(error)
    if "alert" in words and ("certificate" in words or "access denied" in words):
        return Problem(
            Cause.CREDENTIALS,
            f"{server} does not accept the client certificate",
            words,
            "It may have expired or come from another cluster; get a new kubeconfig.",
        )
    if any(
        sign in words for sign in ("wrong version number", "http request", "unknown protocol", "record layer failure")
    ):
        return Problem(
            Cause.UNREACHABLE,
            f"{server} does not speak TLS",
            words,
            "Is it the right port, and should the URL begin with http://?",
        )
    return Problem(Cause.UNREACHABLE, f"No secure connection to {server} could be made", words, "")
