"""Each right that statetui can use: whether the user has it, and what is lost without it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from tui.commands.checks import Check, Status
from tui.kube.access import can
from tui.kube.api import Api
from tui.kube.resources import BUILT_IN, CLAIMS, PODS, STATEFULSETS, Resource

GROUP = "rights"
LATER = "rights for what is to come"
#: Too much to be asked for as a rule: who may read all Secrets may do anything.
CONSOLES = "rights for the consoles"
#: Reviews that are asked at the same time.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Right:
    """Something to be allowed.

    Attributes:
        verbs: all are needed.
        resource: the plural, with its subresource after a slash.
        group: the API group.
        lost: what does not work without it.
        namespaced: whether it can be had in one namespace.
        severity: how bad it is to lack it.
        heading: the heading it stands under.
    """

    verbs: tuple[str, ...]
    resource: str
    group: str
    lost: str
    namespaced: bool = True
    severity: Status = Status.WARNING
    heading: str = GROUP

    @property
    def name(self) -> str:
        """As RBAC would spell it: `list, watch statefulsets.apps`."""
        return f"{', '.join(self.verbs)} {self.resource}{f'.{self.group}' if self.group else ''}"


def watching(resource: Resource, severity: Status = Status.WARNING) -> Right:
    """The right to follow a resource type."""
    return Right(("list", "watch"), resource.plural, resource.group, resource.needed_for, resource.namespaced, severity)


def rights(customs: Iterable[Resource] = ()) -> list[Right]:
    """Everything that statetui asks for, the most important first; `customs` are the operators' types that exist."""
    essential = (STATEFULSETS, PODS, CLAIMS)
    return [
        *(watching(item, Status.FAILED if item in essential else Status.WARNING) for item in BUILT_IN),
        Right(("list",), "namespaces", "", "the list of namespaces to choose from", namespaced=False),
        Right(("get",), "nodes/proxy", "", "how full the volumes are", namespaced=False),
        Right(("get", "create"), "pods/portforward", "", "forwards and consoles"),
        *(watching(item) for item in customs),
        Right(("get",), "pods/log", "", "logs of members", severity=Status.SKIPPED, heading=LATER),
        Right(("get",), "secrets", "", "credentials found by themselves", severity=Status.SKIPPED, heading=CONSOLES),
        Right(("create",), "pods/exec", "", "a shell in a member", severity=Status.SKIPPED, heading=LATER),
    ]


async def examine(api: Api, wanted: Iterable[Right], namespace: str, *, only: bool) -> list[Check]:
    """Asks the server for each right, in the whole cluster and, where that is refused, in the namespace.

    Args:
        api: the server.
        wanted: the rights.
        namespace: the namespace to fall back to.
        only: whether the user asked for that namespace alone, so that the cluster's does not matter.

    Raises:
        ProblemError: the server cannot be reached.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def allowed(right: Right, where: str | None) -> bool | None:
        resource, _, subresource = right.resource.partition("/")
        answers = []
        for verb in right.verbs:
            async with gate:
                answers.append(
                    await can(api, verb, resource, group=right.group, namespace=where, subresource=subresource)
                )
        return False if False in answers else None if None in answers else True

    async def ask(right: Right) -> Check:
        everywhere = None if only and right.namespaced else await allowed(right, None)
        if everywhere:
            return Check(right.heading, right.name, Status.OK, "in the whole cluster")
        if right.namespaced:
            here = await allowed(right, namespace)
            if here:
                # One namespace may be all that this person is meant to see: that is a scope, not a fault.
                return Check(right.heading, right.name, Status.OK, f"in namespace {namespace}")
            everywhere = here
        if everywhere is None:
            return Check(
                right.heading, right.name, Status.WARNING, "the server does not say", "", f"perhaps {right.lost}"
            )
        where = f"in namespace {namespace}" if right.namespaced else ""
        remedy = (
            ""
            if right.heading == LATER
            else "The right to get the one Secret of a workload is enough; it names it when it is refused."
            if right.heading == CONSOLES
            else "Name a namespace that you may read with -n, or ask for the ClusterRole in the README."
        )
        return Check(right.heading, right.name, right.severity, f"not allowed {where}".strip(), "", right.lost, remedy)

    return list(await asyncio.gather(*map(ask, wanted)))
