"""What may be watched: the whole cluster, or the namespaces that one may read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from tui.kube.access import Rule, rules
from tui.kube.api import Api
from tui.kube.resources import Resource
from tui.problem import Cause, ProblemError

log = logging.getLogger(__name__)

#: Namespaces that are asked about at the same time.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Scope:
    """What is watched.

    Attributes:
        namespaces: the namespaces watched one by one, or None for the whole cluster.
        asked: whether the user chose the namespace (`-n`).
        reason: why not the whole cluster, in the API server's words; empty when there is nothing to explain.
    """

    namespaces: tuple[str, ...] | None = None
    asked: bool = False
    reason: str = ""

    @property
    def text(self) -> str:
        """As the header says it: `all namespaces`, `namespace stateful`, `3 namespaces: a, b, c`."""
        if self.namespaces is None:
            return "all namespaces"
        if len(self.namespaces) == 1:
            return f"namespace {self.namespaces[0]}"
        names = ", ".join(self.namespaces[:4]) + (", …" if len(self.namespaces) > 4 else "")
        return f"{len(self.namespaces)} namespaces: {names}" if self.namespaces else "no namespace"


@dataclass(frozen=True, slots=True)
class Readable:
    """What was found for resources that may not be listed in the whole cluster.

    Attributes:
        namespaces: those to watch one by one.
        by_resource: for each resource key, where it may be listed. A resource that may be listed nowhere is asked
            for in every namespace all the same, so that the refusal can be shown.
        listed: whether the namespaces came from the server, and not from the context.
    """

    namespaces: tuple[str, ...]
    by_resource: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    listed: bool = False


class _Name(msgspec.Struct, frozen=True, gc=False):
    name: str = ""


class _Named(msgspec.Struct, frozen=True, gc=False):
    metadata: _Name = _Name()


class _Names(msgspec.Struct, frozen=True, gc=False):
    items: list[_Named] = []


async def namespace_names(api: Api) -> list[str]:
    """The names of all namespaces, sorted.

    Raises:
        ProblemError: FORBIDDEN where they may not be listed.
    """
    found = await api.get_as("/api/v1/namespaces", _Names, params={"resourceVersion": "0"})
    return sorted(item.metadata.name for item in found.items)


async def negotiate(api: Api, wanted: Sequence[Resource]) -> Readable:
    """Finds the namespaces in which something of `wanted` may be listed, after the whole cluster was refused.

    One request lists the namespaces, one for each (a SelfSubjectRulesReview) tells what may be read there. Where the
    namespaces may not be listed, the context's own is all there is to ask about.

    Raises:
        ProblemError: for anything but a refusal.
    """
    try:
        names, listed = await namespace_names(api), True
    except ProblemError as error:
        if error.problem.cause is not Cause.FORBIDDEN:
            raise
        names, listed = [], False
    candidates = names or [api.context.namespace]
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(namespace: str) -> list[Rule] | None:
        async with gate:
            try:
                return await rules(api, namespace)
            except ProblemError as error:
                log.info("the rights in namespace %s cannot be asked: %s", namespace, error.problem)
                return None

    answers = dict(zip(candidates, await asyncio.gather(*map(ask, candidates)), strict=True))
    allowed = {
        resource.key: tuple(name for name in candidates if may_list(answers[name], resource)) for resource in wanted
    }
    useful = tuple(name for name in candidates if any(name in names for names in allowed.values()))
    shown = useful or ((api.context.namespace,))
    return Readable(shown, {key: names or shown for key, names in allowed.items()}, listed)


def may_list(granted: list[Rule] | None, resource: Resource) -> bool:
    """Whether the rules allow `list`; unknown rules (None) count as yes: the server is asked then."""
    return granted is None or any(rule.allows("list", resource.plural, resource.group) for rule in granted)
