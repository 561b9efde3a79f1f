"""MinIO itself, where a `minio` is on PATH: alone, or as a pool of a tenant's pods.

The addresses of the manifest's words (`http://my-tenant-zone-0-{0...1}.my-tenant-hl…:9000/export{0...1}`) resolve
nowhere here. They become the pods' own addresses, and their drives directories inside the claims, by paths that each
pod can tell for all: links in a directory that the pods share.

MinIO takes every address of 127.0.0.0/8 for this machine and tells servers on it apart by their ports alone (its
`isLocalHost`), and listens on 127.0.0.1 besides. So each has a port that no other one has, to which its pod's port is
led. In a container it waits for addresses that are not loopback's, unless it is told which one is its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import join
from urllib.parse import urlsplit

from tui.sandbox.images import relay
from tui.sandbox.images.model import Container, Plan, program, script

#: Where the ports begin that each server has for its own; one more of the 2000 for each address.
_PORT = 18000
#: The most that a range of the manifest's may stand for.
_MOST = 64
_RANGE = re.compile(r"\{(\d{1,4})\.\.\.(\d{1,4})\}")


def server() -> str | None:
    """Where MinIO is on this machine."""
    return program("minio")


def plan(container: Container, real: str, environment: dict[str, str]) -> Plan:
    """How a server runs, alone or in its pool.

    Args:
        container: its container.
        real: the program.
        environment: with MinIO's credentials.
    """
    environment = environment | {"MINIO_CI_CD": "1"}  # Without it, it refuses drives that are not file systems.
    address, port = container.address, container.port(9000)
    console = ["--console-address", f"{address}:{container.port(9090)}"]
    drives = expanded(container.args)
    if not any("://" in drive for drive in drives):
        drives = drives or [str(container.data("/data", "/export0", "/export"))]
        return Plan([real, "server", "--address", f"{address}:{port}", *console, *drives], environment)
    wanted, ours = [], container.port(_PORT + own_of(address))
    for drive in map(urlsplit, drives):
        pod = (drive.hostname or "").partition(".")[0]
        peer = container.peer(pod)
        if peer is None:
            return Plan(script(container, f"echo 'waits for {pod}' >&2; sleep 1; exit 1\n"), environment)
        theirs = container.peer_port(pod, _PORT + own_of(peer))
        wanted.append(f"http://{peer}:{theirs}{_links(container, pod) / _name(drive.path)}/data")
    for mount in {urlsplit(drive).path for drive in drives}:
        _link(_links(container, container.pod) / _name(mount), container.data(mount))
    words = [real, "server", "--address", f"{address}:{ours}", *console, *wanted]
    lead = [sys.executable, "-I", "-S", relay.__file__, address, str(port), str(ours)]
    environment |= {"_MINIO_SERVER_LOCAL": f"{address}:{ours}"}
    return Plan(script(container, _both(words, lead)), environment)


def own_of(address: str) -> int:
    """A number below 2000 that an address has for its own, nearly always, among all sandboxes of this machine.

    Addresses of two sandboxes differ in their second byte (one of 128), and their last ones are alike.
    """
    _, second, third, fourth = map(int, address.split("."))
    return (second * 15 + third * 256 + fourth) % 2000


def expanded(args: Sequence[str]) -> list[str]:
    """The drives among the words of `minio server`, each range written out."""
    words, drives = iter(args), list[str]()
    for word in words:
        if word in ("server", "minio"):
            continue
        if word.startswith("-"):
            if "=" not in word and word not in ("--quiet", "--anonymous", "--json"):
                next(words, None)
            continue
        drives += _written_out(word)
    return drives


def _written_out(word: str) -> list[str]:
    match = _RANGE.search(word)
    if match is None:
        return [word]
    first, last = int(match[1]), int(match[2])
    return [
        found
        for number in range(first, min(last, first + _MOST - 1) + 1)
        for found in _written_out(f"{word[: match.start()]}{number:0{len(match[1])}}{word[match.end() :]}")
    ]


def _links(container: Container, pod: str) -> Path:
    return container.shared / "minio" / container.namespace / pod


def _name(mount: str) -> str:
    return mount.strip("/").replace("/", "-") or "data"


def _link(link: Path, real: Path) -> None:
    # Not the claim itself: MinIO wants a directory, and takes no link for one.
    (real / "data").mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(real)


def _both(first: Sequence[str], second: Sequence[str]) -> str:
    """Runs both until one ends, or the container is ended."""
    return f"""\
{join(first)} & first=$!
{join(second)} & second=$!
ended=
trap 'ended=1' TERM
while [ -z "$ended" ] && kill -0 $first 2>/dev/null && kill -0 $second 2>/dev/null; do sleep 0.2 & wait $! || :; done
kill -TERM $first $second 2>/dev/null || :
wait $first $second || :
[ -n "$ended" ]
"""
