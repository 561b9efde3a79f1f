"""`statetui queue`: publish, get, tail, move and copy."""

from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from tui.commands import exits
from tui.commands.given import contents
from tui.commands.queue_messages_arguments import PROPERTIES
from tui.commands.queue_output import Output
from tui.commands.queue_waiting import telling
from tui.commands.queue_written import Written
from tui.commands.wronguse import WrongUseError
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.model import Properties, Settle
from tui.systems.queuesession import QueueSession
from tui.text import one_line

VERBS = ("publish", "get", "tail", "move", "copy")
#: A session with the broker of a workload, in a virtual host; an empty name is the same workload, or the login's own.
Other: TypeAlias = Callable[[str, str], Awaitable[QueueSession]]
#: Messages of a stream that are written at once, and that the broker sends ahead of what was read.
_PAGE, _AHEAD = 500, 1000


async def run(given: argparse.Namespace, session: QueueSession, other: Other, output: Output) -> int:
    """Runs a verb, and returns the exit code.

    Raises:
        Refused: the broker refused something.
        Lost: the connection went.
        ProblemError: something cannot be done, or may not.
    """
    changes = given.verb not in ("get", "tail") or getattr(given, "ack", False) or getattr(given, "reject", False)
    if changes and not session.writes and not getattr(given, "dry_run", False):
        raise ProblemError(Problem(
            Cause.FORBIDDEN, f"{given.verb} was not done: it would change something", "read-only, by the settings",
            "Choose another context, or change the settings.",
        ))  # fmt: skip
    if given.verb == "publish":
        return await _publish(given, session)
    if given.verb == "get":
        return await (_browse(given, session, output) if given.offset is not None else _get(given, session, output))
    if given.verb == "tail":
        return await _tail(given, session, output)
    return await _move(given, session, other)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- publish


async def _publish(given: argparse.Namespace, session: QueueSession) -> int:
    from tui.services.queue import publishing, templates  # noqa: PLC0415  (loads the client)

    key = given.queue or given.routing_key
    properties = _properties(given)
    if given.jsonl is not None:
        messages: Iterator[publishing.Outgoing] = _lines(given, key, properties)
        total = None
    else:
        body = given.payload.encode() if given.payload not in (None, "-") else contents(given.file or "-")
        if given.template:
            messages = templates.messages(
                body, key, exchange=given.exchange, properties=properties, count=given.count
            )  # fmt: skip
        else:
            one = publishing.Outgoing(body, key, given.exchange, properties)
            messages = iter([one] * given.count)
        total = given.count
    where = f"queue {key}" if not given.exchange else f"exchange {given.exchange} with the key {key!r}"
    if given.dry_run:
        count = total if total is not None else sum(1 for _ in messages)
        _say(f"would publish {count:,} to {one_line(where)}")
        return exits.OK
    progress = publishing.Publishing(total)
    broker = await session.dial("statetui publish")
    stopped: ProblemError | None = None
    try:
        async with telling(progress):
            await publishing.publish(broker, messages, progress, rate=given.rate)
    except WrongUseError:
        raise
    except ProblemError as error:
        stopped = error
    finally:
        told = f"{progress.taken:,} taken, {progress.returned:,} that no queue took, {progress.rejected:,} refused"
        _say(f"{told}, {progress.unknown:,} unknown" if progress.unknown else told)
        for returned in list(progress.undeliverable)[-3:]:
            _say(f"  came back: {returned.why}, key {one_line(returned.message.routing_key)}")
        await broker.close()
    if stopped is not None:
        return _cut(stopped, progress.taken)
    if progress.taken == progress.sent:
        return exits.OK
    return exits.PARTIAL if progress.taken else exits.FAILED


def _cut(error: ProblemError, done: int) -> int:
    """Tells why it ended before its end, and returns the exit code. What is wrong is a message or a file of its own."""
    exits.complain(error.problem)
    return exits.PARTIAL if done else exits.FAILED


def _properties(given: argparse.Namespace) -> Properties:
    told: dict[str, Any] = {"delivery_mode": 2}
    for one in given.property:
        name, _, value = one.partition("=")
        told[name] = _whole(name, value) if name in ("delivery_mode", "priority") else value
    headers: dict[str, Any] = {}
    for one in given.header:
        name, _, value = one.partition("=")
        try:
            headers[name] = json.loads(value)
        except ValueError:
            headers[name] = value
    return Properties(headers=headers, **told)


def _whole(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise WrongUseError(Problem(Cause.CONFIG, f"--property {name}: {value} is no whole number")) from error


def _lines(given: argparse.Namespace, key: str, properties: Properties) -> Iterator[Any]:
    """Messages from lines of JSON; what a line does not say is taken from the options."""
    from tui.services.queue.publishing import Outgoing  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        try:
            lines = sys.stdin.buffer if given.jsonl == "-" else stack.enter_context(Path(given.jsonl).open("rb"))
        except OSError as error:
            raise WrongUseError(Problem(Cause.CONFIG, f"{given.jsonl} cannot be read", error.strerror or "")) from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                said = json.loads(line)
                body = said["payload"]
                body = base64.b64decode(body) if said.get("payload_encoding") == "base64" else body.encode()
                own = {name: value for name, value in said.get("properties", {}).items() if name in PROPERTIES}
                headers = {**properties.headers, **said.get("properties", {}).get("headers", {})}
                told = dataclasses.replace(properties, **own, headers=headers)
                to = (
                    key or said.get("routing_key", ""),
                    given.exchange or ("" if given.queue else said.get("exchange", "")),
                )
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ProblemError(Problem(
                    Cause.CONFIG, f"Line {number} of {given.jsonl} is no message", f"{type(error).__name__}: {error}",
                    "It looks as `get -o jsonl` writes it; the lines before it were sent.",
                )) from error  # fmt: skip
            yield Outgoing(body, *to, told)


# --- get, tail


async def _get(given: argparse.Namespace, session: QueueSession, output: Output) -> int:
    from tui.services.queue.draining import drain  # noqa: PLC0415  (loads the client)

    asked = Settle.ACKNOWLEDGE if given.ack else Settle.REJECT if given.reject else Settle.REQUEUE
    how = asked if given.yes else Settle.REQUEUE
    written = Written(output.form, raw=given.raw, folder=given.save)
    broker = await session.dial("statetui get")
    stopped: ProblemError | None = None
    try:
        async with drain(broker, given.queue, given.count, how) as drained:
            try:
                while came := await drained.next():
                    written.write(came)
                    await drained.stored()
            except ProblemError as error:
                stopped = error
            finally:
                written.end()
            if stopped is None:
                await drained.finish()
            else:
                await drained.leave()
            if not written.count and stopped is None:
                _say(f"{given.queue} has no message that is ready")
            elif how is Settle.REQUEUE:
                would = f"; --yes would {asked} them" if asked is not how else ""
                _say(f"{written.count:,} go back, marked as redelivered{would}")
            else:
                _say(f"{drained.settled:,} {'acknowledged' if given.ack else 'rejected'}")
    finally:
        await broker.close()
    return exits.OK if stopped is None else _cut(stopped, drained.settled)


async def _browse(given: argparse.Namespace, session: QueueSession, output: Output) -> int:
    from tui.services.queue.streams import browse  # noqa: PLC0415  (loads the client)

    written = Written(output.form, raw=given.raw, folder=given.save)
    broker = await session.dial("statetui get")
    try:
        async with browse(broker, given.queue, _offset(given.offset), prefetch=_AHEAD) as stream:
            following: int | None = None
            try:
                while written.count < given.count:
                    page = await stream.page(min(_PAGE, given.count - written.count))
                    written.write(page.messages)
                    following = page.following if page.messages else following
                    if page.ended:
                        break
            finally:
                written.end()
            if following is not None:
                _say(f"the next begins with --offset {following}")
    finally:
        await broker.close()
    return exits.OK


def _offset(text: str) -> int | str | dt.datetime:
    if text in ("first", "last", "next"):
        return text
    if text.isdecimal():
        return int(text)
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUseError(Problem(
            Cause.CONFIG, f"--offset {text} is neither a number, first, last, nor a time as 2026-01-31T12:00:00Z"
        )) from error  # fmt: skip


async def _tail(given: argparse.Namespace, session: QueueSession, output: Output) -> int:
    from tui.services.queue.tailing import Listening, follow, listen  # noqa: PLC0415  (loads the client)

    broker = await session.dial("statetui tail")
    written = Written("table" if output.form == "table" else "jsonl", raw=given.raw)
    dropped = 0
    try:
        sources = [Listening(given.exchange, key) for key in given.key or ["#"]]
        async with follow(broker, given.stream) if given.stream else listen(broker, sources) as tail:
            _say("listening; Ctrl-C ends it")
            while given.count is None or written.count < given.count:
                came = await tail.next()
                written.write(came if given.count is None else came[: given.count - written.count])
                dropped = tail.dropped
    finally:
        if dropped:
            _say(f"{dropped:,} came faster than they could be shown, and were left out")
        await broker.close()
    return exits.OK


# --- move, copy


async def _move(given: argparse.Namespace, session: QueueSession, other: Other) -> int:
    from tui.services.queue.moving import Moving, Route, move  # noqa: PLC0415  (loads the client)

    copy = given.verb == "copy"
    far = bool(given.to_workload) or given.to_vhost not in ("", session.login.vhost)
    if given.source == given.target and not far:
        raise WrongUseError(Problem(Cause.CONFIG, f"{given.source} is both source and target"))
    key = given.target or given.routing_key
    route = Route(given.source, given.exchange, key, given.count, copy, given.stream, given.window)
    where = given.target or f"exchange {given.exchange}"
    if given.to_vhost:
        where += f" in virtual host {given.to_vhost}"
    if given.to_workload:
        where += f" of {given.to_workload}"
    if given.dry_run or not given.yes:
        return await _tell_move(given, session, where)
    target = await other(given.to_workload, given.to_vhost) if far else session
    progress = Moving()
    try:
        name = f"statetui {given.verb}"
        async with telling(progress):
            await move(lambda: session.dial(name), lambda: target.dial(name), route, progress)
    finally:
        told = f"{progress.done:,} {'copied' if copy else 'moved'} to {one_line(where)}"
        for count, words in (
            (progress.returned, "that no queue took stayed"), (progress.rejected, "that the target refused stayed"),
            (progress.altered, "without a property that the broker would refuse"),
            (progress.doubled, "may be there twice, at most"),
        ):  # fmt: skip
            told += f"; {count:,} {words}" if count else ""
        _say(told)
        if far:
            await target.close()
    if progress.returned or progress.rejected:
        return exits.PARTIAL if progress.done else exits.FAILED
    return exits.OK


async def _tell_move(given: argparse.Namespace, session: QueueSession, where: str) -> int:
    broker = await session.dial(f"statetui {given.verb}")
    try:
        ready = await broker.ready(given.source)
    finally:
        await broker.close()
    count = "the messages of the stream" if given.stream else f"{min(ready, given.count or ready):,} messages"
    _say(f"would {given.verb} {count} from {one_line(given.source)} to {one_line(where)}")
    if not given.dry_run:
        _say("nothing was done: add --yes")
        return exits.FAILED
    return exits.OK
