"""The administrator's hand in the real cluster."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.contract.clusters import KUBECONFIG, MARIADB, POSTGRES, RealCluster

__all__ = ["IMAGE", "KUBECONFIG", "MARIADB", "POSTGRES", "apply", "kubectl"]

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
