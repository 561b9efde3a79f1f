"""A real cluster with the chapter's workloads, named by STATETUI_TEST_KUBECONFIG (an administrator's).

Here is what only a real cluster has; what holds for the sandbox as well is in `tests/contract`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.clusters import KUBECONFIG, MakeUser, RealCluster, own_namespace, own_users
from tests.live.real import apply
from tests.live.sql_pods import SERVERS, Certified, certificates, own, start, wait_for


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and not KUBECONFIG:
            item.add_marker(pytest.mark.skip(reason="STATETUI_TEST_KUBECONFIG names no cluster"))


@pytest.fixture
def own_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, state and cache of the test's own, and a terminal that has all colours."""
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("NO_COLOR", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LC_ALL", "C.UTF-8")):
        monkeypatch.setenv(name, value)


@pytest.fixture
def components() -> Iterator[RealCluster]:
    """The cluster's own processes, to be killed; STATETUI_TEST_CLUSTER_UP names the script that brings them back."""
    cluster = RealCluster(KUBECONFIG)
    cluster.breakable()
    yield cluster
    cluster.up()


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace of the test's own."""
    with own_namespace(RealCluster(KUBECONFIG)) as name:
        yield name


@pytest.fixture
def user() -> Iterator[MakeUser]:
    """Makes users by impersonation."""
    with own_users(RealCluster(KUBECONFIG)) as make:
        yield make


@pytest.fixture(scope="session")
def certified() -> Iterator[Certified]:
    """A PostgreSQL, a MariaDB and a MySQL 8 whose members have certificates of each kind; few connections are left."""
    with own(f"statetui-test-troubles-{os.getpid()}") as namespace:
        authorities = {}
        for name, (script, port, count, image) in SERVERS.items():
            authorities[name], files = certificates(namespace, name)
            meta = {"name": name, "namespace": namespace}
            apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": files})
            start(namespace, name, script, port, replicas=count, files=name, image=image)
        wait_for(namespace, *SERVERS)
        yield Certified(namespace, authorities)
