"""Object stores of a test's own in pods of the real cluster: MinIO as its operator makes it, with or without TLS."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.live.real import apply

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
