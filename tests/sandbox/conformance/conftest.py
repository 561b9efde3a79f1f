"""What the conformance tests run against: a composed sandbox of their own, and a real cluster where one is named.

Where the two differ, the sandbox is wrong. The real one is the cluster of `STATETUI_TEST_KUBECONFIG`, whose image
`registry.test/services:2` (or the one that `STATETUI_TEST_IMAGE` names) has a shell, Python, tar and coreutils.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from objects import text
from real_programs import program
from target import Target
from tool import Tool

_ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session", params=["sandbox", *(["real"] if "STATETUI_TEST_KUBECONFIG" in os.environ else [])])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    home = tmp_path_factory.mktemp("home")
    if request.param == "real":
        kubeconfig = os.environ["STATETUI_TEST_KUBECONFIG"]
        yield Target(kubeconfig, os.environ.get("STATETUI_TEST_IMAGE", "registry.test/services:2"), True, home)
        return
    directory = tmp_path_factory.mktemp("cluster")
    command = [sys.executable, "-m", "tui.sandbox", "--directory", str(directory), "--with-parent"]
    log = directory.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdout.readline()
        told = process.stdout.readline().strip()
        assert told.startswith("export KUBECONFIG="), log.read_text()
        yield Target(told.partition("=")[2], "sandbox/process", False, home)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        # Its end, should it still run.
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
    said = log.read_text()
    assert "Traceback" not in said and " ERROR " not in said and " CRITICAL " not in said, said


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
