"""Object stores of a test's own in pods of the real cluster: MinIO as its operator makes it, SeaweedFS, and less."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.live.real import IMAGE, apply

_BARE = Path(__file__).parents[1] / "services" / "bare_store.py"
_WEED = """set -e
mkdir -p /tmp/w
exec weed -logtostderr=true mini -dir=/tmp/w -ip.bind=0.0.0.0 -master.telemetry=false -webdav=false -admin.ui=false \
  -s3.config=/etc/sw/s3.json
"""
ACCESS, SECRET = "TESTACCESSKEY", "test-secret-key-0123456789"


def tenant(namespace: str, name: str, *, size: str = "", tls: dict[str, str] | None = None) -> None:
    """Applies a tenant of one server: its Secrets, its Services as the operator names them, its StatefulSet.

    Args:
        namespace: where.
        name: the tenant's.
        size: of its file system, which can fill up then; in memory, as volumes of a class would be left behind.
        tls: `public.crt` and `private.key`, see `certificates`; None for plain HTTP.
    """
    labels = {"v1.min.io/tenant": name, "v1.min.io/pool": "pool-0"}
    scheme = "https" if tls else "http"
    keys = f"{name}-creds-secret"
    run = "mkdir -p /data/d && exec minio server --address :9000 --certs-dir /certs /data/d"
    container: dict[str, Any] = {
        "name": "minio", "image": "minio/minio:latest", "imagePullPolicy": "Never", "command": ["bash", "-c", run],
        "env": [
            {"name": "MINIO_CI_CD", "value": "1"},
            {"name": "MINIO_BROWSER", "value": "off"},
            {"name": "MINIO_ROOT_USER", "valueFrom": {"secretKeyRef": {"name": keys, "key": "accesskey"}}},
            {"name": "MINIO_ROOT_PASSWORD", "valueFrom": {"secretKeyRef": {"name": keys, "key": "secretkey"}}},
        ],
        "ports": [{"name": f"{scheme}-minio", "containerPort": 9000}],
        "readinessProbe": {"httpGet": {"path": "/minio/health/ready", "port": 9000, "scheme": scheme.upper()},
                           "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }  # fmt: skip
    spec: dict[str, Any] = {"terminationGracePeriodSeconds": 2, "containers": [container]}
    if tls:
        apply(_secret(namespace, f"{name}-tls", tls))
        container["volumeMounts"].append({"name": "tls", "mountPath": "/certs"})
        spec["volumes"] = [{"name": "tls", "secret": {"secretName": f"{name}-tls"}}]
    room = {"medium": "Memory", "sizeLimit": size} if size else {}
    spec.setdefault("volumes", []).append({"name": "data", "emptyDir": room})
    meta = {"name": f"{name}-pool-0", "namespace": namespace, "labels": labels}
    headless = {"name": f"{name}-hl", "namespace": namespace, "labels": labels}
    apply(
        _secret(namespace, keys, {"accesskey": ACCESS, "secretkey": SECRET}),
        {"apiVersion": "v1", "kind": "Service", "metadata": headless,
         "spec": {"clusterIP": "None", "selector": labels, "ports": [{"name": f"{scheme}-minio", "port": 9000}]}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
         "spec": {"serviceName": f"{name}-hl", "replicas": 1, "podManagementPolicy": "Parallel",
                  "selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels}, "spec": spec}}},
    )  # fmt: skip


def seaweedfs(namespace: str, name: str, *, replicas: int = 1) -> None:
    """Applies SeaweedFS (servers that know nothing of each other), with a Secret like that of its operator: `AK`."""
    meta = {"name": name, "namespace": namespace}
    labels = {"app.kubernetes.io/name": "seaweedfs", "app.kubernetes.io/instance": name}
    one = {"name": "a", "credentials": [{"accessKey": "AK", "secretKey": "SK"}], "actions": ["Admin", "Read", "Write"]}
    identities = json.dumps({"identities": [one]})
    container = {
        "name": "seaweedfs", "image": IMAGE, "imagePullPolicy": "Never", "command": ["bash", "-c", _WEED],
        "ports": [{"name": "swfs-s3", "containerPort": 8333}],
        "readinessProbe": {"tcpSocket": {"port": 8333}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/sw"}],
    }  # fmt: skip
    keys = {"s3.json": identities, "admin_access_key_id": "AK", "admin_secret_access_key": "SK"}
    volumes = [{"name": "config", "secret": {"secretName": f"{name}-s3-secret"}}]
    apply(_secret(namespace, f"{name}-s3-secret", keys), _set(meta, labels, container, volumes, replicas))


def bare(namespace: str, name: str, *, refuse: bool) -> None:
    """Applies a store in the shape of OpenIO's that lacks most of S3 (see `bare_store`); keys are `demo:demo`.

    Args:
        namespace: where.
        name: of its StatefulSet.
        refuse: what it lacks; otherwise it takes no notice of it.
    """
    meta = {"name": name, "namespace": namespace}
    command = ["python3", "/bare/bare_store.py", "6007", "refuse" if refuse else "ignore"]
    container = {
        "name": "openio", "image": IMAGE, "imagePullPolicy": "Never", "command": command,
        "ports": [{"name": "s3", "containerPort": 6007}],
        "readinessProbe": {"tcpSocket": {"port": 6007}, "periodSeconds": 1},
        "volumeMounts": [{"name": "bare", "mountPath": "/bare"}],
    }  # fmt: skip
    text = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "name": f"{name}-bare"},
            "data": {"bare_store.py": _BARE.read_text()}}  # fmt: skip
    volumes = [{"name": "bare", "configMap": {"name": f"{name}-bare"}}]
    apply(text, _set(meta, {"app": name}, container, volumes, 1))


def _set(
    meta: dict[str, Any], labels: dict[str, str], container: dict[str, Any], volumes: list[dict[str, Any]],
    replicas: int,
) -> dict[str, Any]:  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta,
        "spec": {"serviceName": meta["name"], "replicas": replicas, "podManagementPolicy": "Parallel",
                 "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels}, "spec": {
                     "terminationGracePeriodSeconds": 1, "containers": [container], "volumes": volumes}}},
    }  # fmt: skip


def _secret(namespace: str, name: str, data: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": data,
    }


def certificates(namespace: str, name: str) -> tuple[str, dict[str, str]]:
    """What the operator has the cluster sign for a tenant: a leaf, of an authority that it does not keep.

    Returns:
        The authority's PEM, and the files of the Secret.
    """
    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{name}"),
        ]
    )

    def begun(of: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(of).issuer_name(issuer).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + 30 * day)
        )  # fmt: skip

    authority = begun(issuer, signer.public_key()).add_extension(x509.BasicConstraints(True, None), True)
    names = [f"minio.{namespace}.svc.cluster.local", f"*.{name}-hl.{namespace}.svc.cluster.local"]
    leaf = (
        begun(subject, key.public_key()).add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = {
        "public.crt": leaf.sign(signer, hashes.SHA256()).public_bytes(pem).decode(),
        "private.key": private.decode(),
    }
    return authority.sign(signer, hashes.SHA256()).public_bytes(pem).decode(), files
