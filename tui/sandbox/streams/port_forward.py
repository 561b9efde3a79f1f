"""`…/pods/P/portforward`: connections to a pod's ports, as channels of a websocket or as streams of SPDY in one."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Final

from aiohttp import web

from tui.sandbox.model import Objects, Pods
from tui.sandbox.streams import targets
from tui.sandbox.streams.channels import Channels
from tui.sandbox.streams.connection import Place, Send, join
from tui.sandbox.streams.inbox import Inbox
from tui.sandbox.streams.spdy_forward import SpdyForward
from tui.sandbox.streams.websocket import WebSocket, offered, require_upgrade, require_websocket

_SPDY: Final = "SPDY/3.1+portforward.k8s.io"
_CHANNELS: Final = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io", "")
#: A channel is one byte, and a port takes two.
_MAX_PORTS: Final = 127


async def port_forward(request: web.Request, pods: Pods, objects: Objects) -> web.StreamResponse:
    """Forwards connections.

    Raises:
        ApiError: it is refused before there is a websocket; what a port refuses is told on its error stream.
    """
    pod = targets.pod_of(objects, request)
    ports = _ports(request)
    targets.require_node(pod)
    require_upgrade(request)
    meta = pod["metadata"]
    status = pod.get("status") or {}
    # Not only a pod that runs: one that waits for its image has its network already, and nothing that listens.
    if not status.get("podIP") or status.get("phase") in ("Succeeded", "Failed"):
        return targets.from_kubelet(500, f'pod not found ("{meta["name"]}_{meta["namespace"]}")')
    require_websocket(request)
    names = offered(request)
    if _SPDY not in names:
        if not ports:
            return targets.from_kubelet(400, 'query parameter "port" is required')
        if 0 in ports:
            return targets.from_kubelet(400, 'port "0" must be > 0')
    # The tunnel goes before whatever else is on offer; among the others the client's order counts.
    order = [_SPDY] if _SPDY in names else [name for name in names if name in _CHANNELS]
    socket, response = await WebSocket.accept(request, order if names else [""])
    place = Place(meta["namespace"], meta["name"], str(meta.get("uid", "")))
    try:
        if socket.subprotocol == _SPDY:
            await SpdyForward(socket, pods, place).run()
        else:
            await _Ports(Channels(socket), pods, place, ports).run()
    except ConnectionError:
        pass
    except asyncio.CancelledError:
        socket.abort()
        raise
    await socket.close()
    return response


def _ports(request: web.Request) -> list[int]:
    ports = []
    for text in ",".join(request.query.getall("ports", [])).split(",") if "ports" in request.query else ():
        if not re.fullmatch("[0-9]+", text):
            targets.bad_request(f'cannot convert to []int32: strconv.ParseUint: parsing "{text}": invalid syntax')
        if len(text.lstrip("0")) > 5 or int(text.lstrip("0") or 0) > 0xFFFF:
            targets.bad_request(f'cannot convert to []int32: strconv.ParseUint: parsing "{text}": value out of range')
        ports.append(int(text.lstrip("0") or 0))
    if len(ports) > _MAX_PORTS:
        targets.bad_request(f"at most {_MAX_PORTS} ports can be forwarded at once")
    return ports


class _Ports:
    """One connection to each of some ports: channel 2i is the data of the port i, channel 2i + 1 its error."""

    def __init__(self, channels: Channels, pods: Pods, place: Place, ports: list[int]) -> None:
        self._channels, self._pods, self._place, self._ports = channels, pods, place, ports
        self._inboxes = [Inbox() for _ in ports]

    async def run(self) -> None:
        """Forwards until every connection is over."""
        for number, port in enumerate(self._ports):
            # Sent before the port is dialled: it is no proof that anybody listens.
            await self._channels.send(2 * number, port.to_bytes(2, "little"))
            await self._channels.send(2 * number + 1, port.to_bytes(2, "little"))
        reading = asyncio.create_task(self._read(), name="forward read")
        forwards = [asyncio.create_task(self._forward(n, port)) for n, port in enumerate(self._ports)]
        try:
            await asyncio.wait(forwards)
        finally:
            for task in (reading, *forwards):
                task.cancel()
            await asyncio.wait((reading, *forwards))

    async def _forward(self, number: int, port: int) -> None:
        words = await join(self._pods, self._place, port, self._inboxes[number], self._sender(2 * number))
        if words:
            with contextlib.suppress(ConnectionError):
                await self._channels.send(2 * number + 1, words.encode())

    def _sender(self, channel: int) -> Send:
        async def send(data: bytes) -> None:
            await self._channels.send(channel, data)

        return send

    async def _read(self) -> None:
        while (found := await self._channels.receive()) is not None:
            channel, data = found
            if channel % 2 == 0 and channel // 2 < len(self._inboxes):
                await self._inboxes[channel // 2].put(data)
        for inbox in self._inboxes:
            inbox.end()
