"""Servers of the real kinds in place of their stand-ins: which is taken, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tui.sandbox.images import minio, mysqlserver
from tui.sandbox.images.model import Container


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts programs on PATH, which has nothing else: a name and what it prints, or what it links to."""
    directory = tmp_path / "path"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def install(name: str, prints: str = "", link: str = "") -> Path:
        made = directory / name
        if link:
            made.symlink_to(directory / link)
        else:
            made.write_text(f"#!/bin/sh\necho '{prints}'\n")
            made.chmod(0o755)
        return made

    return install


def test_mysqls_own_server_is_taken_though_mariadb_is_there(installed: Callable[..., Path]) -> None:
    installed("mariadbd", "mariadbd  Ver 10.11.19-MariaDB for Linux")
    made = installed("mysqld", "/opt/mysqld  Ver 8.0.12 for linux-glibc2.12 on x86_64 (MySQL Community Server - GPL)")
    assert mysqlserver.find() == mysqlserver.Server(str(made), is_mysql=True, version=(8, 0, 12))


def test_mariadbs_link_is_not_taken_for_mysql(installed: Callable[..., Path]) -> None:
    made = installed("mariadbd", "mariadbd  Ver 10.11.19-MariaDB for Linux")
    installed("mysqld", link="mariadbd")
    assert mysqlserver.find() == mysqlserver.Server(str(made))


def test_an_old_mariadb_is_not_taken_for_mysql_either(installed: Callable[..., Path]) -> None:
    installed("mysqld", "mysqld  Ver 10.3.39-MariaDB-0+deb10u1 for debian-linux-gnu on x86_64")
    assert not mysqlserver.find().is_mysql


def test_each_version_is_told_to_replicate_in_its_own_words() -> None:
    def told(version: tuple[int, ...], *, is_mysql: bool = True) -> str:
        return " ".join(mysqlserver.Server("x", is_mysql, version).follow("'h'", 1, "'u'", "'p'"))

    assert "CHANGE MASTER TO MASTER_HOST='h'" in told((8, 0, 12)) and "GET_MASTER_PUBLIC_KEY=1" in told((8, 0, 12))
    assert "CHANGE REPLICATION SOURCE TO SOURCE_HOST='h'" in told((8, 4, 0)) and "MASTER" not in told((8, 4, 0))
    assert "PUBLIC_KEY" not in told((5, 7, 44))
    assert "MASTER_USE_GTID=slave_pos" in told((), is_mysql=False) and "MASTER_SSL=0" in told((), is_mysql=False)


@pytest.mark.parametrize(
    ("args", "drives"),
    [
        (["server", "/data"], ["/data"]),
        (["server", "--console-address", ":9090", "/a{1...3}"], ["/a1", "/a2", "/a3"]),
        (["server", "--quiet", "--address=:9000", "/d{01...02}"], ["/d01", "/d02"]),
        (["http://z-{0...1}.s:9000/e{0...1}"], [f"http://z-{pod}.s:9000/e{drive}" for pod in "01" for drive in "01"]),
    ],
)
def test_ranges_of_drives_are_written_out(args: list[str], drives: list[str]) -> None:
    assert minio.expanded(args) == drives


def server(folder: Path, pod: str, peers: dict[str, str], port: Callable[[str, int], int]) -> Container:
    """A server of a tenant of two with two drives each."""
    mounts = {f"/e{number}": folder / "volumes" / f"{pod}-{number}" for number in (0, 1)}
    directory = folder / "pods" / pod
    for one in (*mounts.values(), directory):
        one.mkdir(parents=True, exist_ok=True)
    return Container(
        namespace="n", pod=pod, name="minio", image="minio/minio", kind="main", command=[],
        args=["server", "http://z-{0...1}.s:9000/e{0...1}"], environment={}, address=peers[pod],
        port=lambda wanted: port(pod, wanted), ports={}, mounts=mounts, replicas=2, directory=directory,
        shared=folder / "shared", peer=peers.get, peer_port=port, helper=lambda *_: None,
    )  # fmt: skip


def test_minios_that_share_an_address_have_ports_of_their_own(tmp_path: Path) -> None:
    peers = {"z-0": "127.0.0.1", "z-1": "127.0.0.1"}

    def instead(pod: str, wanted: int) -> int:
        return 40_000 + int(pod[-1]) * 1000 + wanted % 1000

    plans = [minio.plan(server(tmp_path, pod, peers, instead), "/bin/minio", {}) for pod in peers]
    first, second = (plan.environment["_MINIO_SERVER_LOCAL"] for plan in plans)
    assert first != second
    for plan in plans:
        words = Path(plan.command[-1]).read_text().split()
        assert {word.split("/")[2] for word in words if word.startswith("http://")} == {first, second}


def test_minios_of_a_tenant_form_one_pool(tmp_path: Path) -> None:
    peers = {"z-0": "127.70.0.2", "z-1": "127.70.0.3"}

    def container(pod: str, peers: dict[str, str]) -> Container:
        return server(tmp_path, pod, peers, lambda _, port: port)

    plans = {pod: minio.plan(container(pod, peers), "/bin/minio", {}) for pod in peers}
    scripts = {pod: Path(plan.command[-1]).read_text() for pod, plan in plans.items()}
    endpoints = {
        pod: [word for word in text.split() if word.startswith("http://")] for pod, text in scripts.items()
    }  # fmt: skip
    # The same for all, in the same order, each server by a port of its own.
    assert endpoints["z-0"] == endpoints["z-1"] and len(endpoints["z-0"]) == 4
    ports = {word.split("/")[2] for word in endpoints["z-0"]}
    assert ports == {f"{ip}:{18000 + minio.own_of(ip)}" for ip in peers.values()} and len(ports) == 2
    for word in endpoints["z-0"]:
        drive = Path("/" + word.split("/", 3)[3])
        assert drive.is_dir() and not drive.is_symlink() and (tmp_path / "volumes") in drive.resolve().parents
    # Without the other one's address it waits, and says for whom.
    alone = minio.plan(container("z-0", {"z-0": "127.70.0.2"}), "/bin/minio", {})
    assert "waits for z-1" in Path(alone.command[-1]).read_text()


def test_sandboxes_of_one_machine_do_not_want_the_same_ports() -> None:
    # SeaweedFS and MinIO refuse a port that anybody listens on, at whatever address: nine pods of any two sandboxes.
    for other in range(65, 192):
        first, second = ({minio.own_of(f"127.{byte}.0.{pod}") for pod in range(2, 11)} for byte in (64, other))
        assert len(first) == len(second) == 9 and not first & second
