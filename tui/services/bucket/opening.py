"""The beginning of a session: how the store is spoken to, and that it lets one in."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Keys, Lost, Request, Security, StoreError
from tui.services.bucket.session import StoreSession
from tui.services.way import Finder

#: Seconds for saying hello.
_HELLO = 15.0
#: X509_V_ERR_HOSTNAME_MISMATCH
_OTHER_NAME = 62


def _context(security: Security, *, verify: bool) -> ssl.SSLContext:
    """TLS, with the cluster's authority where there is one.

    Raises:
        ProblemError: the authority cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    # MinIO's operator keeps the certificate that the cluster has signed, and not the signer's: its Secret says that it
    # is the store's, and it is trusted as it is.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=security.authority)
    except (ssl.SSLError, ValueError) as error:
        raise ProblemError(
            Problem(Cause.CREDENTIALS, "The store's certificate authority that was found cannot be used", str(error))
        ) from error
    return context


async def open_session(
    finder: Finder, keys: Keys, security: Security, region: str = "", *, writes: bool = True
) -> StoreSession:
    """Opens a session: finds out how the store is spoken to, and that it lets one in.

    Args:
        finder: finds the way.
        keys: who one is.
        security: whether TLS is spoken, and how it is verified.
        region: empty to find out.
        writes: whether anything may be changed.

    Raises:
        StoreError: the store does not let this user in.
        ProblemError: it cannot be reached, or its certificate is not what it should be.
    """
    way = await finder()
    session = StoreSession(finder, way, keys, region or "us-east-1", writes=writes)
    try:
        await _agree(session, security)
    except Lost as error:
        await session.close()
        raise ProblemError(error.problem) from error
    except BaseException:
        await session.close()
        raise
    return session


async def _agree(session: StoreSession, security: Security) -> None:
    verify = bool(security.authority)
    problem: Problem | None = None
    for https in (True, False) if security.https is None else (security.https,):
        context = _context(security, verify=verify) if https else None
        try:
            await _greet(session, https, context, security.name)
        except Lost as error:
            if error.problem.cause is Cause.CREDENTIALS or not https or security.https is not None:
                raise
            cause = error.__cause__
            told = cause.__cause__ or cause if isinstance(cause, aiohttp.ClientConnectorError) else cause
            if isinstance(told, ssl.SSLError | ConnectionError | OSError):
                problem = error.problem
                continue
            raise
        return
    if problem is not None:
        raise ProblemError(problem)


async def _greet(session: StoreSession, https: bool, context: ssl.SSLContext | None, name: str) -> None:
    """Says hello by the name that the packaging tells, and by the same Service's full one.

    Certificates of MinIO's operators before 4.2 name Services in full only (`minio.shop.svc.cluster.local`).
    """
    names = (name, f"{name}.cluster.local") if context is not None and name.endswith(".svc") else (name,)
    for one in names:
        await session.use(https=https, context=context, name=one)
        try:
            await _hello(session)
        except Lost as error:
            if not _misnamed(error) or one == names[-1]:
                raise
        else:
            return


def _misnamed(error: BaseException | None) -> bool:
    """Whether a certificate is good but for its name."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__
    return error is not None and error.verify_code == _OTHER_NAME


async def _hello(session: StoreSession) -> None:
    """Asks for the buckets: the one request that every user may make, or is refused by name.

    An error document may tell the region that is wanted: it is asked once more then.
    """
    for told in (False, True):
        try:
            async with asyncio.timeout(_HELLO):
                await session(Request("GET"))
        except StoreError as error:
            wanted = _region_in(error)
            if wanted and not told:
                session.signer.region = wanted
                continue
            if error.code == "AccessDenied":  # may not list buckets; one that it knows by name may do
                return
            raise
        except TimeoutError as error:
            late = Problem(Cause.TIMEOUT, f"{session.way.host} did not answer in time", "", "It may be starting.")
            raise ProblemError(late) from error
        return


def _region_in(error: object) -> str:
    """The region that a server says it wants, in the words of AWS and MinIO."""
    message = getattr(error, "message", "")
    marker = "expecting '"
    at = message.find(marker)
    return message[at + len(marker) :].split("'", 1)[0] if at >= 0 else ""
