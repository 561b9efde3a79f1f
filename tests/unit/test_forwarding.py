"""From words to targets: what a name means, and what is said of one that means nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi
from small_cluster import container, kubeconfig, meta, pod, put_mysql

from tui.kube.forward.listener import TcpAddress, UnixAddress
from tui.kube.forward.targets import PodPort, Target, Waiting
from tui.kube.options import ConnectOptions
from tui.kube.resources import ENDPOINTSLICES, SERVICES
from tui.problem import Cause, ProblemError
from tui.settings_forwards import KINDS, ForwardSetting
from tui.systems import forwarding
from tui.systems.catalogue import load_catalogue
from tui.systems.forwarding import Definition, address_of, defined, parse, scheme_of, target_of, variables_of
from tui.systems.live import Live


def service(server: FakeApi, name: str, **spec: Any) -> None:
    spec.setdefault("selector", {"app": "shop"})
    server.put("services", {"metadata": meta(name, "db", {}), "spec": spec})


@pytest.fixture
async def server() -> AsyncIterator[FakeApi]:
    async with FakeApi() as fake:
        put_mysql(fake)
        put_mysql(fake, "audit", "db", ready=0)
        put_mysql(fake, "shop", "other")
        put_mysql(fake, "shop", "third")
        fake.put("pods", {**pod("lone", "db", {"app": "lone"}, [], ready=True), "spec": {"containers": [container()]}})
        bare = {"name": "x", "image": "x"}
        fake.put("pods", {**pod("bare", "db", {"app": "bare"}, [], ready=True), "spec": {"containers": [bare]}})
        service(fake, "shop-sql", ports=[{"port": 9104, "name": "metrics"}, {"port": 3306, "name": "sql"}])
        service(fake, "away", type="ExternalName", externalName="db.example.com")
        service(fake, "dns", ports=[{"port": 53, "name": "dns", "protocol": "UDP"}])
        service(fake, "secure", ports=[{"port": 443, "name": "https-shop", "targetPort": 3306}])
        yield fake


@asynccontextmanager
async def opened(server: FakeApi, folder: Path, **options: Any) -> AsyncIterator[Live]:
    live = Live(ConnectOptions(kubeconfig=kubeconfig(server, folder), **options), load_catalogue(), usage=False)
    complete = asyncio.Event()
    live.listeners.append(lambda update: complete.set() if update.complete else None)
    task = asyncio.create_task(live.run())
    try:
        async with asyncio.timeout(90):
            await complete.wait()
            # Workloads are complete without Services, which come when there is time.
            while not _services_known(live):
                await asyncio.sleep(0.01)
        yield live
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await live.close()


def _services_known(live: Live) -> bool:
    assert live.cluster is not None
    wanted = {SERVICES.key, ENDPOINTSLICES.key}  # without slices a service's pods are those that its selector fits
    feeds = {key: feed for (key, _), feed in live.cluster.feeds.items() if key in wanted}
    return len(feeds) == len(wanted) and all(feed.settled for feed in feeds.values())


def pods(target: Target) -> list[str]:
    found = target.resolve()
    return [] if isinstance(found, Waiting) else [str(at) for at in found]


@pytest.mark.parametrize(
    ("words", "workload", "port"),
    [
        ("mysql", "mysql", ""),
        ("mysql:3306", "mysql", 3306),
        ("shop/mysql:sql", "shop/mysql", "sql"),
        ("pod/mysql-0:mysql", "pod/mysql-0", "mysql"),
        ("shop/svc/minio", "shop/svc/minio", ""),
    ],
)
def test_words_are_a_workload_and_a_port(words: str, workload: str, port: int | str) -> None:
    assert parse(words) == Definition(workload, port)
    assert parse(words).text == words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "is not WORKLOAD"),
        ("/mysql", "is not WORKLOAD"),
        ("a/b/c", "is not WORKLOAD"),
        ("a/pod/b/c", "is not WORKLOAD"),
        ("mysql:", "no port after the colon"),
        ("mysql:0", "0 is not a port"),
        ("mysql:70000", "Ports are 1 to 65535"),
        ("15432:5432", ""),
        ("mysql:15432:5432", "mysql:5432 --local PORT"),
    ],
)
def test_words_that_say_nothing_are_refused(words: str, told: str) -> None:
    if not told:
        assert parse(words).workload == "15432"
        return
    with pytest.raises(ProblemError) as caught:
        parse(words)
    assert caught.value.problem.cause is Cause.CONFIG
    assert told in str(caught.value.problem)


def test_the_settings_know_the_same_kinds() -> None:
    assert set(KINDS) == set(forwarding._KINDS)


def test_a_definition_of_the_settings() -> None:
    setting = ForwardSetting("shop/shop", "prod-*", 5432, role="primary", local=15432, sticky=False)
    assert defined("shop-db", setting) == Definition(
        "shop/shop", 5432, role="primary", local=15432, sticky=False, name="shop-db"
    )


async def test_names_lead_to_pods(server: FakeApi, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as live:

        def found(words: str, **more: Any) -> list[str]:
            return pods(target_of(replace(parse(words), **more), live))

        assert found("db/shop") == ["shop-0:3306", "shop-1:3306"]
        assert found("shop") == ["shop-0:3306", "shop-1:3306"], "of three the one in the context's namespace"
        assert target_of(parse("shop"), live).namespace == "db"
        assert found("sts/shop:mysql") == ["shop-0:3306", "shop-1:3306"]
        assert found("shop:sql") == ["shop-0:3306", "shop-1:3306"]
        assert found("shop:81") == ["shop-0:81", "shop-1:81"], "a number always works"
        assert found("shop", pod="1") == found("shop", pod="shop-1") == ["shop-1:3306"]
        assert found("pod/shop-1") == ["shop-1:3306"]
        assert found("other/pod/shop-1:9") == ["shop-1:9"]
        assert found("pod/lone") == ["lone:3306"]
        assert found("audit", unready=True) == ["audit-0:3306", "audit-1:3306"]


async def test_what_is_not_ready_is_a_target_all_the_same(server: FakeApi, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as live:
        for words in ("audit", "pod/audit-1", "svc/shop-sql"):
            found = target_of(parse(words), live).resolve()
            assert isinstance(found, Waiting)
            assert found.problem is None


@pytest.mark.parametrize(
    ("words", "more", "cause", "told"),
    [
        ("shpo", {}, Cause.ABSENT, "No workload is called shpo in all namespaces. Did you mean shop?"),
        ("elsewhere/shop", {}, Cause.ABSENT, "Did you mean other/shop?"),
        ("shop", {"pod": "7"}, Cause.ABSENT, "shop has no member 7. There are: 0, 1."),
        ("shop", {"role": "primry"}, Cause.ABSENT, "MySQL has no role primry. Did you mean primary?"),
        ("shop:sqll", {}, Cause.REJECTED, "no port named sqll. Its ports: 3306 (mysql); a number always works."),
        ("pod/shop-7", {}, Cause.ABSENT, "No pod is called shop-7"),
        ("pod/bare", {}, Cause.CONFIG, "Name one: pod/bare:PORT"),
        ("svc/shop-sq", {}, Cause.ABSENT, "Did you mean shop-sql?"),
        ("svc/shop-sql:1", {}, Cause.REJECTED, "Its ports: 9104 (metrics), 3306 (sql)."),
        ("svc/away", {}, Cause.REJECTED, "only another name for db.example.com"),
        ("svc/dns", {}, Cause.REJECTED, "is UDP. Kubernetes forwards TCP only."),
        ("svc/shop-sql", {"role": "primary"}, Cause.CONFIG, "A service has no members"),
        ("pod/shop-0", {"pod": "1"}, Cause.CONFIG, "A pod has no members"),
        ("svc/shop-sql", {"unready": True}, Cause.CONFIG, "Name its workload"),
        ("shop", {"role": "primary", "pod": "1"}, Cause.CONFIG, "exclude each other"),
    ],
)
async def test_what_can_never_work_is_refused(
    server: FakeApi, tmp_path: Path, words: str, more: dict[str, Any], cause: Cause, told: str
) -> None:
    async with opened(server, tmp_path) as live:
        with pytest.raises(ProblemError) as caught:
            target_of(replace(parse(words), **more), live)
    assert caught.value.problem.cause is cause
    assert told in str(caught.value.problem)


async def test_one_of_several_has_to_be_named(server: FakeApi, tmp_path: Path) -> None:
    server.delete("statefulsets", "shop", "db")
    for ordinal in range(2):
        server.delete("pods", f"shop-{ordinal}", "db")
        server.delete("persistentvolumeclaims", f"data-shop-{ordinal}", "db")
    async with opened(server, tmp_path) as live:
        for words, names in (("shop", "other/shop, third/shop"), ("pod/shop-0", "other/pod/shop-0, third/pod/shop-0")):
            with pytest.raises(ProblemError) as caught:
                target_of(parse(words), live)
            assert caught.value.problem.remedy == f"Name one: {names}"


async def test_a_service_of_several_ports_is_reached_at_the_known_one(server: FakeApi, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as live:
        assert target_of(parse("svc/shop-sql"), live).port == 3306


async def test_what_may_not_be_read_is_not_taken_for_missing(server: FakeApi, tmp_path: Path) -> None:
    everything = ["pods", "statefulsets", "persistentvolumeclaims", "deployments", "daemonsets", "replicasets"]
    server.rules = [{"verbs": ["list", "watch"], "resources": everything}]
    async with opened(server, tmp_path) as live:
        with pytest.raises(ProblemError) as caught:
            target_of(parse("svc/shop-sql"), live)
    assert caught.value.problem.cause is Cause.FORBIDDEN
    assert "services may not be read" in caught.value.problem.what


async def test_where_it_listens(server: FakeApi, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as live:

        def address(words: str, local: int | str | None) -> object:
            wanted = replace(parse(words), local=local)
            return address_of(wanted, target_of(wanted, live), live)

        assert address("shop", None) == TcpAddress(3306)
        assert address("shop:sql", None) == TcpAddress(3306)
        assert address("audit:sql", None) == TcpAddress(3306), "known without a pod"
        assert address("shop:80", None) == TcpAddress(8080)
        assert address("shop", 15000) == TcpAddress(15000, exact=True)
        assert address("shop", 0) == TcpAddress(0)
        assert address("shop", f"unix:{tmp_path}/s") == UnixAddress(tmp_path / "s")
        assert address("shop", f"unix:{tmp_path}") == UnixAddress(tmp_path / "mysqld.sock")
        assert address("shop:81", f"unix:{tmp_path}/") == UnixAddress(tmp_path / "shop-81.sock")
        assert address("shop", "unix:~nobody-of-this-name/s") == UnixAddress(Path.cwd() / "~nobody-of-this-name/s")


async def test_the_clients_variables_are_those_of_the_port(server: FakeApi, tmp_path: Path) -> None:
    async with opened(server, tmp_path) as live:

        def variables(words: str) -> set[str]:
            found = variables_of(target_of(parse(words), live), live)
            return set(found.tcp) if found is not None else set()

        assert variables("shop") == variables("pod/shop-0") == variables("audit") == {"MYSQL_HOST", "MYSQL_TCP_PORT"}
        assert variables("shop:81") == variables("pod/bare:3306") == set()
        assert scheme_of(target_of(parse("svc/secure"), live), live) == "https"
        assert variables("svc/secure") == set(), "which system it is only a pod can tell"
        piece = {
            "metadata": meta("secure-1", "db", {"kubernetes.io/service-name": "secure"}),
            "ports": [{"port": 3306, "name": "https-shop"}],
            "endpoints": [{
                "addresses": ["10.0.0.1"], "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": "shop-0", "namespace": "db",
                              "uid": server.get("pods", "shop-0", "db")["metadata"]["uid"]},  # type: ignore[index]
            }],
        }  # fmt: skip
        server.put("endpointslices", piece)
        target = target_of(parse("svc/secure"), live)
        async with asyncio.timeout(20):
            while isinstance(target.resolve(), Waiting):
                await asyncio.sleep(0.01)
        assert scheme_of(target_of(parse("shop"), live), live) == "http"
        assert variables("svc/secure") == {"MYSQL_HOST", "MYSQL_TCP_PORT"}
        found = target.resolve()
        assert isinstance(found, list)
        assert isinstance(found[0], PodPort)
