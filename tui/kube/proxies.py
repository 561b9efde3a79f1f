"""Proxies: which one leads to a server, by the rules of Go's net/http, which kubectl follows.

aiohttp's own reading of the environment knows no networks in NO_PROXY and reads ~/.netrc besides.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_from_environment(server: str, environ: Mapping[str, str]) -> str:
    """The proxy that `HTTP(S)_PROXY` and `NO_PROXY` choose for a server; empty for none."""
    parts = urlsplit(server)
    name = "https_proxy" if parts.scheme == "https" else "http_proxy"
    proxy = environ.get(name.upper()) or environ.get(name) or ""
    host = parts.hostname or ""
    if not proxy or is_loopback(host):
        return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if any(
        _excluded(entry.strip(), host, port)
        for entry in (environ.get("NO_PROXY") or environ.get("no_proxy") or "").split(",")
    ):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _excluded(entry: str, host: str, port: int) -> bool:
    """Whether one entry of NO_PROXY names the host: `*`, address, network, name or `.domain`, maybe with a port."""
    if entry in ("", "*"):
        return entry == "*"
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and ":" not in name.rpartition("]")[2]:
        if int(wanted) != port:
            return False
        entry = name
    entry, host = entry.strip("[]").lower().removeprefix("*"), host.lower()
    if entry.startswith("."):
        return host.endswith(entry)
    return host == entry or host.endswith(f".{entry}")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine by definition; no name is resolved."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_password(url: str) -> str:
    """A proxy's URL as it may be shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if url else ""
