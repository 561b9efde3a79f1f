"""What a failed request means: exceptions of the transport and answers of the server, as Problems."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Mapping

import aiohttp
import msgspec

from tui.kube import tls
from tui.problem import Cause, Problem

#: Characters of a foreign answer that are kept as evidence.
EVIDENCE = 300

_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_CAUSES = {401: Cause.CREDENTIALS, 403: Cause.FORBIDDEN, 404: Cause.ABSENT, 410: Cause.EXPIRED, 429: Cause.THROTTLED}


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    retry_after_seconds: float | None = None


class _Status(msgspec.Struct, frozen=True):
    """What Kubernetes answers when it refuses."""

    kind: str = ""
    message: str | None = ""
    reason: str | None = ""
    details: _Details | None = None


def of_answer(status: int, headers: Mapping[str, str], body: bytes, asked: str, server: str) -> Problem:
    """What an answer other than 2xx means.

    Args:
        status: the HTTP status.
        headers: the answer's headers; Retry-After and Content-Type are read.
        body: the first bytes of its body.
        asked: what was asked, for the message: `GET /api/v1/pods`.
        server: the server's URL.
    """
    said = _status(body)
    evidence = (said.message or said.reason or "") if said else first_words(body)
    retry_after = _seconds(headers.get("Retry-After"))
    if retry_after is None and said and said.details:
        retry_after = said.details.retry_after_seconds
    cause = _CAUSES.get(status, Cause.SERVER if status >= 500 else Cause.REJECTED)
    if 300 <= status < 400:
        return Problem(
            Cause.PROTOCOL,
            f"{server} redirects {asked} elsewhere instead of answering",
            headers.get("Location", ""),
            "Something in between wants a login, or server in the kubeconfig is not an API server.",
        )
    if said is None and status in (403, 404) and "html" in headers.get("Content-Type", "").lower():
        return Problem(
            cause,
            f"{asked} was answered {status} by something that is not Kubernetes",
            evidence,
            "Is server in the kubeconfig right? A proxy may stand in between.",
            retry_after,
        )
    return Problem(
        cause,
        _WHAT.get(cause, "{asked} was answered {status}").format(asked=asked, status=status),
        evidence,
        _REMEDY.get(cause, ""),
        retry_after,
    )


_WHAT = {
    Cause.CREDENTIALS: "The server does not accept our credentials",
    Cause.FORBIDDEN: "{asked} is not allowed",
    Cause.ABSENT: "{asked}: there is no such thing",
    Cause.EXPIRED: "{asked}: the resource version is too old",
    Cause.THROTTLED: "The server asks to slow down",
    Cause.SERVER: "The server failed ({status}) at {asked}",
    Cause.REJECTED: "The server rejected {asked} ({status})",
}
_REMEDY = {
    Cause.CREDENTIALS: "Log in again, or check the user in the kubeconfig.",
    Cause.FORBIDDEN: "Ask whoever runs the cluster for this right.",
}


def not_json(status: int, content_type: str, body: bytes, asked: str) -> Problem:
    """An answer of another content type than was asked for."""
    kind = content_type.partition(";")[0].strip() or "nothing that is declared"
    return Problem(
        Cause.PROTOCOL,
        f"{asked} was answered with {kind} instead of JSON ({status})",
        first_words(body),
        "Is server in the kubeconfig an API server? A proxy or a login page may stand in between.",
    )


def not_decodable(error: Exception, body: bytes | bytearray, asked: str) -> Problem:
    """JSON that is broken, or not of the expected form."""
    return Problem(
        Cause.PROTOCOL,
        f"The answer to {asked} is not what Kubernetes sends",
        f"{error}; it begins with: {first_words(bytes(body[:2000]), 120)}",
        "",
    )


def first_words(body: bytes, limit: int = EVIDENCE) -> str:
    """The beginning of a foreign body as one line, without markup."""
    text = body[: 16 * limit].decode("utf-8", "replace")
    if "<" in text[:200]:
        text = _TAGS.sub(" ", text)
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[:limit]}…"


def _status(body: bytes) -> _Status | None:
    try:
        said = msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, ValueError):
        return None
    return said if said.kind == "Status" else None


def _seconds(value: object) -> float | None:
    try:
        seconds = float(str(value)) if value is not None else None
    except ValueError:
        return None  # a date: no API server sends one
    return seconds if seconds is not None and 0 <= seconds < 86_400 else None


def of_exception(error: BaseException, server: str, *, proxy: str = "", reading: bool = False) -> Problem:
    """What an exception of the transport means.

    Args:
        error: what aiohttp, a SOCKS library or the system raised.
        server: the server's URL, for the message.
        proxy: the proxy in between, without credentials; empty for none.
        reading: whether the answer had begun.
    """
    if isinstance(error, TimeoutError):
        return _timed_out(error, server, reading=reading)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Problem(
            Cause.UNREACHABLE,
            f"The proxy {proxy} refuses to connect to {server}",
            f"{error.status} {error.message}",
            "Check proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY.",
        )
    secure = _ssl_error(error)
    if secure is not None:
        return tls.explain(secure, server)
    if isinstance(error, aiohttp.ClientProxyConnectionError) or type(error).__module__.startswith(
        ("python_socks", "aiohttp_socks")
    ):
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        return Problem(
            Cause.UNREACHABLE,
            f"The proxy {proxy} could not be used to reach {server}",
            _system_words(cause),
            "Check proxy-url in the kubeconfig, or HTTPS_PROXY and NO_PROXY.",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unconnected(error.os_error, server)
    if isinstance(error, aiohttp.ClientPayloadError) or (
        reading and isinstance(error, OSError | aiohttp.ClientConnectionError)
    ):
        return Problem(
            Cause.UNREACHABLE, f"{server} dropped the connection in the middle of an answer", _system_words(error), ""
        )
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return Problem(Cause.UNREACHABLE, f"{server} dropped the connection", _system_words(error), "")
    if isinstance(error, aiohttp.ClientResponseError):
        return Problem(
            Cause.PROTOCOL,
            f"{server} does not speak HTTP as it should",
            first_words(error.message.encode()),
            "Is server in the kubeconfig right? If it begins with http://, should it be https://?",
        )
    return Problem(Cause.UNREACHABLE, f"{server} could not be asked", f"{type(error).__name__}: {error}", "")


def _timed_out(error: TimeoutError, server: str, *, reading: bool) -> Problem:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Problem(
            Cause.UNREACHABLE,
            f"No connection to {server} comes about",
            "timed out",
            "Is the VPN up? A firewall may drop the packets, or the server may be frozen.",
        )
    what = "stopped sending in the middle of an answer" if reading else "did not answer in time"
    return Problem(Cause.TIMEOUT, f"{server} {what}", "", "It may be overloaded or frozen; statetui tries again.")


def _unconnected(error: OSError, server: str) -> Problem:
    if isinstance(error, socket.gaierror):
        return Problem(
            Cause.UNREACHABLE,
            f"The host name in {server} cannot be resolved",
            error.strerror or str(error),
            "Is the name right, and is the VPN up?",
        )
    if isinstance(error, ConnectionRefusedError):
        return Problem(
            Cause.UNREACHABLE,
            f"Nothing listens at {server}",
            "connection refused",
            "Is the API server running, and is the port right?",
        )
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return Problem(Cause.UNREACHABLE, f"There is no route to {server}", _system_words(error), "Is the VPN up?")
    return Problem(Cause.UNREACHABLE, f"{server} cannot be reached", _system_words(error), "")


def _ssl_error(error: BaseException) -> ssl.SSLError | None:
    """The TLS failure inside an exception, if that is what it is."""
    inner: object = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
    elif not isinstance(error, ssl.SSLError):
        inner = error.__cause__ or error.__context__
    return inner if isinstance(inner, ssl.SSLError) else None


def _system_words(error: BaseException) -> str:
    """The system's words for an error, without Python's decoration."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower() if not error.strerror.isupper() else error.strerror
    return " ".join(str(error).split())[:EVIDENCE] or type(error).__name__
