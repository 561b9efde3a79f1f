"""The administrator's hand in the real cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clusters import KUBECONFIG, MARIADB, POSTGRES, RealCluster

__all__ = ["IMAGE", "KUBECONFIG", "MARIADB", "POSTGRES", "apply", "kubectl", "mc", "other"]

IMAGE = RealCluster.image


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Runs kubectl as the administrator; what it prints, or an error with its words."""
    done = subprocess.run(
        ["kubectl", "--kubeconfig", KUBECONFIG, *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def apply(*objects: dict[str, Any]) -> None:
    """Applies objects as the administrator."""
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def other(user: str) -> str:
    """The kubeconfig of another user of the same cluster; skips the test where there is none."""
    file = Path(KUBECONFIG).with_name(f"{user}.conf")
    if not file.exists():
        pytest.skip(f"this cluster has no user {user}")
    return str(file)


def mc(*words: str, stdin: str | None = None) -> str:
    """Runs MinIO's client beside the tenant, which is `tt`, as its administrator.

    The alias is in the environment of this one run: nothing of the pod's is changed.
    """
    url = "http://CHAPTERACCESSKEY:chapter-secret-key-0123456789@my-tenant-zone-0-0.my-tenant-hl:9000"
    given = ["-i"] if stdin is not None else []
    return kubectl("-n", "stateful", "exec", *given, "minio-mc", "--", "env", f"MC_HOST_tt={url}", "mc", *words,
                   stdin=stdin)  # fmt: skip
