"""Opens the far end of a tunnel: the protocols in their order, what each refusal means, and what worked before.

SPDY inside a websocket comes first (`SPDY/3.1+portforward.k8s.io`, Kubernetes 1.31 and later), then
`v4.channel.k8s.io`, which every server knows. Measured on 1.36.3: a connection through v4 takes 15 ms instead of 3,
because each needs a TLS handshake here and one from the API server to the kubelet and cannot be made ready beforehand;
and uploads are slower than kubectl's, because the far end of v4 unmasks byte by byte and collects whole messages.

A server that takes no websocket at all (a proxy in between may not) is reached through a `kubectl port-forward` of the
same machine, where there is one. What worked first is remembered for the context: whoever needs SPDY needs it again.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import quote

from tui.kube.api import Api, Upgraded
from tui.kube.forward import liveness
from tui.kube.forward.carrier import Carrier
from tui.kube.forward.carriers import Carriers
from tui.kube.forward.kubectl import KubectlForwards
from tui.kube.forward.remote import SPDY, V4, ChannelRemote, Remote, Sink
from tui.kube.forward.targets import PodPort
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

#: Handshakes at the same time: thirty forwards that come back together must not stampede an API server.
AT_ONCE = 32
#: Seconds for one handshake.
TIMEOUT = 10.0

#: Words of a refusal that is about the protocol, not about the pod or the rights.
_PROTOCOL_REFUSED = re.compile(
    r"upgrade|protocol|negotiate|websocket|subprotocol|bad handshake|method not allowed"
    r"|page not found|could not find the requested resource",  # the path, not the pod
    re.IGNORECASE,
)


class Dialer:
    """Opens far ends in one context.

    Attributes:
        protocol: what worked last, None before anything did.
    """

    def __init__(self, api: Api, kubectl: KubectlForwards) -> None:
        self.protocol: str | None = None
        self._api = api
        self._kubectl = kubectl
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._carriers = Carriers(self._carrier)

    async def dial(self, at: PodPort, sink: Sink) -> Remote:
        """Opens a port of a pod.

        That it opens does not mean that something listens there: a refusal inside the pod comes later, as
        `remote_refused`.

        Raises:
            ProblemError: FORBIDDEN with verb and resource, ABSENT when the pod is not there any more, or whatever kept
                the connection from coming about.
        """
        refusals: list[Problem] = []
        for protocol in self._order():
            try:
                remote = await self._open(protocol, at, sink)
            except ProblemError as error:
                if protocol == self.protocol == "kubectl":
                    self.protocol = None  # whatever kept the others from working may be over
                if not _refuses_protocol(error.problem, protocol):
                    raise
                log.info("%s by %s: %s", at, protocol, error.problem)
                refusals.append(error.problem)
                continue
            if self.protocol != protocol:
                log.info("forwards of this context use %s", protocol)
                self.protocol = protocol
            return remote
        self.protocol = None
        raise ProblemError(
            Problem(
                Cause.PROTOCOL,
                "No protocol for port-forwards works here",
                "; ".join(dict.fromkeys(str(problem) for problem in refusals)),
                "A proxy between here and the API server may not pass websockets. With kubectl on PATH, statetui uses "
                "that as the last resort.",
            )
        )

    def _order(self) -> list[str]:
        order = [SPDY, V4]
        if self._kubectl.available:
            order.append("kubectl")
        if self.protocol in order:
            order.remove(self.protocol)
            order.insert(0, self.protocol)
        return order

    async def _open(self, protocol: str, at: PodPort, sink: Sink) -> Remote:
        if protocol == "kubectl":
            return await self._kubectl.open(at, sink)
        if protocol == SPDY:
            return await self._carriers.open(at, sink)
        remote = ChannelRemote(sink)
        async with self._gate:
            remote.adopt(await self._upgrade(at, V4, {"ports": str(at.port)}))
        return remote

    async def _carrier(
        self, at: PodPort, free: Callable[[Carrier], None], gone: Callable[[Carrier], None]
    ) -> Carrier:  # fmt: skip
        carrier = Carrier(free, gone)
        async with self._gate:
            carrier.adopt(await self._upgrade(at, SPDY, {}))
        return carrier

    async def _upgrade(self, at: PodPort, protocol: str, params: Mapping[str, str]) -> Upgraded:
        path = f"/api/v1/namespaces/{quote(at.namespace, safe='')}/pods/{quote(at.pod, safe='')}/portforward"
        try:
            upgraded = await self._api.upgrade(path, params=params, protocol=protocol, timeout=TIMEOUT)
        except ProblemError as error:
            raise ProblemError(_explained(error.problem, at)) from error
        liveness.without_user_timeout(upgraded.transport.get_extra_info("socket"))
        return upgraded

    def look(self, now: float) -> None:
        """Looks after the websockets that lie ready."""
        self._carriers.look(now)

    def close(self) -> None:
        """Closes them."""
        self._carriers.close()


def _refuses_protocol(problem: Problem, protocol: str) -> bool:
    """Whether another protocol may do better."""
    if problem.cause is Cause.PROTOCOL:
        return True
    if problem.cause is Cause.REJECTED and protocol == SPDY:
        # Servers before 1.31 take it for v4 and miss the port; if it was the pod after all, v4 will be told so too.
        return True
    if problem.cause is Cause.FORBIDDEN:  # so 1.20 answers a protocol that it does not know, without a word
        return not _is_about_rights(problem)
    return problem.cause in (Cause.REJECTED, Cause.SERVER, Cause.ABSENT) and bool(
        _PROTOCOL_REFUSED.search(problem.evidence)
    )


def _is_about_rights(problem: Problem) -> bool:
    return "is forbidden" in problem.evidence


def _explained(problem: Problem, at: PodPort) -> Problem:
    """A refusal in terms of forwards."""
    if problem.cause is Cause.FORBIDDEN and _is_about_rights(problem):
        # Where only `create` is missing, 1.35 and later say no more than that the pod is forbidden.
        verb = "get" if "cannot get resource" in problem.evidence else "create"
        return replace(
            problem,
            what=f"You may not {verb} pods/portforward in namespace {at.namespace}",
            remedy="Ask for the verbs get and create on pods/portforward; since Kubernetes 1.35 both are needed.",
        )
    if problem.cause is Cause.ABSENT and not _PROTOCOL_REFUSED.search(problem.evidence):
        return replace(problem, what=f"Pod {at.pod} is not there any more")
    return problem
