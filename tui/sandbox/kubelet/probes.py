"""Probes: one question to a container, and the count of its answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import aiohttp

from tui.sandbox.kubelet.addresses import Address
from tui.sandbox.model import Json

Purpose = Literal["Startup", "Readiness", "Liveness"]
#: Runs words in the container: their exit code and what they print.
Run = Callable[[list[str], float], Awaitable[tuple[int, str]]]
_SHOWN = 1000


class ProbeError(Exception):
    """A probe failed; the message is what the kubelet says behind "probe failed:"."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is probed: the pod's address, the container's ports by name, and how to run something in it."""

    address: Address
    ports: dict[str, int]
    run: Run

    def port(self, wanted: object) -> int:
        """The number of a port that is given by name or number. ProbeError when there is none."""
        text = str(wanted)
        number = self.ports.get(text) or (int(text) if text.isdecimal() else 0)
        if not 0 < number < 65536:
            raise ProbeError(f"couldn't find port: {text}")
        return self.address.port(number)


async def check(probe: Json, target: Target) -> None:
    """Asks once. ProbeError when the answer is bad, or does not come in time."""
    timeout = float(probe.get("timeoutSeconds") or 1)
    if action := probe.get("exec"):
        code, text = await target.run([str(word) for word in action.get("command") or []], timeout)
        if code != 0:
            raise ProbeError(text[:_SHOWN].strip())
    elif action := probe.get("httpGet"):
        await _http(action, target, timeout)
    elif action := probe.get("tcpSocket"):
        await _tcp(str(action.get("host") or target.address.ip), target.port(action.get("port")), timeout)
    else:
        raise ProbeError("the sandbox knows the probes exec, httpGet and tcpSocket only")


async def _tcp(host: str, port: int, timeout: float) -> None:  # noqa: ASYNC109 (it is the probe's own)
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except TimeoutError as error:
        raise ProbeError(f"dial tcp {host}:{port}: i/o timeout") from error
    except OSError as error:
        raise ProbeError(f"dial tcp {host}:{port}: connect: {_why(error)}") from error


async def _http(action: Json, target: Target, timeout: float) -> None:  # noqa: ASYNC109 (it is the probe's own)
    host, port = str(action.get("host") or target.address.ip), target.port(action.get("port"))
    scheme, path = str(action.get("scheme") or "HTTP").lower(), "/" + str(action.get("path") or "/").lstrip("/")
    url = f"{scheme}://{host}:{port}{path}"
    headers = {"User-Agent": "kube-probe/1.36", "Accept": "*/*"}
    headers |= {str(h.get("name")): str(h.get("value", "")) for h in action.get("httpHeaders") or []}
    try:
        # The kubelet verifies no certificate either; a redirect counts as success.
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(timeout)) as session,
            session.get(url, headers=headers, ssl=False, allow_redirects=False) as answer,
        ):
            if not 200 <= answer.status < 400:
                raise ProbeError(f"HTTP probe failed with statuscode: {answer.status}")
    except TimeoutError as error:
        raise ProbeError(
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        ) from error
    except aiohttp.ClientConnectorError as error:
        raise ProbeError(f'Get "{url}": dial tcp {host}:{port}: connect: {_why(error)}') from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ProbeError(f'Get "{url}": {error}') from error


async def watch(
    probe: Json,
    target: Target,
    purpose: Purpose,
    said: Callable[[bool], None],
    unhealthy: Callable[[str], None],
    awake: asyncio.Event,
) -> None:
    """Asks again and again; `said` is told each time that the thresholds turn the verdict, `unhealthy` each failure.

    A startup probe ends with its first verdict, a liveness probe with its first bad one. While the kubelet is not
    `awake`, nothing is asked, and what was asked before does not count.
    """
    await asyncio.sleep(float(probe.get("initialDelaySeconds") or 0))
    period = float(probe.get("periodSeconds") or 10)
    enough = {True: int(probe.get("successThreshold") or 1), False: int(probe.get("failureThreshold") or 3)}
    verdict = {"Startup": None, "Readiness": False, "Liveness": True}[purpose]
    last, count = True, 0
    while True:
        await awake.wait()
        try:
            await check(probe, target)
            good, why = True, ""
        except ProbeError as error:
            good, why = False, str(error)
        if not awake.is_set():
            continue
        if not good:
            unhealthy(f"{purpose} probe failed: {why}")
        count = count + 1 if good == last else 1
        last = good
        if good != verdict and count >= enough[good]:
            verdict = good
            said(good)
            if purpose == "Startup" or (purpose == "Liveness" and not good):
                return
        await asyncio.sleep(period)


def _why(error: OSError) -> str:
    """What the system calls it, as Go spells it; asyncio puts the address in `strerror`."""
    return os.strerror(error.errno).lower() if error.errno else str(error)
