"""Client certificates out of files and out of a Secret that somebody names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_api import FakeApi
from test_login import RESOURCES, secret

from tui.kube.api import Api
from tui.problem import Cause, ProblemError
from tui.services.queue.model import ClientCertificate, Login
from tui.systems.queuecertificates import given, read

WORKLOAD: Any = SimpleNamespace(name="mq", namespace="shop")


def test_files_are_read_and_what_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.crt").write_text("CERT")
    (tmp_path / "c.key").write_text("KEY")
    assert given("", " ") is None
    found = given(str(tmp_path / "c.crt"), str(tmp_path / "c.key"))
    assert found == ClientCertificate("CERT", "KEY")
    assert "KEY" not in repr(found)
    assert given(str(tmp_path / "c.crt"), "") == ClientCertificate("CERT", ""), "the key may stand in the same file"
    for certificate, key, said in (
        (str(tmp_path / "no.crt"), "", "no.crt cannot be read"), ("", "c.key", "A key goes with a certificate"),
        ("secret/mine", "c.key", "A Secret holds certificate and key"),
    ):  # fmt: skip
        with pytest.raises(ProblemError, match=said) as caught:
            given(certificate, key)
        assert caught.value.problem.cause is Cause.CONFIG


async def reading(secrets: dict[str, dict[str, str]], rules: list[dict[str, Any]] | None = None) -> Login:
    async with FakeApi(resources=RESOURCES) as server:
        for name, data in secrets.items():
            server.put("secrets", secret(name, data))
        server.rules = rules
        api = Api(server.context())
        try:
            return await read(Login("u", certificate=given("secret/mine", "")), api, WORKLOAD)
        finally:
            await api.close()


async def test_a_secret_is_read_when_it_is_needed() -> None:
    login = await reading({"mine": {"tls.crt": "CERT", "tls.key": "KEY"}})
    assert login.certificate == ClientCertificate("CERT", "KEY")
    plain = Login("u")
    assert await read(plain, None, WORKLOAD) is plain  # type: ignore[arg-type]  # nothing is asked


@pytest.mark.parametrize(
    ("secrets", "rules", "cause", "said"),
    [
        ({}, None, Cause.CREDENTIALS, "Secret shop/mine"),
        ({"mine": {"tls.crt": "CERT"}}, None, Cause.CREDENTIALS, "key tls.key"),
        ({"mine": {"tls.crt": "CERT", "tls.key": "KEY"}}, [], Cause.FORBIDDEN, "get secrets/mine in namespace shop"),
    ],
)
async def test_a_secret_that_cannot_be_used(
    secrets: dict[str, dict[str, str]], rules: list[dict[str, Any]] | None, cause: Cause, said: str
) -> None:
    with pytest.raises(ProblemError) as caught:
        await reading(secrets, rules)
    assert caught.value.problem.cause is cause
    assert said in f"{caught.value.problem.evidence} {caught.value.problem.remedy}"
