"""TLS, client certificates and proxies, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import socket
import threading

import pytest
from fake_api import FakeApi
from fake_tls import PKI, data, pem, server_context

from tui.kube import api as api_module
from tui.kube import tls
from tui.kube.api import Api
from tui.kube.context import Context
from tui.kube.kubeconfig import Cluster, User
from tui.kube.proxies import proxy_from_environment
from tui.problem import Cause, Problem, ProblemError

PODS = "/api/v1/pods"
CA = Cluster(certificate_authority_data=data("ca"))


@contextlib.asynccontextmanager
async def serving(certificate: str = "server", **options):
    async with FakeApi(tls=server_context(certificate, **options)) as server:
        yield server


async def ask(server: FakeApi, cluster: Cluster, user: User | None = None) -> None:
    api = Api(server.context(cluster=cluster, user=user))
    try:
        await api.get(PODS)
    finally:
        await api.close()


async def problem_of(awaitable) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await awaitable
    return caught.value.problem


def split(name: str) -> tuple[str, str]:
    """Certificate and key of a file of `pki/`, as base64."""
    certificate, key = re.findall(rb"-----BEGIN[^-]+-----.*?-----END[^-]+-----\n", pem(name), re.DOTALL)
    return base64.b64encode(certificate).decode(), base64.b64encode(key).decode()


def user(name: str = "client") -> User:
    certificate, key = split(name)
    return User(client_certificate_data=certificate, client_key_data=key)


# --- the server's identity


async def test_a_home_made_authority_is_enough():
    async with serving() as server:
        await ask(server, CA)
        await ask(server, Cluster(certificate_authority=str(PKI / "ca.pem")))


async def test_a_stranger_is_not_talked_to():
    async with serving() as server:
        problem = await problem_of(ask(server, Cluster(certificate_authority_data=data("other-ca"))))
        assert problem.cause is Cause.UNREACHABLE
        assert "could not prove who it is" in problem.what and "does not name" in problem.what
        assert (await problem_of(ask(server, Cluster()))).cause is Cause.UNREACHABLE, "nor by the system's authorities"
        assert server.requests == []


async def test_insecure_talks_to_strangers():
    async with serving("expired-server") as server:
        await ask(server, Cluster(insecure_skip_tls_verify=True))


async def test_an_expired_server_certificate():
    async with serving("expired-server") as server:
        problem = await problem_of(ask(server, CA))
    assert "the server's certificate has expired" in problem.what


async def test_a_certificate_for_another_name_and_tls_server_name():
    async with serving("named-server") as server:
        problem = await problem_of(ask(server, CA))
        assert "for another" in problem.what
        assert "tls-server-name" in problem.remedy
        await ask(server, Cluster(certificate_authority_data=data("ca"), tls_server_name="cluster.test"))
        problem = await problem_of(
            ask(server, Cluster(certificate_authority_data=data("ca"), tls_server_name="other.test"))
        )
        assert "for another name" in problem.what


async def test_tls_against_plain_http_and_the_reverse():
    async with FakeApi() as server:
        api = Api(Context("c", "c", "", server.url.replace("http:", "https:"), cluster=CA))
        problem = await problem_of(api.get(PODS))
        await api.close()
        assert "does not speak TLS" in problem.what
    async with serving() as secure:
        api = Api(Context("c", "c", "", secure.url.replace("https:", "http:")))
        assert (await problem_of(api.get(PODS))).cause in (Cause.UNREACHABLE, Cause.PROTOCOL)
        await api.close()


async def test_a_frozen_server_that_does_not_finish_the_handshake(monkeypatch):
    monkeypatch.setattr(api_module, "CONNECT_TIMEOUT", 0.2)
    accepted = []
    frozen = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    async with frozen:
        url = f"https://127.0.0.1:{frozen.sockets[0].getsockname()[1]}"
        api = Api(Context("c", "c", "", url, cluster=CA))
        problem = await problem_of(api.get(PODS))
        await api.close()
        for writer in accepted:
            writer.close()
    assert accepted
    assert problem.cause is Cause.UNREACHABLE
    assert "frozen" in problem.remedy


async def test_a_look_up_that_hangs_holds_up_neither_the_stream_nor_the_end(monkeypatch):
    monkeypatch.setattr(api_module, "CONNECT_TIMEOUT", 0.1)
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(20) and [])
    api = Api(Context("c", "c", "", "http://slow.test:1"))

    async def enter() -> None:
        async with api.stream(PODS, params={"watch": "1"}, read_timeout=5):
            pass

    assert (await problem_of(enter())).cause is Cause.UNREACHABLE
    looking = [thread for thread in threading.enumerate() if thread.name == "look up slow.test"]
    assert looking and all(thread.daemon for thread in looking)
    release.set()
    await api.close()


async def test_a_name_is_looked_up_once_for_many_connections(monkeypatch):
    async with FakeApi() as server:
        asked: list[str] = []
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, port, *_, **__: (
                asked.append(host) or [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
            ),
        )
        api = Api(Context("c", "c", "", f"http://cluster.test:{server.port}"))
        await asyncio.gather(*(api.get(PODS) for _ in range(5)))
        await api.close()
    assert asked == ["cluster.test"]


@pytest.mark.parametrize(
    ("cluster", "word"),
    [
        (Cluster(certificate_authority_data="%%"), "base64"),
        (Cluster(certificate_authority_data="bm90aGluZw=="), "cannot be used"),
        (Cluster(certificate_authority="/no/such/ca.crt"), "/no/such/ca.crt"),
    ],
)
async def test_an_unusable_authority(cluster, word):
    async with serving() as server:
        problem = await problem_of(ask(server, cluster))
    assert problem.cause is Cause.CONFIG
    assert word in str(problem)


# --- ours


class Watching(FakeApi):
    """Notes whose certificate each request came with."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.names: list[str] = []

    async def _handle(self, request):
        certificate = request.transport.get_extra_info("peercert")
        self.names.append(
            dict(pair for part in certificate["subject"] for pair in part)["commonName"] if certificate else ""
        )
        return await super()._handle(request)


async def test_client_certificates_of_data_and_files(tmp_path):
    certificate, key = split("second-client")
    (tmp_path / "crt").write_bytes(base64.b64decode(certificate))
    (tmp_path / "key").write_bytes(base64.b64decode(key))
    async with Watching(tls=server_context(ask_client=True)) as server:
        await ask(server, CA, user())
        await ask(server, CA, User(client_certificate=str(tmp_path / "crt"), client_key=str(tmp_path / "key")))
        await ask(server, CA)
    assert server.names == ["alice", "bob", ""]


async def test_no_key_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for has_memfd in (True, False):
        if not has_memfd:
            monkeypatch.delattr(os, "memfd_create")
        async with Watching(tls=server_context(ask_client=True)) as server:
            await ask(server, CA, user())
        assert server.names == ["alice"]
        assert list(tmp_path.iterdir()) == []


async def test_an_expired_client_certificate_is_told_before_connecting():
    async with serving(ask_client=True) as server:
        problem = await problem_of(ask(server, CA, user("expired-client")))
        assert problem.cause is Cause.CREDENTIALS
        assert problem.what == "The client certificate of tester expired on 2021-02-03 04:05 UTC"
        assert server.requests == []


async def test_a_client_certificate_that_runs_out_while_connected(monkeypatch):
    async with serving(ask_client=True) as server:
        api = Api(server.context(cluster=CA, user=user()))
        await api.get(PODS)
        server.fail(PODS, 401)
        monkeypatch.setattr(tls.time, "time", lambda: 5e9)
        problem = await problem_of(api.get(PODS))
        await api.close()
    assert "expired on 2120-01-01" in problem.what


async def test_a_client_certificate_of_the_future(monkeypatch):
    monkeypatch.setattr(tls.time, "time", lambda: 1.0)  # the clock stands at 1970
    async with serving() as server:
        await ask(server, CA, user())  # the server's clock decides
        server.fail(PODS, 401)
        problem = await problem_of(ask(server, CA, user()))
    assert "valid only from 2020-01-01" in problem.what
    assert "clock" in problem.remedy


async def test_unusable_client_certificates():
    certificate, _ = split("client")
    wrong_key = User(client_certificate_data=certificate, client_key_data=split("second-client")[1])
    encrypted = User(client_certificate_data=certificate, client_key_data=data("encrypted-client-key"))
    rubbish = User(client_certificate_data="cnViYmlzaA==", client_key_data="cnViYmlzaA==")
    async with serving() as server:
        assert "belong together" in (await problem_of(ask(server, CA, wrong_key))).remedy
        problem = await problem_of(ask(server, CA, encrypted))
        assert problem.evidence == "the private key is encrypted", "and nobody was asked for its password"
        assert (await problem_of(ask(server, CA, rubbish))).cause is Cause.CREDENTIALS


def test_validity_of_what_is_no_certificate():
    begin, end = b"-----BEGIN CERTIFICATE-----\n", b"\n-----END CERTIFICATE-----\n"
    assert tls.validity(b"") is None
    for content in (b"", b"AAAA", b"MIIBjTCC", b"MAA=", b"%%%"):
        assert tls.validity(begin + content + end) is None


# --- proxies


class Proxy:
    """A small proxy: CONNECT, plain HTTP forwarding refused, SOCKS5 without login; everything goes to one port."""

    def __init__(self, port: int, *, refuse: bool = False) -> None:
        self.port = port
        self.refuse = refuse
        self.asked: list[str] = []
        self.headers = b""

    @contextlib.asynccontextmanager
    async def running(self):
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == b"\x05":
            await self._socks(reader, writer)
        else:
            self.headers = first + await reader.readuntil(b"\r\n\r\n")
            self.asked.append(self.headers.split(b" ")[1].decode())
            if self.refuse:
                writer.write(b"HTTP/1.1 403 Not Here\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                writer.close()
                return
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await self._join(reader, writer)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        size = 4 if kind == 1 else (await reader.readexactly(1))[0]
        address = await reader.readexactly(size)
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{address.decode() if kind == 3 else '.'.join(map(str, address))}:{port}")
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while chunk := await source.read(65536):
                    target.write(chunk)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_a_proxy_leads_to_the_server_by_its_name(scheme):
    async with Watching(tls=server_context(ask_client=True)) as server:
        proxy = Proxy(server.port)
        async with proxy.running() as port:
            cluster = Cluster(certificate_authority_data=data("ca"), proxy_url=f"{scheme}://127.0.0.1:{port}")
            api = Api(Context("c", "c", "u", "https://cluster.test:6443", cluster=cluster, user=user()))
            await api.get(PODS)
            await api.close()
    assert proxy.asked == ["cluster.test:6443"]
    assert server.names == ["alice"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_tls_server_name_holds_through_a_proxy(scheme):
    async with serving("named-server") as server:
        proxy = Proxy(server.port)
        async with proxy.running() as port:
            for name, works in (("cluster.test", True), ("other.test", False)):
                cluster = Cluster(
                    certificate_authority_data=data("ca"),
                    tls_server_name=name,
                    proxy_url=f"{scheme}://127.0.0.1:{port}",
                )
                api = Api(Context("c", "c", "", "https://10.9.8.7:6443", cluster=cluster))
                if works:
                    await api.get(PODS)
                else:
                    assert "for another name" in (await problem_of(api.get(PODS))).what
                await api.close()
    assert proxy.asked == ["10.9.8.7:6443"] * 2


async def test_a_proxy_with_a_password():
    async with serving() as server:
        proxy = Proxy(server.port)
        async with proxy.running() as port:
            cluster = Cluster(certificate_authority_data=data("ca"), proxy_url=f"http://me:hunter2@127.0.0.1:{port}")
            api = Api(Context("c", "c", "", "https://cluster.test", cluster=cluster))
            await api.get(PODS)
            await api.close()
    assert b"Basic " + base64.b64encode(b"me:hunter2") in proxy.headers


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_is_not_there(scheme):
    cluster = Cluster(proxy_url=f"{scheme}://me:hunter2@127.0.0.1:1")
    api = Api(Context("c", "c", "", "https://cluster.test", cluster=cluster))
    problem = await problem_of(api.get(PODS))
    await api.close()
    assert problem.cause is Cause.UNREACHABLE
    assert f"The proxy {scheme}://127.0.0.1:1" in problem.what
    assert "hunter2" not in str(problem)


async def test_a_proxy_that_refuses():
    proxy = Proxy(1, refuse=True)
    async with proxy.running() as port:
        api = Api(Context("c", "c", "", "https://cluster.test", cluster=Cluster(proxy_url=f"http://127.0.0.1:{port}")))
        problem = await problem_of(api.get(PODS))
        await api.close()
    assert "refuses" in problem.what
    assert "403" in problem.evidence


async def test_the_proxy_of_the_environment_is_used(monkeypatch):
    async with serving() as server:
        proxy = Proxy(server.port)
        async with proxy.running() as port:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            api = Api(Context("c", "c", "", "https://cluster.test:6443", cluster=CA))
            await api.get(PODS)
            await api.close()
            await ask(server, CA)  # loopback: never through a proxy
    assert proxy.asked == ["cluster.test:6443"]


@pytest.mark.parametrize(
    ("server", "environ", "proxy"),
    [
        ("https://a.example", {}, ""),
        ("https://a.example", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.example", {"https_proxy": "p:1"}, "http://p:1"),
        ("http://a.example", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("http://a.example", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://a.example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, ""),
        ("https://a.example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, example"}, ""),
        ("https://a.example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"}, ""),
        ("https://example", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"}, "http://p:1"),
        ("https://notexample", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example"}, "http://p:1"),
        ("https://a.example:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example:443"}, "http://p:1"),
        ("https://a.example:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example:6443"}, ""),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, ""),
        ("https://11.1.2.3:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "http://p:1"),
        ("https://[fd00::1]:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "fd00::/8"}, ""),
    ],
)  # fmt: skip
def test_proxies_of_the_environment(server, environ, proxy):
    assert proxy_from_environment(server, environ) == proxy
