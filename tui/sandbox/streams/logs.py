"""`GET …/pods/P/log`: a container's log, as it is or as it grows."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from aiohttp import web

from tui.sandbox.model import ApiError, Logs, Objects, Pods
from tui.sandbox.streams import targets

#: Seconds for which the log's first piece is waited for before the answer begins: a refusal by then is a Status.
_PATIENCE: Final = 0.1
#: Seconds between two looks at whether the reader of a log that does not grow is still there.
_LOOK: Final = 1.0
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


async def log(request: web.Request, pods: Pods, objects: Objects) -> web.StreamResponse:
    """Answers with a log.

    Raises:
        ApiError: there is none, or the parameters make no sense.
    """
    name = request.match_info["pod"]
    wanted = _wanted(request, name)
    pod = targets.pod_of(objects, request)
    container = targets.container_of(pod, request.query.get("container", ""))
    if not (pod.get("spec") or {}).get("nodeName"):
        return web.Response(status=204)  # what the real server answers for a pod that is nowhere yet
    targets.require_log(pod, container, previous=wanted.previous)
    pieces = pods.logs(request.match_info["namespace"], name, container, wanted)
    try:
        return await _answer(request, pieces, wanted.limit)
    finally:
        if (close := getattr(pieces, "aclose", None)) is not None:
            await close()


async def _answer(request: web.Request, pieces: AsyncIterator[bytes], limit: int | None) -> web.StreamResponse:
    """Passes pieces on until there are no more, the limit is reached or the reader is gone."""
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    coming = asyncio.ensure_future(anext(pieces, None))
    try:
        await asyncio.wait((coming,), timeout=_PATIENCE)
        if coming.done():
            coming.result()
        await response.prepare(request)
        while True:
            while not coming.done():
                await asyncio.wait((coming,), timeout=_LOOK)
                if request.transport is None:
                    return response
            piece = coming.result()
            if piece is None:
                break
            if limit is not None:
                piece = piece[:limit]
                limit -= len(piece)
            await response.write(piece)
            if limit == 0:
                break
            coming = asyncio.ensure_future(anext(pieces, None))
        await response.write_eof()
    except ConnectionError:
        return response  # the reader went away
    except ApiError:
        if not response.prepared:
            raise
        return response  # the log was taken away while it was read
    finally:
        if not coming.done():
            coming.cancel()
            await asyncio.wait((coming,))
    return response


def _wanted(request: web.Request, name: str) -> Logs:
    query = request.query
    tail, seconds, limit = (_number(query.get(key)) for key in ("tailLines", "sinceSeconds", "limitBytes"))
    since = _time(query["sinceTime"]) if query.get("sinceTime") else None
    if tail is not None and tail < 0:
        _invalid(name, "FieldValueInvalid", "tailLines", f"Invalid value: {tail}: must be greater than or equal to 0")
    if "stream" in query:
        # Its gate, PodLogsQuerySplitStreams, is off in Kubernetes 1.36.
        _invalid(name, "FieldValueForbidden", "stream", "Forbidden: may not be specified")
    if seconds is not None and since is not None:
        words = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        _invalid(name, "FieldValueForbidden", "[]", words)
    for field, value in (("sinceSeconds", seconds), ("limitBytes", limit)):
        if value is not None and value < 1:
            _invalid(name, "FieldValueInvalid", field, f"Invalid value: {value}: must be greater than 0")
    if seconds is not None:
        since = time.time() - seconds
    return Logs(
        follow=targets.flag(request, "follow"),
        previous=targets.flag(request, "previous"),
        tail=tail,
        since=since,
        timestamps=targets.flag(request, "timestamps"),
        limit=limit,
    )


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        targets.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = int(text) if len(text) < 30 else 1 << 64
    if not -(1 << 63) <= number < 1 << 63:
        targets.bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def _time(text: str) -> float:
    """Seconds of the wall clock from a time as RFC 3339 writes it, with any number of digits behind the second."""
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError  # noqa: TRY301
        fraction, zone = found[1] or "", found[2]
        whole = datetime.fromisoformat(text[:19].replace("t", "T") + ("+00:00" if zone in "Zz" else zone))
        return whole.timestamp() + float(fraction or 0)
    except (ValueError, OverflowError):
        targets.bad_request(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"')


def _invalid(name: str, reason: str, field: str, message: str) -> None:
    raise ApiError(
        422,
        "Invalid",
        f'PodLogOptions "{name}" is invalid: {field}: {message}',
        {"name": name, "kind": "PodLogOptions", "causes": [{"reason": reason, "message": message, "field": field}]},
    )
