"""`statetui queue W declare|delete|purge|bind|unbind|close|export|import`: changes a broker's topology."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tui.commands import exits
from tui.commands.given import contents, first_line
from tui.commands.queue_asking import has_pattern, matching
from tui.commands.queue_output import Output
from tui.commands.remarks import note
from tui.commands.wronguse import WrongUseError, wrong
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue import arguments, definitions, facts
from tui.services.queue.definitions import Change
from tui.services.queue.management import Management
from tui.services.queue.model import Kind, Refused
from tui.services.queue.operations import Permission, Policy
from tui.systems.queuesession import QueueSession

#: Deletes one thing.
Delete = Callable[[str], Awaitable[None]]


def by_name(given: argparse.Namespace) -> bool:
    """Whether AMQP can do it without the management API: what is meant is named, and no pattern."""
    if given.verb in ("bind", "unbind"):
        return True
    if given.verb == "declare":
        return given.what in ("queue", "exchange")
    if given.verb == "purge" or (given.verb == "delete" and given.what in ("queue", "exchange")):
        return not any(has_pattern(one) for one in given.names)
    return False


def needs(given: argparse.Namespace) -> str:
    """What of it needs the management API, in words: AMQP lists nothing."""
    if any(has_pattern(one) for one in getattr(given, "names", ())):
        return f"`{given.verb}` with a pattern"
    return f"`{given.verb} {given.what}`" if getattr(given, "what", "") else f"`{given.verb}`"


async def run(given: argparse.Namespace, session: QueueSession, output: Output) -> int:
    """Does it, and returns the exit code.

    Args:
        given: the verb's arguments.
        session: with a management API, or with AMQP for what `by_name` says of.
        output: where answers go.

    Raises:
        WrongUseError: the words do not make sense.
        Refused, ProblemError: the broker refused it, or cannot be reached.
        Lost: the connection went.
    """
    verbs = _Verbs(given, session, output)
    return await {
        "declare": verbs.declare, "delete": verbs.delete, "purge": verbs.purge, "bind": verbs.bind,
        "unbind": verbs.unbind, "close": verbs.close, "export": verbs.export, "import": verbs.import_,
    }[given.verb]()  # fmt: skip


class _Verbs:
    """One run; a method for each verb."""

    def __init__(self, given: argparse.Namespace, session: QueueSession, output: Output) -> None:
        self._given = given
        self._session = session
        self._login = session.login
        self._vhost = session.login.vhost
        self._output = output
        self._topology = session.topology()

    @property
    def _api(self) -> Management:
        assert self._session.management is not None  # noqa: S101 (`by_name` says what can do without)
        return self._session.management

    async def declare(self) -> int:
        """A queue, an exchange, a policy, a virtual host, a user or a permission."""
        given = self._given
        await getattr(self, f"_declare_{given.what}")()
        self._output.done("would be declared" if getattr(given, "dry_run", False) else "declared", given.name)
        return exits.OK

    async def _declare_queue(self) -> None:
        given = self._given
        wanted = self._queue_arguments(given.type or await self._usual_type())
        if given.type:
            wanted["x-queue-type"] = given.type
        if given.type in (Kind.QUORUM, Kind.STREAM) and (not given.durable or given.auto_delete):
            raise wrong(f"A {given.type} queue outlives restarts and consumers",
                         "Leave --transient and --auto-delete out, or choose classic.")  # fmt: skip
        if not given.dry_run:
            await self._topology.declare_queue(
                self._vhost, given.name, wanted, durable=given.durable, auto_delete=given.auto_delete
            )

    async def _usual_type(self) -> str:
        if self._session.management is None:
            return "classic"
        found = [one.kind for one in await self._api.vhosts() if one.name == self._vhost]
        return found[0] if found else "classic"

    def _queue_arguments(self, kind: str) -> dict[str, Any]:
        """Those that are known are held against their type; others are the business of plugins, and go as they are."""
        known = {one.key: one for one in arguments.ARGUMENTS}
        texts: dict[str, str] = {}
        more: dict[str, Any] = {}
        for key, text in _pairs(self._given.argument):
            whole = key if key in known or f"x-{key}" not in known else f"x-{key}"
            if whole not in known:
                more[key] = _value(text)
            elif Kind(kind) not in known[whole].kinds:
                fits = ", ".join(sorted(known[whole].kinds))
                raise wrong(f"A {kind} queue has no argument {whole}: {fits} do", "`ls arguments` tells all.")
            else:
                texts[whole] = text
        try:
            return {**arguments.read(Kind(kind), texts), **more}
        except ProblemError as error:
            raise WrongUseError(error.problem) from error

    async def _declare_exchange(self) -> None:
        given = self._given
        wanted = {key: _value(text) for key, text in _pairs(given.argument)}
        if not given.dry_run:
            await self._topology.declare_exchange(
                self._vhost, given.name, given.type, wanted, durable=given.durable, auto_delete=given.auto_delete,
                internal=given.internal,
            )  # fmt: skip

    async def _declare_policy(self) -> None:
        given = self._given
        try:
            definition = msgspec.json.decode(given.definition, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise WrongUseError(
                Problem(Cause.CONFIG, "--definition is no JSON object", str(error), 'As in {"max-length": 1000}.')
            ) from error
        policy = Policy(given.name, self._vhost, given.pattern, given.apply_to, given.priority, definition)
        await self._api.set_policy(policy, operator=given.operator)

    async def _declare_vhost(self) -> None:
        given = self._given
        await self._api.declare_vhost(given.name, default_type=given.type)
        await self._api.set_permission(Permission(self._login.user, given.name, ".*", ".*", ".*"))

    async def _declare_user(self) -> None:
        given = self._given
        password = first_line(given.password_from) if given.password_from else None
        tags = None if given.tags is None else [one.strip() for one in given.tags.split(",") if one.strip()]
        await self._api.set_user(given.name, password, tags)

    async def _declare_permission(self) -> None:
        given = self._given
        await self._api.set_permission(
            Permission(given.name, self._vhost, given.configure, given.write, given.read)
        )  # fmt: skip

    async def delete(self) -> int:
        """Queues, exchanges, policies, virtual hosts, users or permissions."""
        given, vhost = self._given, self._vhost
        if given.what == "queue":

            async def gone(name: str) -> None:
                await self._topology.delete_queue(vhost, name, if_empty=given.if_empty, if_unused=given.if_unused)

            return await self._each(await self._queues("is deleted"), "deleted", gone)
        there: Sequence[str]
        if given.what == "exchange":
            found = [] if by_name(given) else await self._api.exchanges(vhost)
            there = [one.name for one in found if one.name and not one.name.startswith("amq.")]

            async def gone(name: str) -> None:
                await self._topology.delete_exchange(vhost, name, if_unused=given.if_unused)
        elif given.what == "vhost":
            there = [one.name for one in await self._api.vhosts()]

            async def gone(name: str) -> None:
                await self._api.delete_vhost(name)
        elif given.what == "user":
            there = [one.name for one in await self._api.users()]

            async def gone(name: str) -> None:
                await self._api.delete_user(name)
        elif given.what == "permission":
            there = [one.user for one in await self._api.permissions(vhost)]

            async def gone(name: str) -> None:
                await self._api.delete_permission(vhost, name)
        else:
            operator = given.what == "operator-policy"
            there = [one.name for one in await self._api.policies(vhost, operator=operator)]

            async def gone(name: str) -> None:
                await self._api.delete_policy(vhost, name, operator=operator)

        names = self._named(there)
        if given.what == "vhost":
            for name in names:
                page = await self._api.queues(vhost=name, size=1)
                note(f"with {name} go {page.total_count:,} queues and all messages in them")
        return await self._each(dict.fromkeys(names, ""), "deleted", gone)

    async def purge(self) -> int:
        """Deletes the messages that are ready."""

        async def gone(name: str) -> None:
            await self._topology.purge_queue(self._vhost, name)

        return await self._each(await self._queues("is purged"), "purged", gone)

    async def close(self) -> int:
        """Clients' connections."""

        async def gone(name: str) -> None:
            await self._api.close_connection(name, self._given.reason)

        names = self._named([one.name for one in await self._api.connections()])
        return await self._each(dict.fromkeys(names, ""), "closed", gone)

    async def _queues(self, what: str) -> dict[str, str]:
        """The queues that are meant, and what goes with each."""
        found: dict[str, str] = {}
        for name in self._given.names:
            if not has_pattern(name):
                try:
                    found[name] = _holds(await self._topology.queue(self._vhost, name), what)
                except Refused as error:
                    self._output.failed(name, error.problem)
                continue
            async for piece in matching(self._api, self._vhost, name):
                found |= {one.name: _holds(one, what) for one in piece}
        return found

    def _named(self, there: Sequence[str]) -> list[str]:
        """The names that are meant; one that is no pattern need not be there: the server says so."""
        found: dict[str, None] = {}
        for name in self._given.names:
            found |= dict.fromkeys([name] if not has_pattern(name) else
                                   [one for one in there if fnmatch.fnmatchcase(one, name)])  # fmt: skip
        return list(found)

    async def _each(self, named: dict[str, str], word: str, gone: Delete) -> int:
        """Does it to each, if one is sure."""
        given = self._given
        if not named:
            if self._output.code == exits.OK:
                note("nothing is there that matches")
            return exits.FAILED
        if given.dry_run or not given.yes:
            for name, holds in sorted(named.items()):
                self._output.done(f"would be {word}", name, holds)
            if not given.dry_run:
                note(f"nothing was {word}: add --yes")
                return exits.FAILED
            return self._output.code
        for name, holds in sorted(named.items()):
            try:
                await gone(name)
            except Refused as error:
                self._output.failed(name, error.problem)
            else:
                self._output.done(word, name, holds)
        return self._output.code

    async def bind(self) -> int:
        """Leads messages on."""
        given = self._given
        wanted = {key: _value(text) for key, text in _pairs(given.argument)}
        if not given.dry_run:
            await self._topology.bind(self._vhost, given.source, given.target, given.routing_key, wanted, kind=given.to)
        self._output.done("would be bound" if given.dry_run else "bound", self._way)
        return exits.OK

    async def unbind(self) -> int:
        """Ends the binding with this key and these arguments."""
        given = self._given
        wanted = {key: _value(text) for key, text in _pairs(given.argument)}
        if self._session.management is None:
            return await self._unbind_by_name(wanted)
        found = [one for one in await self._api.bindings(self._vhost) if (
            one.source, one.destination, one.destination_type, one.routing_key, one.arguments
        ) == (given.source, given.target, given.to, given.routing_key, wanted)]  # fmt: skip
        if not found:
            raise ProblemError(Problem(
                Cause.ABSENT, f"There is no binding {self._way}", "", "`ls bindings` tells keys and arguments."
            ))  # fmt: skip
        if not given.dry_run:
            await self._api.unbind(self._vhost, given.source, given.target, found[0].properties_key, kind=given.to)
        self._output.done("would be unbound" if given.dry_run else "unbound", self._way)
        return exits.OK

    async def _unbind_by_name(self, wanted: Mapping[str, Any]) -> int:
        from tui.services.queue.byname import ByName  # noqa: PLC0415  (loads the client)

        given, named = self._given, self._topology
        assert isinstance(named, ByName)  # noqa: S101 (there is no management API)
        await named.there(given.source, given.target, kind=given.to)
        if not given.dry_run:
            await named.unbind(given.source, given.target, given.routing_key, wanted, kind=given.to)
        told = "whether it was there is not told"
        self._output.done("would be unbound" if given.dry_run else "unbound", self._way, told)
        return exits.OK

    @property
    def _way(self) -> str:
        given = self._given
        return f"{given.source} to {given.to} {given.target} ({given.routing_key})"

    async def export(self) -> int:
        """The topology as one document."""
        given = self._given
        found = await self._api.definitions(given.vhost)
        if not given.secrets:
            found = definitions.without_secrets(found)
        text = json.dumps(found, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        if given.out == "-":
            sys.stdout.write(text)
        else:
            _write(Path(given.out), text)
        counts = ", ".join(f"{len(found[part]):,} {part}" for part in definitions.KEYS if found.get(part))
        note(f"{counts or 'nothing'}{'' if given.secrets else '; without hashes of passwords (--secrets)'}")
        return exits.OK

    async def import_(self) -> int:
        """Tells what a document changes, and makes it."""
        given = self._given
        try:
            wanted = definitions.read(contents(given.file), "stdin" if given.file == "-" else given.file)
        except ProblemError as error:
            raise WrongUseError(error.problem) from error
        here = await self._api.definitions(given.vhost)
        found = list(definitions.differences(here, wanted, given.vhost))
        for one in found:
            if one.change not in (Change.SAME, Change.HERE):
                said = "; ".join(f"{key}: {ours} → {theirs}" for key, ours, theirs in one.fields)
                self._output.done(str(one.change), f"{one.part} {one.name}", said)
        counts = Counter(one.change for one in found)
        note(", ".join(f"{counts[change]:,} {change}" for change in Change))
        if given.dry_run:
            return exits.OK
        await self._api.put_definitions(wanted, given.vhost)
        note("imported; what differs stayed as it was" if counts[Change.REFUSED] else "imported")
        return exits.PARTIAL if counts[Change.REFUSED] else exits.OK


def _holds(one: facts.Queue, what: str) -> str:
    """What goes when something is done to a queue."""
    ready = "an unknown number of" if one.messages_ready is None else f"{one.messages_ready:,}"
    if what == "is purged":
        return f"{ready} messages that are ready"
    unacknowledged = one.messages_unacknowledged
    held = f" and {unacknowledged:,} with consumers" if unacknowledged else ""
    if unacknowledged is None:
        held = " and an unknown number with consumers"
    used = f", {one.consumers:,} consumers" if one.consumers else ""
    return f"{ready} messages{held}{used}"


def _pairs(given: Sequence[str]) -> list[tuple[str, str]]:
    return [(key, text) for key, _, text in (one.partition("=") for one in given)]


def _value(text: str) -> Any:  # noqa: ANN401  (an argument's)
    """JSON where it is some, else a text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _write(path: Path, text: str) -> None:
    """Whole, or not at all; readable to its owner alone: hashes of passwords may be in it."""
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.absolute().parent, delete=False) as beside:
            try:
                beside.write(text)
                beside.close()
                Path(beside.name).replace(path)
            except BaseException:
                Path(beside.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise WrongUseError(Problem(Cause.CONFIG, f"{path} cannot be written", error.strerror or "")) from error
