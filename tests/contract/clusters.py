"""The two clusters that the contracts hold for: a real one, and the sandbox. Test bodies know `Cluster` alone."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.admin import Admin

ROOT = Path(__file__).parents[2]
#: An administrator's kubeconfig of a real cluster, and the script that brings its components back.
KUBECONFIG = os.environ.get("STATETUI_TEST_KUBECONFIG", "")
UP = os.environ.get("STATETUI_TEST_CLUSTER_UP", "")


class Cluster(ABC):
    """A cluster, and what can be broken in it.

    Attributes:
        kubeconfig: an administrator's.
        admin: who that is.
        image: one that runs a pod's `command`, with a shell and Python among its programs.
    """

    image: str

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfig = kubeconfig
        self.admin = Admin(kubeconfig)

    @property
    def port(self) -> int:
        """Where its API server listens."""
        return int(self.admin.server.rsplit(":", 1)[1])

    @abstractmethod
    def named(self, image: str) -> str:
        """An image like `image` that statetui knows by this name."""

    @abstractmethod
    def powerless(self) -> tuple[str, str]:
        """A token, and the name of its user, who may do nothing."""

    @abstractmethod
    def postgres(self) -> dict[str, Any]:
        """A container with a PostgreSQL at 5432: user `root` without a password, database `postgres`."""

    @abstractmethod
    def mariadb(self) -> dict[str, Any]:
        """A container with a MariaDB at 3306: user `root` without a password. Skips where there is none."""

    @abstractmethod
    def breakable(self) -> None:
        """Skips the test unless what follows can be done, and undone, here."""

    @abstractmethod
    def kill_api_server(self) -> None:
        """SIGKILL."""

    @abstractmethod
    def up(self) -> None:
        """Starts again whatever does not run; the API answers when it returns."""

    @abstractmethod
    def frozen_api_server(self) -> contextlib.AbstractContextManager[None]:
        """It hears and says nothing for a while, and its connections stay."""

    @abstractmethod
    def forget_history(self) -> None:
        """No watch can go on from any version so far."""

    @abstractmethod
    def frozen_kubelet(self) -> contextlib.AbstractContextManager[None]:
        """The node's agent hears and says nothing for a while; its pods go on."""


@contextlib.contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


#: Scripts that start servers in the image of the real cluster: user `root` without a password, from anywhere.
POSTGRES = """
bin=$(echo /usr/lib/postgresql/*/bin); mkdir -p /data /run/postgresql; chown postgres /data /run/postgresql
as="setpriv --reuid postgres --regid postgres --clear-groups"
$as $bin/initdb -D /data/pg -E UTF8 --locale=C.UTF-8 -A trust -U root >/dev/null
echo 'host all all 0.0.0.0/0 trust' >>/data/pg/pg_hba.conf
exec $as $bin/postgres -D /data/pg -c listen_addresses='*' -p 5432
"""
MARIADB = """
mkdir -p /data /run/mysqld
mariadb-install-db --user=root --datadir=/data --auth-root-authentication-method=normal >/dev/null
printf '%s\n' "CREATE USER root@'%';" "GRANT ALL ON *.* TO root@'%';" >/tmp/init.sql
exec mariadbd --user=root --datadir=/data --bind-address=0.0.0.0 --skip-name-resolve --init-file=/tmp/init.sql
"""


class RealCluster(Cluster):
    """What STATETUI_TEST_KUBECONFIG leads to. It has the image `registry.test/services:2` under several names."""

    image = "registry.test/services:2"

    def named(self, image: str) -> str:
        return image

    def powerless(self) -> tuple[str, str]:
        where = "api/v1/namespaces/default/serviceaccounts/default/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        return self.admin.request("POST", where, body)["status"]["token"], "system:serviceaccount:default:default"

    def postgres(self) -> dict[str, Any]:
        return {"image": self.image, "command": ["bash", "-c", POSTGRES]}

    def mariadb(self) -> dict[str, Any]:
        return {"image": self.image, "command": ["bash", "-c", MARIADB]}

    def breakable(self) -> None:
        if not UP:
            pytest.skip("STATETUI_TEST_CLUSTER_UP names no script to repair the cluster with")

    def kill_api_server(self) -> None:
        os.kill(self._api_server(), signal.SIGKILL)

    def up(self) -> None:
        done = subprocess.run([UP], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def frozen_api_server(self) -> contextlib.AbstractContextManager[None]:
        return _stopped(self._api_server())

    def frozen_kubelet(self) -> contextlib.AbstractContextManager[None]:
        pid = Path("/run/real-cluster/kubelet.pid")
        if not pid.exists():
            pytest.skip("the kubelet does not run on this machine")
        return _stopped(int(pid.read_text()))

    def forget_history(self) -> None:
        words = Path(f"/proc/{self._api_server()}/cmdline").read_bytes().decode().split("\0")
        etcd = next(word.split("=", 1)[1] for word in words if word.startswith("--etcd-servers="))
        etcdctl = ["etcdctl", "--endpoints", etcd]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        said = subprocess.run(
            [*etcdctl, "endpoint", "status", "-w", "json"], capture_output=True, text=True, env=environment, check=True
        )
        revision = json.loads(said.stdout)[0]["Status"]["header"]["revision"]
        subprocess.run([*etcdctl, "compact", str(revision)], capture_output=True, env=environment, check=True)
        self.kill_api_server()  # Its cache of history goes with it.
        self.up()

    def _api_server(self) -> int:
        """The process that serves our API server's port."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"kube-apiserver") and f"--secure-port={self.port}".encode() in words:
                    return int(process.name)
        raise AssertionError("the API server does not run on this machine")


class SandboxCluster(Cluster):
    """`python -m tui.sandbox` in a directory of its own. API server, controllers and kubelet are one process."""

    image = "sandbox/process"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        self._start(0)
        super().__init__(str(directory / "state" / "kubeconfig"))

    def _start(self, port: int) -> None:
        words = ["--directory", str(self._directory / "state"), "--port", str(port), "--with-parent"]
        with (self._directory / "log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tui.sandbox", *words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
            )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("https://"), (self._directory / "log").read_text()

    def end(self) -> None:
        """Ends it, and all its pods."""
        assert self._process is not None
        self._process.communicate("", timeout=60)

    def named(self, image: str) -> str:
        return f"{self.image}/{image.rpartition('/')[2]}"

    def powerless(self) -> tuple[str, str]:
        users = json.loads(Path(self.kubeconfig).read_text())["users"]
        return next(user["user"]["token"] for user in users if user["name"] == "nobody"), "nobody"

    def postgres(self) -> dict[str, Any]:
        environment = {"POSTGRES_USER": "root", "POSTGRES_DB": "postgres", "POSTGRES_HOST_AUTH_METHOD": "trust"}
        return {"image": "postgres:17", "env": [{"name": key, "value": value} for key, value in environment.items()]}

    def mariadb(self) -> dict[str, Any]:
        if shutil.which("mariadbd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])) is None:
            pytest.skip("not installed: MariaDB (mariadb-server)")
        return {"image": "mariadb:11", "env": [{"name": "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "value": "1"}]}

    def breakable(self) -> None:
        pass

    def kill_api_server(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def up(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._start(self.port)

    def frozen_api_server(self) -> contextlib.AbstractContextManager[None]:
        assert self._process is not None
        return _stopped(self._process.pid)

    def forget_history(self) -> None:
        self._fault("POST", "expire-history")

    @contextlib.contextmanager
    def frozen_kubelet(self) -> Iterator[None]:
        self._fault("POST", "freeze-node")
        try:
            yield
        finally:
            self._fault("DELETE", "freeze-node")

    def _fault(self, method: str, name: str) -> None:
        self.admin.request(method, f"sandbox/v1/faults/{name}", {} if method == "POST" else None)


def brought_up(directory: Path) -> Iterator[Cluster]:
    """The real cluster where one is named; otherwise a sandbox, which ends with the fixture that asks for it."""
    if KUBECONFIG:
        yield RealCluster(KUBECONFIG)
        return
    sandbox = SandboxCluster(directory)
    try:
        yield sandbox
    finally:
        sandbox.end()


@contextlib.contextmanager
def own_namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace, deleted afterwards."""
    name = f"statetui-test-{secrets.token_hex(3)}"
    cluster.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    try:
        yield name
    finally:
        cluster.admin.delete("Namespace", "", name)


#: Rules in a namespace (or, without one, in the cluster), and a name if it matters → the name.
MakeUser = Callable[..., str]


@contextlib.contextmanager
def own_users(cluster: Cluster) -> Iterator[MakeUser]:
    """Makes users by impersonation; what of them is the cluster's is deleted afterwards."""
    made: list[str] = []

    def make(namespace: str | None = None, rules: list[dict[str, Any]] | None = None, name: str = "") -> str:
        name = name or f"statetui-user-{secrets.token_hex(3)}"
        kind = "Role" if namespace else "ClusterRole"
        meta = {"name": name, **({"namespace": namespace} if namespace else {})}
        rbac = "rbac.authorization.k8s.io"
        cluster.admin.apply(
            {"apiVersion": f"{rbac}/v1", "kind": kind, "metadata": meta, "rules": rules or []},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": f"{kind}Binding",
                "metadata": meta,
                "roleRef": {"apiGroup": rbac, "kind": kind, "name": name},
                "subjects": [{"kind": "User", "apiGroup": rbac, "name": name}],
            },
        )
        if not namespace:
            made.append(name)
        return name

    try:
        yield make
    finally:
        for name in made:
            for kind in ("ClusterRoleBinding", "ClusterRole"):
                cluster.admin.delete(kind, "", name)
