"""What `statetui forward` is asked for, and what the settings define: read before anything is connected to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tui.commands.output import API_VERSION, Document
from tui.problem import Cause, Problem, ProblemError
from tui.settings import Settings
from tui.settings_forwards import ForwardSetting
from tui.settings_readers import nearest
from tui.systems.forwarding import Definition, check, defined, parse


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Attributes:
        words: `WORKLOAD[:PORT]` or `@NAME` of a definition, one for each forward.
        command: what to run with them; empty to go on until told to stop.
        local: the local port or `unix:PATH`, None for what is likeliest.
        pod: one member; None for what the definition says.
        role: the members of a role; None for what the definition says.
        any: whether any member will do, whatever the definition says.
        spread: whether connections are spread over all members.
        unready: whether pods that are not ready will do.
        wait: seconds that a connection, or the command, waits for a ready pod.
        timeout: seconds to wait for the cluster.
        output: text or json.
        env_file: where to write the variables, None for nowhere.
        expand: whether `{host}` and the like are replaced in the command's arguments.
    """

    words: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    local: int | str | None = None
    pod: str | None = None
    role: str | None = None
    any: bool = False
    spread: bool = False
    unready: bool = False
    wait: float = 10.0
    timeout: float = 30.0
    output: str = "text"
    env_file: str | None = None
    expand: bool = True


def definitions(request: Request, settings: Settings) -> list[Definition]:
    """The forwards that are asked for, in the order of the words.

    Raises:
        ProblemError: CONFIG, a word that cannot be understood or that the settings do not define.
    """
    return [_definition(word, request, settings.forwards) for word in request.words]


def _definition(word: str, request: Request, known: Mapping[str, ForwardSetting]) -> Definition:
    found = _named(word, known) if word.startswith("@") else parse(word)
    if request.pod is not None:
        found = replace(found, pod=request.pod, role="")
    elif request.role is not None:
        found = replace(found, role=request.role, pod="")
    elif request.any:
        found = replace(found, role="", pod="")
    if request.local is not None:
        found = replace(found, local=request.local)
    found = replace(found, sticky=found.sticky and not request.spread, unready=request.unready)
    check(found)
    return found


def _named(word: str, known: Mapping[str, ForwardSetting]) -> Definition:
    name, colon, port = word[1:].partition(":")
    if name not in known:
        near = nearest(name, list(known))
        remedy = f"Did you mean @{near}?" if near else "`statetui forward --list` prints those that are defined."
        raise ProblemError(Problem(Cause.CONFIG, f"The settings define no forward {name}", "", remedy))
    found = defined(name, known[name])
    return replace(found, port=parse(f"{found.workload}:{port}").port) if colon else found


def check_context(wanted: Definition, settings: Settings, context: str) -> None:
    """Refuses a definition that is for other contexts.

    Raises:
        ProblemError: CONFIG.
    """
    if wanted.name and not (setting := settings.forwards[wanted.name]).fits(context):
        raise ProblemError(
            Problem(
                Cause.CONFIG,
                f"Forward {wanted.name} is for contexts called {setting.context}, and this is {context}",
                settings.origins.get("forwards", ""),
                "Name another context with --context.",
            )
        )


def listing(settings: Settings) -> Document:
    """What is defined, for `--list -o json`."""
    keys = ("context", "workload", "port", "pod", "role", "local", "sticky")
    found = [{"name": name, **{key: _plain(item, key) for key in keys}} for name, item in settings.forwards.items()]
    return {"apiVersion": API_VERSION, "kind": "ForwardList", "forwards": found}


def _plain(item: ForwardSetting, key: str) -> object:
    value: object = getattr(item, key)
    return None if value == "" else value


def table(settings: Settings) -> list[list[str]]:
    """What is defined, for people: a heading and one row for each."""
    rows = [["NAME", "CONTEXT", "WORKLOAD", "PORT", "MEMBERS", "LOCAL"]]
    for name, item in settings.forwards.items():
        members = item.pod or item.role or ("any" if item.sticky else "any, spread")
        local = "" if item.local is None else str(item.local)
        rows.append(
            [f"@{name}", item.context, item.workload, str(item.port) or "likeliest", members, local or "likeliest"]
        )
    return rows
