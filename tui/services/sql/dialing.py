"""How drivers get their connections: sockets of a route in place of addresses, and TLS in the words of `TlsMode`."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator
from typing import Any

from tui.problem import Cause, Problem, ProblemError
from tui.services.pemfile import as_file
from tui.services.sql.model import Route, Tls, TlsMode

_VERIFIED = (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL)


class LoopProxy:
    """An event loop for one driver's connection: who connects through it gets a socket of the route.

    Drivers that insist on a host and a port call `create_connection` of their loop with them; a socket pair's end is
    put in their place. All else is the running loop's. The names that the driver was given stay in its TLS and its
    texts, and nothing is looked up.
    """

    def __init__(self, route: Route) -> None:
        self._loop = asyncio.get_running_loop()
        self._route = route

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever loops have)
        return getattr(self._loop, name)

    async def create_connection(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **options: Any,  # noqa: ANN401 (passed on)
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """As of loops, over a socket of the route unless one is given."""
        if options.get("sock") is None:
            options["sock"] = await self._route.connect()
        return await self._loop.create_connection(factory, **options)


def tls_context(tls: Tls) -> ssl.SSLContext | None:
    """The TLS to ask for, None for none.

    Raises:
        ProblemError: the authority or the client certificate cannot be used.
    """
    if tls.mode is TlsMode.DISABLE:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.mode is TlsMode.VERIFY_FULL
    context.verify_mode = ssl.CERT_REQUIRED if tls.mode in _VERIFIED else ssl.CERT_NONE
    if tls.mode is TlsMode.PREFER:
        # Old servers (MySQL before 8.0.26 among them) offer nothing newer, and the alternative here is no TLS at all.
        with contextlib.suppress(ssl.SSLError):
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    if context.verify_mode is ssl.CERT_REQUIRED:
        if tls.authority:
            with _told("The certificate authority that was found cannot be used"):
                context.load_verify_locations(cadata=tls.authority)
        else:
            context.load_default_certs()
    if tls.certificate:
        with (
            _told("The client certificate that was found cannot be used"),
            as_file(tls.certificate + "\n" + tls.key) as path,
        ):
            # No passphrase is asked for at the terminal.
            context.load_cert_chain(path, password=lambda: "")
    return context


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ProblemError(
            Problem(Cause.CREDENTIALS, what, str(error), "Look at the Secret that it comes from: PEM is expected.")
        ) from error


def tls_text(transport: asyncio.BaseTransport | None, tls: Tls) -> str:
    """What a connection has, for `Facts.tls`."""
    connection = transport.get_extra_info("ssl_object") if transport is not None else None
    if connection is None:
        return "off"
    return f"{connection.version()}, {'verified' if tls.mode in _VERIFIED else 'not verified'}"


#: OpenSSL's numbers for what is wrong with a certificate (x509_vfy.h): what to say, and what to do.
_CERTIFICATE: dict[int, tuple[str, str]] = {
    9: ("The server's certificate is not valid yet", "Compare the clocks; `date` here and in the pod."),
    10: ("The server's certificate has expired", "Renew it; cert-manager and operators have their own way."),
    18: ("The server's certificate is self-signed and not the authority's", "Give its authority, or ask for less."),
    19: ("The server's certificate is of an authority of its own", "Give that authority, or ask for less."),
    20: ("The server's certificate is of an unknown authority", "Give that authority, or ask for less."),
    21: ("The server's certificate is of an unknown authority", "Give that authority, or ask for less."),
    23: ("The server's certificate was revoked", "Ask whoever runs the authority."),
    62: ("The server's certificate is for another name", "Name one of those that it is for (`openssl x509 -text`)."),
    64: ("The server's certificate is for another address", "Name one of those that it is for (`openssl x509 -text`)."),
}  # fmt: skip


def tls_problem(error: BaseException | None, tls: Tls, route: Route) -> Problem | None:
    """What went wrong with TLS, None when it was something else.

    Args:
        error: what the driver raised; what it was raised from counts, too.
        tls: what was asked for.
        route: where.
    """
    name = tls.name or route.host
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            told = _CERTIFICATE.get(error.verify_code)
            what, remedy = told or (
                "The server's certificate cannot be verified",
                "Give its authority, or ask for less.",
            )
            for_name = f" than {name}" if error.verify_code in (62, 64) else ""
            return Problem(
                Cause.UNREACHABLE, f"{what}{for_name} ({route.member})", error.verify_message, remedy
            )  # fmt: skip
        if isinstance(error, ssl.SSLError):
            reason = str(error.reason or error)
            if "CERTIFICATE_REQUIRED" in reason or "BAD_CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
                return Problem(
                    Cause.CREDENTIALS, f"{route.member} does not accept our client certificate, or misses one",
                    reason, "A client certificate of its authority is needed.",
                )  # fmt: skip
            return Problem(
                Cause.UNREACHABLE, f"No TLS came about with {route.member}", reason,
                "Look at the TLS versions and the certificate of the server.",
            )  # fmt: skip
        error = error.__cause__ or error.__context__
    return None


def refused_tls(route: Route, tls: Tls) -> Problem:
    """A server without TLS, where it was asked for."""
    return Problem(
        Cause.UNREACHABLE, f"{route.member} does not speak TLS, and {tls.mode} was asked for", "",
        "Turn TLS on at the server, or ask for `prefer` or `disable`.",
    )  # fmt: skip


def part(transport: asyncio.Transport | None, last_words: bytes) -> None:
    """Sends a protocol's last words and closes, without waiting for the server to close as well.

    Through a pod's port forward that is heard of a second late: containerd gives the other direction that long
    (`sandbox_portforward_linux.go`). Servers need no more than the words: they have nothing left to say.

    Args:
        transport: the connection's; None and a closed one are left alone.
        last_words: Terminate or COM_QUIT, without which servers note a client that broke off.
    """
    if transport is not None and not transport.is_closing():
        transport.write(last_words)
        transport.abort()  # `close` would wait for the server's end of TLS


def lost(route: Route, words: str = "") -> Problem:
    """The end of a connection: the way's reason when it knows one, with the server's or the driver's words."""
    why = route.ended()
    evidence = "; ".join(
        dict.fromkeys(text for text in (why.what if why else "", why.evidence if why else "", words) if text)
    )
    return Problem(
        why.cause if why else Cause.UNREACHABLE, f"The connection to {route.member} is gone", evidence,
        "The next statement opens a new session.",
    )  # fmt: skip
