"""How a broker is spoken to, as far as its packaging tells, and what is shown to one that wants to see something."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from tui.problem import Cause, Problem, ProblemError
from tui.services.pemfile import as_file
from tui.services.queue.model import ClientCertificate
from tui.services.way import Way

#: Seconds to wait for an alert.
_PATIENCE = 3.0
#: Alerts by which a broker says that it does not take a certificate, as OpenSSL calls them.
_NOT_TAKEN = (
    "ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE_EXPIRED", "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_CERTIFICATE_REVOKED", "ALERT_UNSUPPORTED_CERTIFICATE",
)  # fmt: skip
#: The alerts by which it says that it got none: TLS 1.3 has one of its own, before that Erlang says the second.
_WANTED = ("CERTIFICATE_REQUIRED", "ALERT_HANDSHAKE_FAILURE")


@dataclass(frozen=True, slots=True)
class Security:
    """TLS, as far as the packaging tells.

    Attributes:
        tls: False for none; None when the ports must tell.
        authority: PEM of the certificate authority, empty when the cluster gives no means to verify.
        name: the name to verify, empty for the way's host.
    """

    tls: bool | None = None
    authority: str = ""
    name: str = ""

    def context(self, certificate: ClientCertificate | None = None) -> ssl.SSLContext:
        """TLS that is verified where there is an authority.

        A certificate that is its own authority, or was made by one that is not at hand, may be trusted as it is
        (X509_V_FLAG_PARTIAL_CHAIN): the cluster's Secret says that it is the broker's.

        Args:
            certificate: what one shows where the broker wants to see one.

        Raises:
            ProblemError: the authority or the certificate cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if certificate is not None:
            _show(context, certificate)
        if not self.authority:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cadata=self.authority)
        except (ssl.SSLError, ValueError) as error:
            raise ProblemError(Problem(
                Cause.CREDENTIALS, "The broker's certificate authority that was found cannot be used", str(error)
            )) from error  # fmt: skip
        return context


def refused_at_tls(error: BaseException, at: str) -> Problem | None:
    """What a broker's alert means, where it is about a client's certificate; None where it is not.

    Args:
        error: what TLS said, or what was made of it.
        at: who said it.
    """
    words = str(error)
    said = words.upper()
    if any(one in said for one in _NOT_TAKEN):
        return Problem(
            Cause.CREDENTIALS, f"{at} does not take the client's certificate", words,
            "It must be valid now, and signed by an authority in the broker's ssl_options.cacertfile.",
        )  # fmt: skip
    if any(one in said for one in _WANTED):
        return Problem(
            Cause.REJECTED, f"{at} wants a client's certificate, and none that it knows was shown", words,
            "--cert and --key show one, in the console f2. A RabbitmqCluster with tls.caSecretName wants it; its plain "
            "port would do, where it has one.",
        )  # fmt: skip
    return None


async def alert(way: Way, context: ssl.SSLContext) -> Problem | None:
    """Why a broker ends a connection right after the handshake, where that is about a client's certificate.

    By TLS 1.3 it sees what is shown once we may write. If we do, its alert is lost in a reset; so another connection is
    made, over which nothing is sent.

    Args:
        way: to the broker.
        context: with what is shown.

    Returns:
        What its alert means; None where it sends none.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(
                sock=await way.connect(), ssl=context, server_hostname=way.host
            )
            try:
                await reader.read(1)
            finally:
                writer.close()
    except (OSError, TimeoutError, ProblemError) as error:
        return refused_at_tls(error, way.member or way.host)
    return None


def _show(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    try:
        with as_file(f"{certificate.chain.rstrip()}\n{certificate.key}") as path:
            context.load_cert_chain(path, password=lambda: "")  # it would be asked for at the terminal
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ProblemError(Problem(
            Cause.CREDENTIALS, "The client's certificate and its key cannot be used", str(error),
            "PEM is expected, of two that belong together, and a key without a passphrase (openssl pkey -in KEY).",
        )) from error  # fmt: skip
