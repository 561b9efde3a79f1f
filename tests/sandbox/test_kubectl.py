"""The real, unmodified kubectl against the sandbox."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from api_client import Sandbox

import manifests

Kubectl = Callable[..., Awaitable[str]]


@pytest.fixture
async def kubectl(sandbox: Sandbox, kubectl_program: str, tmp_path: Path) -> AsyncIterator[Kubectl]:
    environment = {**os.environ, "KUBECONFIG": str(sandbox.server.kubeconfig), "HOME": str(tmp_path)}

    async def run(*arguments: str, stdin: str = "", fails: bool = False) -> str:
        process = await asyncio.create_subprocess_exec(
            kubectl_program, *arguments, env=environment, stdin=-1, stdout=-1, stderr=-2
        )
        output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 120)
        told = output.decode()
        assert (process.returncode != 0) == fails, f"kubectl {' '.join(arguments)}: {told}"
        return told

    yield run


async def test_apply_get_and_describe(kubectl: Kubectl) -> None:
    told = await kubectl("apply", "-f", "-", stdin=manifests.text())
    assert told.count(" created") == len(manifests.ALL), told
    again = await kubectl("apply", "-f", "-", stdin=manifests.text())
    assert "deployment.apps/web unchanged" in again and "created" not in again
    assert (await kubectl("get", "sts")).split()[:3] == ["NAME", "READY", "AGE"]
    assert "mysql:9" in await kubectl("get", "sts", "-o", "wide")
    everything = await kubectl("get", "all")
    for name in ("pod/one", "service/db", "deployment.apps/web", "statefulset.apps/db", "job.batch/once"):
        assert name in everything
    for name in (
        "sts/db",
        "deploy/web",
        "pod/one",
        "svc/db",
        "pvc/data",
        "job/once",
        "cm/db",
        "secret/db",
        "ns/default",
    ):
        assert "Name:" in await kubectl("describe", name)
    assert "updateStrategy" in await kubectl("explain", "sts.spec")
    assert "widgets" in await kubectl("api-resources")
    bad = manifests.text().replace("replicas: 3", "replicaz: 3")
    assert 'unknown field "spec.replicaz"' in await kubectl("apply", "-f", "-", stdin=bad, fails=True)


async def test_changes(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=manifests.text())
    changed = manifests.text().replace("nginx:1", "nginx:2")
    difference = await kubectl("diff", "-f", "-", stdin=changed, fails=True)
    assert "-      - image: nginx:1" in difference and "+      - image: nginx:2" in difference
    await kubectl("scale", "sts", "db", "--replicas=5")
    assert await kubectl("get", "sts", "db", "-o", "jsonpath={.spec.replicas}") == "5"
    await kubectl("set", "image", "sts/db", "mysql=mysql:10")
    await kubectl("rollout", "restart", "deploy/web")
    assert "restartedAt" in await kubectl("get", "deploy", "web", "-o", "yaml")
    assert "Waiting for" in await kubectl("rollout", "status", "deploy/web", "--watch=false")
    await kubectl(
        "patch", "sts", "db", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"mysql","tty":true}]}}}}'
    )
    image = "jsonpath={.spec.template.spec.containers[*].image}"
    assert await kubectl("get", "sts", "db", "-o", image) == "mysql:10"
    await kubectl("label", "cm", "db", "a=b")
    assert "db" in await kubectl("get", "cm", "-l", "a in (b)", "-o", "name")
    refused = await kubectl("patch", "sts", "db", "-p", '{"spec":{"serviceName":"x"}}', fails=True)
    assert "updates to statefulset spec for fields other than" in refused
    dry = await kubectl("delete", "sts", "db", "--dry-run=server")
    assert "server dry run" in dry
    await kubectl("delete", "sts,deploy,svc,pod", "--all", "--wait=true")
    assert "web" not in await kubectl("get", "all")


async def test_server_side_apply(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=manifests.text())
    changed = manifests.text().replace("replicas: 2", "replicas: 4")
    refused = await kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=changed, fails=True)
    assert 'conflict with "one": .spec.replicas' in refused
    await kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=changed)
    assert await kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "4"


async def test_watching(sandbox: Sandbox, kubectl_program: str) -> None:
    sandbox.registry.create("configmaps", manifests.made("ConfigMap", "there"))
    command = (kubectl_program, "--kubeconfig", str(sandbox.server.kubeconfig), "get", "cm", "-w", "-o", "name")
    process = await asyncio.create_subprocess_exec(*command, stdout=-1)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(90):
            while await process.stdout.readline() != b"configmap/there\n":
                pass
            for name in ("first", "second"):
                sandbox.registry.create("configmaps", manifests.made("ConfigMap", name))
                assert await process.stdout.readline() == f"configmap/{name}\n".encode()
    finally:
        process.kill()
        await process.wait()


async def test_users(kubectl: Kubectl) -> None:
    assert "admin" in await kubectl("auth", "whoami")
    assert (await kubectl("auth", "can-i", "delete", "pods")).strip() == "yes"
    viewer = "--context=sandbox-viewer"
    assert (await kubectl(viewer, "auth", "can-i", "list", "pods")).strip() == "yes"
    assert "no" in await kubectl(viewer, "auth", "can-i", "list", "secrets", fails=True)
    refused = await kubectl(viewer, "get", "secrets", fails=True)
    assert 'Error from server (Forbidden): secrets is forbidden: User "viewer" cannot list resource' in refused
    assert "pods" in await kubectl(viewer, "auth", "can-i", "--list")


async def test_what_kubectl_makes_itself_comes_as_protobuf(kubectl: Kubectl) -> None:
    for made in (
        "deployment d --image=nginx:1 --replicas=2 --port=80",
        "serviceaccount s",
        "role r --verb=get,list --resource=pods",
        "rolebinding rb --role=r --user=x",
        "job j --image=busybox -- sleep 1",
        "quota q --hard=pods=3",
        "pdb p --selector=app=x --min-available=1",
        "ingress i --rule=foo/bar=svc:80",
        "secret generic sec --from-literal=a=b",
    ):
        await kubectl("create", *made.split())
    await kubectl("expose", "deployment", "d")
    path = "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image} {.spec.selector.matchLabels.app}"
    assert await kubectl("get", "deploy", "d", "-o", path) == "2 nginx:1 d"
    assert await kubectl("get", "quota", "q", "-o", "jsonpath={.spec.hard.pods}") == "3"
    assert await kubectl("get", "svc", "d", "-o", "jsonpath={.spec.ports[0].targetPort}") == "80"
    assert (
        await kubectl("get", "ing", "i", "-o", "jsonpath={.spec.rules[0].http.paths[0].backend.service.name}") == "svc"
    )
