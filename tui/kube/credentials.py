"""Who we are to the server: obtains credentials, renews them once for all requests, and says why it cannot.

An `Identity` is what a request carries. `Credentials` keeps the current one and replaces it when it runs out or when
the server refuses it; many requests may ask at the same moment, the plugin runs once. Where an identity comes from is
a `Source`: the kubeconfig's own certificate, token or password (here), a program (`exec_plugin`), or an identity
provider (`auth_provider`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tui.kube.context import Context
from tui.kube.kubeconfig import User
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

#: Seconds after which a token file is read again; the kubelet renews it long before the old one runs out.
FILE_LIFETIME = 60.0
#: Seconds before its end at which a credential is renewed, so that no request is under way with a dying one.
MARGIN = 10.0
#: Seconds for which a failure, or an answer that the server then refused, is not tried again: many watches come back
#: at once, and each attempt may start a program.
COOL_DOWN = 3.0
#: Seconds after which a renewal is worth a word.
SLOW = 1.0


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request carries to say who we are. Never printed.

    Attributes:
        authorization: the Authorization header, or empty.
        certificate: the client certificate chain, PEM, or empty.
        key: its private key, PEM, or empty.
        expires: when it runs out, seconds of the wall clock, or None; not part of its equality.
        evidence: what the source said on its standard error, for the message when the server refuses it.
    """

    authorization: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    expires: float | None = field(default=None, compare=False)
    evidence: str = field(default="", compare=False, repr=False)


class Source(Protocol):
    """Where an identity comes from."""

    #: What it is, for messages: `exec plugin aws`, `token file /…`.
    title: str

    async def fetch(self, *, refused: bool) -> Identity:
        """Obtains a fresh identity; `refused` says that the server rejected the last one.

        Raises:
            ProblemError: CREDENTIALS or CONFIG.
        """


class Credentials:
    """The current identity of one context, renewed once for everybody."""

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.time) -> None:
        self.source = source
        self._clock = clock
        self._identity: Identity | None = None
        self._flight: asyncio.Task[Identity] | None = None
        self._began = 0.0
        self._failure: tuple[float, Problem] | None = None
        self._fetched = float("-inf")

    @property
    def evidence(self) -> str:
        """What the source said on its standard error when it made the present identity."""
        return self._identity.evidence if self._identity else ""

    @property
    def waiting_for(self) -> str:
        """The source that takes more than a moment to give an identity, for people; empty when there is none."""
        slow = self._flight is not None and time.monotonic() - self._began > SLOW
        return self.source.title if slow else ""

    async def current(self) -> Identity:
        """The identity to use now; obtained or renewed first if need be.

        Raises:
            ProblemError: CREDENTIALS or CONFIG.
        """
        identity = self._identity
        # A clock that was set back must not keep an identity alive that a monotonic clock calls old; the server
        # decides in the end, with a 401.
        if identity is not None and (identity.expires is None or self._clock() < identity.expires - MARGIN):
            return identity
        if identity is not None and time.monotonic() - self._fetched < COOL_DOWN:
            return identity  # it came with an end in the past: a clock is wrong, and asking again would not mend that
        return await self._renewed(refused=False)

    async def renew(self, refused: Identity) -> Identity:
        """A fresh identity after the server refused one with 401.

        Returns:
            Another identity, or the same one when nothing fresher can be had (a new attempt would be in vain).

        Raises:
            ProblemError: CREDENTIALS or CONFIG.
        """
        if self._identity is not None and self._identity != refused:
            return self._identity  # somebody else has renewed it already
        if self._flight is None and time.monotonic() - self._fetched < COOL_DOWN:
            return refused
        return await self._renewed(refused=True)

    async def close(self) -> None:
        """Ends a renewal that is under way (a plugin is killed)."""
        flight, self._flight = self._flight, None
        if flight is not None:
            flight.cancel()
            await asyncio.gather(flight, return_exceptions=True)

    async def _renewed(self, *, refused: bool) -> Identity:
        if self._flight is None:
            if self._failure is not None and time.monotonic() - self._failure[0] < COOL_DOWN:
                raise ProblemError(self._failure[1])
            self._began = time.monotonic()
            self._flight = asyncio.create_task(self._fetch(refused=refused), name="credentials")
            self._flight.add_done_callback(self._landed)
        flight = self._flight
        try:
            # Shielded: one request that is given up must not take the renewal from the others.
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if flight.cancelled() and task is not None and not task.cancelling():
                # It was not this request that was given up but the renewal, by `close`.
                raise ProblemError(Problem(Cause.UNREACHABLE, "The connection was closed")) from None
            raise

    def _landed(self, flight: asyncio.Task[Identity]) -> None:
        if self._flight is flight:
            self._flight = None
        if not flight.cancelled():
            flight.exception()  # everybody who waited has it; nobody may be left when all gave up

    async def _fetch(self, *, refused: bool) -> Identity:
        try:
            identity = await self.source.fetch(refused=refused)
        except ProblemError as error:
            self._failure = (time.monotonic(), error.problem)
            log.warning("credentials from %s: %s", self.source.title, error.problem)
            raise
        self._failure = None
        self._identity = identity
        self._fetched = time.monotonic()
        return identity


def source_of(context: Context) -> Source:
    """The source that the context's user entry names.

    Raises:
        ProblemError: CONFIG, when the entry contradicts itself.
    """
    user = context.user
    if user is not None and user.exec is not None:
        from tui.kube.exec_plugin import ExecSource  # noqa: PLC0415 (only who has a plugin pays for it)

        return ExecSource(user.exec, context)
    if user is not None and user.auth_provider is not None and not (user.token or user.token_file):
        from tui.kube.auth_provider import auth_provider_source  # noqa: PLC0415

        return auth_provider_source(user.auth_provider, context)
    return StaticSource(user)


class StaticSource:
    """What stands in the kubeconfig itself, or in the files that it names; those are read again."""

    def __init__(self, user: User | None) -> None:
        self._user = user or User()
        named = self._user.token_file or self._user.client_certificate
        self.title = f"the file {named}" if named else "the kubeconfig" if user else "nobody (the context has no user)"

    async def fetch(self, *, refused: bool) -> Identity:
        """Reads what the user entry names."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> Identity:
        user = self._user
        certificate = _pem(user.client_certificate_data, user.client_certificate, "client-certificate")
        key = _pem(user.client_key_data, user.client_key, "client-key")
        if bool(certificate) != bool(key):
            missing = "client-key" if certificate else "client-certificate"
            raise ProblemError(
                Problem(
                    Cause.CONFIG,
                    f"The user has half of a client certificate: {missing} is missing",
                    "",
                    f'Add "{missing}" or "{missing}-data" to the user.',
                )
            )
        from_file = bool(user.token_file or user.client_certificate or user.client_key)
        return Identity(
            self._authorization(),
            certificate,
            key,
            expires=time.time() + FILE_LIFETIME + MARGIN if from_file else None,
        )

    def _authorization(self) -> str:
        user = self._user
        token = user.token or ""
        if user.token_file:
            try:
                token = Path(user.token_file).read_text(encoding="utf-8").strip() or token
            except (OSError, UnicodeError) as error:
                if not token:
                    raise ProblemError(
                        Problem(
                            Cause.CREDENTIALS,
                            "The token file cannot be read",
                            f"{user.token_file}: {_reason(error)}",
                            "Check the path after tokenFile, and the file's mode.",
                        )
                    ) from error
        if token:
            return header_value(f"Bearer {token}", "token")
        if user.username:
            pair = f"{user.username}:{user.password or ''}".encode()
            return f"Basic {base64.b64encode(pair).decode('ascii')}"
        return ""


def header_value(text: str, kind: str) -> str:
    """The text if it can stand in a header.

    Raises:
        ProblemError: CREDENTIALS, without the value: it is a secret.
    """
    if not (text.isascii() and text.isprintable()):
        raise ProblemError(
            Problem(
                Cause.CREDENTIALS,
                f"The {kind} has characters that no {kind} can have",
                "",
                "Was it cut, or copied with its line breaks?",
            )
        )
    return text


def _pem(data: str | None, path: str | None, key: str) -> bytes:
    """The bytes of `…-data`, else of the file; empty when there is neither."""
    if data:
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ProblemError(
                Problem(
                    Cause.CONFIG,
                    f"{key}-data is not base64",
                    str(error),
                    "Write the kubeconfig anew; it may have been cut when it was copied.",
                )
            ) from error
    if path:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise ProblemError(
                Problem(
                    Cause.CREDENTIALS,
                    f"The file of {key} cannot be read",
                    f"{path}: {_reason(error)}",
                    f"Check the path after {key}, and the file's mode.",
                )
            ) from error
    return b""


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
