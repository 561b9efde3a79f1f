"""Sends what the client library has made, with a signature of our own.

The library signs with this machine's clock. Where that is off by more than 15 minutes, a store refuses what it has
signed, while the session's own requests are corrected by the server's Date (seen with miniopy-async 1.23.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from tui.services.bucket import lacking

if TYPE_CHECKING:
    from tui.services.bucket.session import StoreSession

#: Headers that belong to a signature, or to the connection.
_SIGNED = ("authorization", "host", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")


class Resigning:
    """What the library takes for its HTTP client; it calls nothing but `request`.

    Args:
        session: whose connections, signer and clock are used.
    """

    def __init__(self, session: StoreSession) -> None:
        self._session = session

    async def request(
        self, method: str, url: str | URL, *, data: object = None, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Signs it anew, and sends it: once, if it changes something; what was refused for its time changed nothing.

        Args:
            method: of HTTP.
            url: encoded, with its query in the order in which it is signed.
            data: the body.
            headers: with the library's signature, and the body's SHA-256.

        Raises:
            StoreError: NotImplemented: it was asked for a setting, and the server answered with something else.
        """
        session, at = self._session, URL(url, encoded=True) if isinstance(url, str) else url
        given = {name: text for name, text in headers.items() if name.lower() not in _SIGNED}
        payload = headers["x-amz-content-sha256"]
        while True:
            signed = session.signer.sign(method, session.host, at.raw_path, at.raw_query_string, given, payload)
            answer = await session.client(method).request(method, at, data=data, headers=signed, allow_redirects=False)
            if not session.told(answer.headers) or answer.status != 403:
                if method == "GET" and answer.status == 200 and (setting := _setting(at)):
                    await _check(answer, at, setting)
                return answer
            answer.release()


def _setting(at: URL) -> str:
    """What is asked for, where it is a setting."""
    return next((name for name in at.query if name in lacking.SETTINGS), "")


async def _check(answer: aiohttp.ClientResponse, at: URL, setting: str) -> None:
    """Refuses an answer of a server that takes no notice of the question: it may be an object of any size."""
    of_key = "/" in at.path.strip("/")
    if lacking.is_object(answer.headers) if of_key else lacking.is_listing(await answer.read()):
        answer.close()
        raise lacking.not_there(f"{at.path.lstrip('/')}?{setting}")
