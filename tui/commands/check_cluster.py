"""What `doctor` looks at in the cluster: the way there, its version, and what it offers."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from tui.commands.checks import Check, Status
from tui.kube import kubeconfig
from tui.kube.access import Discovery, discover
from tui.kube.api import Api
from tui.kube.context import Context, load_context
from tui.kube.options import ConnectOptions
from tui.kube.resources import Resource
from tui.kube.tls import validity
from tui.problem import Cause, ProblemError

GROUP = "cluster"
#: The minor versions of Kubernetes 1 that statetui is tried on: the oldest and the newest.
TRIED = (20, 36)
DAY = 86400.0
METRICS = "metrics.k8s.io"


async def config(options: ConnectOptions) -> tuple[list[Check], Context]:
    """Which files, which context."""
    context = await asyncio.to_thread(load_context, options)
    files: Sequence[object] = ()
    if not context.in_cluster:
        files = (await asyncio.to_thread(kubeconfig.load, options.kubeconfig, os.environ)).files
    where = ", ".join(map(str, files)) or "the pod's service account"
    text = f"context {context.name} from {where}; namespace {options.namespace or context.namespace}"
    return [Check(GROUP, "kubeconfig", Status.OK, text)], context


async def credentials(api: Api) -> list[Check]:
    """Whether an identity can be had, of which kind, and until when."""
    identity = await api.identity()
    kinds = [_kind(identity.authorization)] if identity.authorization else []
    kinds += ["client certificate"] if identity.certificate else []
    who = f" as user {api.context.user_name}" if api.context.user_name else ""
    text = f"{' and '.join(kinds) or 'anonymous'} from {api.identity_source}{who}"
    if api.context.impersonation:
        text += f", acting as {api.context.impersonation.user}"
    period = validity(identity.certificate) if identity.certificate else None
    ends = min((moment for moment in (period[1] if period else None, identity.expires) if moment), default=None)
    if ends is None:
        return [Check(GROUP, "credentials", Status.OK, text)]
    text += f"; valid until {datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%M} UTC"
    # What a plugin or a provider hands out is short-lived by design and renewed; a certificate of one's own is not.
    if period and not api.context.in_cluster and identity.expires is None and ends - time.time() < 14 * DAY:
        remedy = "Get a new kubeconfig or certificate in time."
        return [Check(GROUP, "credentials", Status.WARNING, text, "", "everything, from then on", remedy)]
    return [Check(GROUP, "credentials", Status.OK, text)]


def _kind(authorization: str) -> str:
    return {"bearer": "token", "basic": "user name and password"}.get(authorization.partition(" ")[0].lower(), "header")


async def reach(api: Api) -> list[Check]:
    """Whether the server answers, how fast, how safely, and which version it is."""
    began = time.monotonic()
    version = await api.version()
    connected = time.monotonic()
    await api.get("/version", timeout=5)
    again = time.monotonic()
    speed = f"{(connected - began) * 1000:.0f} ms to connect, {(again - connected) * 1000:.0f} ms a request"
    through = " through a proxy" if api.context.cluster.proxy_url else ""
    return [
        Check(GROUP, "API server", Status.OK, f"{api.context.server}{through}: {speed}"),
        _tls(api.context),
        version_check(version),
    ]


def _tls(context: Context) -> Check:
    if not context.server.startswith("https:"):
        return Check(
            GROUP, "TLS", Status.WARNING, "none: nothing is encrypted", "", "secrecy, and proof of who answers",
            "Use the https address of the API server, unless this is a proxy on this machine.",
        )  # fmt: skip
    if context.insecure:
        return Check(
            GROUP, "TLS", Status.WARNING, "the server's certificate is not checked", "insecure-skip-tls-verify: true",
            "proof of who answers", "Put certificate-authority-data into the kubeconfig instead.",
        )  # fmt: skip
    return Check(GROUP, "TLS", Status.OK, "the server's certificate is checked")


def version_check(version: str) -> Check:
    """Whether this is a version that statetui is tried on."""
    found = re.match(r"v?1\.(\d+)", version)
    tried = f"1.{TRIED[0]} to 1.{TRIED[1]}"
    if found is None:
        return Check(
            GROUP, "version", Status.WARNING, f"{version!r} is not a version of Kubernetes 1", "", "perhaps anything"
        )
    if int(found[1]) < TRIED[0]:
        return Check(
            GROUP, "version", Status.WARNING, f"{version} is older than what statetui is tried on ({tried})", "",
            "perhaps some panes", "",
        )  # fmt: skip
    newer = int(found[1]) > TRIED[1]
    return Check(
        GROUP, "version", Status.OK, version + (f", newer than what statetui is tried on ({tried})" if newer else "")
    )


async def offers(api: Api, customs: Sequence[Resource]) -> tuple[list[Check], list[Resource]]:
    """The metrics API and the types of known operators; and those of the types that exist."""
    found = await discover(api, groups={METRICS, *(item.group for item in customs)})
    present = [item for item in customs if _has(found, item)]
    metrics = Check(
        GROUP, "metrics API", Status.SKIPPED, "absent; nothing here needs it: volumes are measured by the kubelets"
    )
    if any("pods" in plurals for plurals in found.get(METRICS, {}).values()):
        metrics = Check(GROUP, "metrics API", Status.OK, "present")
    names = ", ".join(item.rbac for item in present)
    operators = Check(
        GROUP, "operators", Status.OK if present else Status.SKIPPED, names or "no type of a known operator"
    )
    return [metrics, operators], present


def _has(found: Discovery, item: Resource) -> bool:
    return any(item.plural in found.get(item.group, {}).get(version, ()) for version in item.versions)


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    node_name: str = ""


class _Item(msgspec.Struct, frozen=True):
    metadata: dict[str, object] = {}
    spec: _Spec = _Spec()


class _Items(msgspec.Struct, frozen=True):
    items: list[_Item] = []


async def usage(api: Api, namespace: str) -> list[Check]:
    """Really reads one node's summary."""
    node = await _a_node(api, namespace)
    if not node:
        return [
            Check(
                GROUP, "use of volumes", Status.SKIPPED, "no node is known to ask, and no pod runs that would tell one"
            )
        ]
    began = time.monotonic()
    body = await api.get(f"/api/v1/nodes/{node}/proxy/stats/summary", timeout=10)
    count = body.count(b'"pvcRef"')
    text = f"node {node} answers in {(time.monotonic() - began) * 1000:.0f} ms, with figures for {count} claims"
    return [Check(GROUP, "use of volumes", Status.OK, text)]


async def _a_node(api: Api, namespace: str) -> str:
    """The name of some node, from the nodes or else from a pod; empty when neither tells one."""
    try:
        nodes = await api.get_as("/api/v1/nodes", _Items, params={"limit": "1"}, timeout=5)
        return str(nodes.items[0].metadata.get("name", "")) if nodes.items else ""
    except ProblemError as error:
        if error.problem.cause is not Cause.FORBIDDEN:
            raise
    try:
        pods = await api.get_as(f"/api/v1/namespaces/{namespace}/pods", _Items, params={"limit": "50"}, timeout=5)
    except ProblemError as error:
        if error.problem.cause is not Cause.FORBIDDEN:
            raise
        return ""
    return next((pod.spec.node_name for pod in pods.items if pod.spec.node_name), "")
