"""What holds for every cluster, from the same test bodies: against the sandbox, or against the real cluster that
STATETUI_TEST_KUBECONFIG names (an administrator's kubeconfig).

What a test makes, it makes in a namespace of its own. Tests with faults get a sandbox that no other test uses; on a
real cluster they need STATETUI_TEST_CLUSTER_UP, the script that brings its components back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import workloads
from tests.contract.clusters import Cluster, MakeUser, brought_up, own_namespace, own_users


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from brought_up(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def breakable_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    yield from brought_up(tmp_path_factory.mktemp("breakable"))


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Cluster:
    found: Cluster = request.getfixturevalue(
        "breakable_cluster" if "faults" in request.fixturenames else "shared_cluster"
    )
    return found


@pytest.fixture
def faults(breakable_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, to be broken; what was ended is started again afterwards."""
    breakable_cluster.breakable()
    yield breakable_cluster
    breakable_cluster.up()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own."""
    with own_namespace(cluster) as name:
        yield name


@pytest.fixture(scope="session")
def five(shared_cluster: Cluster) -> Iterator[str]:
    """A namespace with the five workloads, which tests share: whoever ends a pod waits until it is ready again."""
    with own_namespace(shared_cluster) as namespace:
        workloads.five(shared_cluster, namespace)
        yield namespace


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of its own for what statetui keeps, and nothing of the user's settings."""
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def user(cluster: Cluster) -> Iterator[MakeUser]:
    """Makes users by impersonation: rules in a namespace (or, without one, in the cluster) for a fresh name."""
    with own_users(cluster) as make:
        yield make
