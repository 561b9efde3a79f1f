# ruff: noqa: ASYNC109 (each request has its own limit, and running into it is a Problem of its own)
"""What the server offers and what we may do there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import msgspec

from tui.kube.api import Api
from tui.kube.resources import Resource
from tui.problem import Cause, ProblemError

log = logging.getLogger(__name__)

#: API group -> version -> plural names of its resource types. The versions come in the server's order of preference.
Discovery = dict[str, dict[str, set[str]]]

_AGGREGATED = ",".join(
    (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json",
    )
)


class Rule(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What we may do with some resources of a namespace; `*` stands for all."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def allows(self, verb: str, resource: str, group: str = "", name: str = "") -> bool:
        """Whether the rule grants the verb; without a name, only a rule that is not about single names does."""
        return (
            _covers(self.verbs, verb)
            and _covers(self.api_groups, group)
            and _covers(self.resources, resource)
            and (not self.resource_names or (bool(name) and name in self.resource_names))
        )


def _covers(granted: Iterable[str], wanted: str) -> bool:
    return any(item in ("*", wanted) or (item.startswith("*/") and wanted.endswith(item[1:])) for item in granted)


class _ReviewStatus(msgspec.Struct, frozen=True):
    allowed: bool = False


class _Review(msgspec.Struct, frozen=True):
    status: _ReviewStatus = _ReviewStatus()


class _RulesStatus(msgspec.Struct, frozen=True, rename="camel"):
    resource_rules: tuple[Rule, ...] | None = None
    incomplete: bool = False
    evaluation_error: str = ""


class _RulesReview(msgspec.Struct, frozen=True):
    status: _RulesStatus = _RulesStatus()


async def can(
    api: Api,
    verb: str,
    resource: Resource | str,
    *,
    group: str = "",
    namespace: str | None = None,
    subresource: str = "",
    timeout: float = 10,
) -> bool | None:
    """Asks the server whether we may do something (SelfSubjectAccessReview).

    Args:
        api: the server.
        verb: `get`, `list`, `watch`, `create` …
        resource: a resource type, or its plural.
        group: the API group, if `resource` is a plural.
        namespace: one namespace; None asks for all of them, or for a resource of the whole cluster.
        subresource: `log`, `exec`, `proxy` …
        timeout: seconds to wait.

    Returns:
        The server's answer, or None when it does not answer such questions to us.

    Raises:
        ProblemError: when the server cannot be reached or refuses our credentials.
    """
    plural = resource if isinstance(resource, str) else resource.plural
    group = group if isinstance(resource, str) else resource.group
    attributes = {"verb": verb, "resource": plural, "group": group}
    if namespace:
        attributes["namespace"] = namespace
    if subresource:
        attributes["subresource"] = subresource
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    try:
        review = await api.post_json(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body, _Review, timeout=timeout
        )
    except ProblemError as error:
        if error.problem.cause in (Cause.FORBIDDEN, Cause.ABSENT, Cause.REJECTED):
            log.info("access review: %s", error.problem)
            return None
        raise
    return review.status.allowed


async def rules(api: Api, namespace: str, *, timeout: float = 10) -> list[Rule]:
    """What we may do in a namespace, as far as the server can tell (SelfSubjectRulesReview).

    Returns:
        The rules; empty also when the server does not answer such questions to us. Authorizers that cannot list their
        rules (webhooks) are missing from it, so an absent rule is no proof.

    Raises:
        ProblemError: when the server cannot be reached or refuses our credentials.
    """
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    try:
        review = await api.post_json(
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body, _RulesReview, timeout=timeout
        )
    except ProblemError as error:
        if error.problem.cause in (Cause.FORBIDDEN, Cause.ABSENT, Cause.REJECTED):
            log.info("rules review: %s", error.problem)
            return []
        raise
    if review.status.incomplete:
        log.info("rules review of %s is incomplete: %s", namespace, review.status.evaluation_error)
    return list(review.status.resource_rules or ())


# --- discovery


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""


class _AggregatedResource(msgspec.Struct, frozen=True):
    resource: str


class _AggregatedVersion(msgspec.Struct, frozen=True):
    version: str
    resources: list[_AggregatedResource] | None = None
    freshness: str = "Current"


class _AggregatedGroup(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    versions: list[_AggregatedVersion] | None = None


class _LegacyVersion(msgspec.Struct, frozen=True, rename="camel"):
    version: str
    group_version: str = ""


class _LegacyGroup(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    versions: list[_LegacyVersion]
    preferred_version: _LegacyVersion | None = None


class _Groups(msgspec.Struct, frozen=True):
    """Either answer to `/apis`: aggregated (`items`) or the old one (`groups`)."""

    items: list[_AggregatedGroup] | None = None
    groups: list[_LegacyGroup] | None = None


class _CoreVersions(msgspec.Struct, frozen=True):
    """Either answer to `/api`."""

    items: list[_AggregatedGroup] | None = None
    versions: list[str] | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str


class _ResourceList(msgspec.Struct, frozen=True):
    resources: list[_Named] | None = None


async def discover(api: Api, *, groups: Iterable[str] | None = None, timeout: float = 10) -> Discovery:
    """Which resource types the server has.

    Two requests where the server aggregates (1.27 and later); before that, one more for each version of a group, so an
    old server is only asked for the groups that are wanted.

    Args:
        api: the server.
        groups: the groups that matter (core is ""), or None for all.
        timeout: seconds for each request.

    Returns:
        Plurals by group and version. A group whose own server is down (an aggregated API) may miss some.

    Raises:
        ProblemError: when the server cannot be asked at all.
    """
    wanted = None if groups is None else set(groups)
    core = await api.get_as("/api", _CoreVersions, accept=_AGGREGATED, timeout=timeout)
    others = await api.get_as("/apis", _Groups, accept=_AGGREGATED, timeout=timeout)
    found: Discovery = {}
    for group in (*(core.items or ()), *(others.items or ())):
        if wanted is None or group.metadata.name in wanted:
            found[group.metadata.name] = {
                version.version: {item.resource for item in version.resources or ()} for version in group.versions or ()
            }
    asked = [("", version) for version in core.versions or ()] if core.items is None else []
    for old in others.groups or ():
        preferred = old.preferred_version.version if old.preferred_version else ""
        versions = [version.version for version in old.versions]
        versions.sort(key=preferred.__ne__)  # stable: the preferred one moves to the front
        asked += [(old.name, version) for version in versions]
    asked = [(group, version) for group, version in asked if wanted is None or group in wanted]
    answers = await asyncio.gather(*(_legacy(api, group, version, timeout) for group, version in asked))
    for (group, version), plurals in zip(asked, answers, strict=True):
        found.setdefault(group, {})[version] = plurals
    return found


async def _legacy(api: Api, group: str, version: str, timeout: float) -> set[str]:
    """The plurals of one group version; none when its own server is down."""
    path = f"/apis/{group}/{version}" if group else f"/api/{version}"
    try:
        listed = await api.get_as(path, _ResourceList, timeout=timeout)
    except ProblemError as error:
        if error.problem.cause not in (Cause.SERVER, Cause.ABSENT, Cause.FORBIDDEN):
            raise
        log.warning("discovery of %s: %s", path, error.problem)
        return set()
    return {item.name for item in listed.resources or () if "/" not in item.name}


def is_served(resource: Resource, served: Discovery) -> bool:
    """Whether the server has a version of the resource that fits."""
    versions = served.get(resource.group, {})
    return any(resource.plural in versions.get(version, ()) for version in resource.versions)
