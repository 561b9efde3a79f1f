"""What the conformance tests run against: a composed sandbox of their own, and a real cluster where one is named.

Where the two differ, the sandbox is wrong. The real one is the cluster of `STATETUI_TEST_KUBECONFIG`, whose image
`registry.test/services:2` (or the one that `STATETUI_TEST_IMAGE` names) has a shell, Python, tar and coreutils.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator

import pytest
from objects import text
from real_programs import program
from sandbox_process import serving
from target import Target
from tool import Tool


@pytest.fixture(scope="session", params=["sandbox", *(["real"] if "STATETUI_TEST_KUBECONFIG" in os.environ else [])])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    home = tmp_path_factory.mktemp("home")
    if request.param == "real":
        kubeconfig = os.environ["STATETUI_TEST_KUBECONFIG"]
        yield Target(kubeconfig, os.environ.get("STATETUI_TEST_IMAGE", "registry.test/services:2"), True, home)
        return
    with serving(tmp_path_factory.mktemp("cluster")) as kubeconfig:
        yield Target(str(kubeconfig), "sandbox/process", False, home)


@pytest.fixture
def namespace(target: Target) -> Iterator[str]:
    """A namespace of the test's own."""
    kubectl = Tool(program("kubectl"), target.environment, "default")
    name = f"statetui-test-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def kubectl(target: Target, namespace: str) -> Tool:
    return Tool(program("kubectl"), target.environment, namespace)


@pytest.fixture
def helm(target: Target, namespace: str) -> Tool:
    return Tool(program("helm"), target.environment, namespace)


@pytest.fixture
def apply(kubectl: Tool) -> Callable[..., str]:
    """Applies objects."""
    return lambda *objects: kubectl("apply", "-f", "-", stdin=text(*objects))
