"""`statetui fault`: lets something go wrong in a sandbox on purpose, and ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from tui.commands import exits
from tui.commands.table import Cell, Table, paper
from tui.kube import faults, times
from tui.kube.api import Api
from tui.kube.context import load_context
from tui.kube.faults import Known, Sort, Value
from tui.kube.options import ConnectOptions
from tui.problem import Cause, Problem, ProblemError
from tui.settings import Settings
from tui.settings_readers import nearest


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Attributes:
        name: a fault, or `list`.
        target: what it is done to, empty for nothing.
        end: whether it is to end.
        options: of the fault.
    """

    name: str
    target: str = ""
    end: bool = False
    options: Mapping[str, Value] = field(default_factory=dict)


def run(options: ConnectOptions, settings: Settings, request: Request) -> int:
    """Does it, and returns the exit code.

    Raises:
        ProblemError: the server is no sandbox, cannot be reached, or refuses.
    """
    return asyncio.run(_run(options, settings, request))


async def _run(options: ConnectOptions, settings: Settings, request: Request) -> int:
    context = await asyncio.to_thread(load_context, options)
    api = Api(context)
    api.read_only = settings.protects(context.name)
    try:
        known = await faults.known(api)
        if request.name == "list":
            _show(known)
            return exits.OK
        sort = _sort(known, request.name)
        namespace = options.namespace or context.namespace
        if request.end:
            for text in await faults.end(api, sort.name, request.target, namespace=namespace):
                print(f"ended: {text}")
            return exits.OK
        made = await faults.start(
            api, sort.name, request.target, namespace=namespace, options=dict(request.options)
        )  # fmt: skip
        on = paper()
        print(on.plain(made.said))
        if sort.lasts:
            print(on.plain(" ".join(filter(None, ("end it with: statetui fault", sort.name, made.target, "--end")))))
        return exits.OK
    finally:
        await api.close()


def _sort(known: Known, name: str) -> Sort:
    for sort in known.possible:
        if sort.name == name:
            return sort
    names = [sort.name for sort in known.possible]
    near = nearest(name, set(names))
    raise ProblemError(
        Problem(
            Cause.ABSENT,
            f"There is no fault {name}",
            f"there are {', '.join(names)}",
            f"Did you mean {near}?" if near else "`statetui fault list` says what each does.",
        )
    )


def _show(known: Known) -> None:
    on = paper()
    possible: list[list[Cell]] = [
        [
            sort.name,
            sort.target.upper() or "-",
            " ".join(f"{key}={_text(value)}" for key, value in sort.options.items()) or "-",
            sort.summary + (", until it is ended" if sort.lasts else ""),
        ]
        for sort in known.possible
    ]
    Table(("FAULT", "TARGET", "OPTIONS", "WHAT IT DOES"), on, print).print(possible)
    print()
    if not known.active:
        print("no fault goes on")
        return
    active: list[list[Cell]] = []
    for fault in known.active:
        since = times.parse(fault.since)
        active.append([fault.name, fault.target or "-", times.clock(since) if since else "-", fault.said])
    Table(("GOES ON", "TARGET", "SINCE", "WHAT IT DOES"), on, print).print(active)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
