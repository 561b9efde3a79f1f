"""What an operator looks at: buckets and usage; of MinIO servers, drives, quorum, and whether one may go.

Whatever cannot be known is said with the reason: another server, or no right.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tui.problem import ProblemError
from tui.services.bucket.model import Bucket, Facts, Lost, Product, StoreError, Told
from tui.text import size

if TYPE_CHECKING:
    from tui.services.bucket.session import StoreSession
    from tui.services.bucket.settings import Settings

_HEALTH = "/minio/health/cluster"
_STORE, _SERVERS, _DRIVES = "Store", "Servers", "Drives"


def product_of(server: str) -> Product:
    """What a Server header says."""
    small = server.lower()
    if "minio" in small:
        return Product.MINIO
    if "seaweed" in small:
        return Product.SEAWEEDFS
    return Product.OPENIO if "openio" in small or "oio" in small else Product.OTHER


def clocks(facts: Facts) -> list[Told]:
    """That a clock is wrong, where one is."""
    said = facts.clock
    return [Told(_STORE, "Clock", f"{said}; requests carry the server's time", "", "warn")] if said else []


def sized(buckets: Sequence[Bucket], usage: Mapping[str, Any]) -> list[Bucket]:
    """Buckets with what the server counted when it last looked."""
    told = usage.get("bucketsUsageInfo") or {}
    at = _when(usage.get("lastUpdate"))
    source = f"the server's count of {at:%H:%M}" if at is not None else "the server's count"
    return [
        Bucket(one.name, one.created, int(found.get("size", 0)), int(found.get("objectsCount", 0)), source)
        if (found := told.get(one.name)) and at is not None
        else one
        for one in buckets
    ]


async def dashboard(
    session: StoreSession, settings: Settings, buckets: Sequence[Bucket], product: Product
) -> list[Told]:
    """All facts, in the order in which they are shown.

    Args:
        session: asks.
        settings: asks the admin API.
        buckets: with their sizes where they are known.
        product: what the server is.
    """
    counted = [one for one in buckets if one.size is not None]
    facts = [Told(_STORE, "Buckets", str(len(buckets)))]
    if counted:
        note = counted[0].counted if len(counted) == len(buckets) else f"of {len(counted)} buckets"
        facts += [
            Told(_STORE, "Objects", f"{sum(one.objects or 0 for one in counted):,} ({note})"),
            Told(_STORE, "Usage", size(sum(one.size or 0 for one in counted))),
        ]
    elif not buckets:
        facts += [Told(_STORE, "Objects", "0"), Told(_STORE, "Usage", size(0))]
    else:
        because = "the server has not counted yet" if product is Product.MINIO else f"{product} does not tell; count it"
        facts += [Told(_STORE, name, "", because) for name in ("Objects", "Usage")]
    if product is not Product.MINIO:
        because = f"{product} has no health API like MinIO's"
        return facts + [Told(_SERVERS, name, "", because) for name in ("Servers", "Drives", "Write quorum", "Drain")]
    health, server = await asyncio.gather(_health(session), _server(settings))
    return facts + health + server


async def _health(session: StoreSession) -> list[Told]:
    try:
        status, headers = await session.plain(_HEALTH)
        drain, _ = await session.plain(f"{_HEALTH}?maintenance=true")
    except (Lost, ProblemError) as error:
        return [Told(_STORE, "Health", "", str(error))]
    quorum = headers.get("X-Minio-Write-Quorum", "")
    well = status == 200
    found = [
        Told(
            _STORE, "Health", "writes have their quorum" if well else f"no write quorum (HTTP {status})", "",
            "ready" if well else "failing",
        ),
        Told(_STORE, "Write quorum", f"{quorum} drives" if quorum else "", "" if quorum else "the server does not say"),
    ]  # fmt: skip
    if drain == 412:
        return [*found, Told(_STORE, "Drain", "no: without the server that answered writes would stop", "", "warn")]
    if drain == 200:
        return [*found, Told(_STORE, "Drain", "yes: the server that answered may go, quorum stays", "", "ready")]
    return [*found, Told(_STORE, "Drain", "", f"the server answered HTTP {drain}")]


async def _server(settings: Settings) -> list[Told]:
    try:
        told = await settings.server()
    except (StoreError, Lost, ProblemError) as error:
        problem = error.problem
        because = f"the admin API says {problem.evidence or problem.what}"
        return [Told(_SERVERS, "Servers", "", because), Told(_DRIVES, "Drives", "", because)]
    servers = [one for one in told.get("servers") or () if isinstance(one, dict)]
    facts: list[Told] = []
    drives: list[dict[str, Any]] = []
    for one in servers:
        state = str(one.get("state", "unknown"))
        uptime = f", up {_span(int(one.get('uptime', 0)))}" if one.get("uptime") else ""
        version = f", {one['version']}" if one.get("version") else ""
        network = one.get("network") or {}
        apart = [peer for peer, how in network.items() if how != "online"]
        cut = f", does not reach {', '.join(apart)}" if apart else ""
        ink = "ready" if state == "online" and not apart else "failing"
        facts.append(Told(_SERVERS, str(one.get("endpoint", "?")), f"{state}{uptime}{version}{cut}", "", ink))
        drives += [drive for drive in one.get("drives") or one.get("disks") or () if isinstance(drive, dict)]
    return facts + _drives(drives)


def _drives(drives: Sequence[Mapping[str, Any]]) -> list[Told]:
    if not drives:
        return [Told(_DRIVES, "Drives", "", "no server tells of any")]
    online = sum(drive.get("state") == "ok" for drive in drives)
    healing = sum(bool(drive.get("healing")) for drive in drives)
    offline = len(drives) - online
    words = f"{online} online, {offline} offline, {healing} healing"
    ink = "ready" if not offline and not healing else "warn" if not offline else "failing"
    facts = [Told(_DRIVES, "Drives", words, "", ink)]
    for drive in drives:
        total, used = int(drive.get("totalspace", 0)), int(drive.get("usedspace", 0))
        full = f"{size(used)} of {size(total)}" if total else "size unknown"
        state = str(drive.get("state", "unknown")) + (", healing" if drive.get("healing") else "")
        bad = drive.get("state") != "ok"
        facts.append(
            Told(_DRIVES, str(drive.get("endpoint") or drive.get("path") or "?"), f"{state}, {full}", "",
                 "failing" if bad else "warn" if drive.get("healing") else "ready")
        )  # fmt: skip
    return facts


def _when(text: object) -> dt.datetime | None:
    """When the server counted; None for never, which it writes as the year 1."""
    try:
        at = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at.astimezone() if at.year > 1 else None


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {rest // 60}m" if hours else f"{rest // 60}m {rest % 60}s"
