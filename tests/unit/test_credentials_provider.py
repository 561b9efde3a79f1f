"""OIDC and gcp users."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from fake_tls import data, server_context

from tui.kube.auth_provider import expiry_of, write_back
from tui.kube.context import Context
from tui.kube.credentials import Identity, Source, source_of
from tui.kube.kubeconfig import AuthProvider, User
from tui.problem import Cause, Problem, ProblemError


def token(expires_in: float, name: str = "x") -> str:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'sub': name, 'exp': time.time() + expires_in})}.sig"


class Issuer:
    """An identity provider."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str | None] = []
        self.answer: Callable[[], web.Response] = lambda: web.json_response({"id_token": self.fresh})
        self.fresh = token(3600, "fresh")
        self.methods: list[str] | None = None
        self.url = ""

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/realm/.well-known/openid-configuration", self._metadata)
        app.router.add_post("/token", self._token)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context())
        await site.start()
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}/realm"
        return runner

    async def _metadata(self, _request: web.Request) -> web.Response:
        body: dict = {"issuer": self.url, "token_endpoint": self.url.replace("/realm", "/token")}
        if self.methods is not None:
            body["token_endpoint_auth_methods_supported"] = self.methods
        return web.json_response(body)

    async def _token(self, request: web.Request) -> web.Response:
        self.forms.append({key: str(value) for key, value in (await request.post()).items()})
        self.authorizations.append(request.headers.get("Authorization"))
        return self.answer()


@pytest.fixture
async def issuer():
    made = Issuer()
    runner = await made.start()
    yield made
    await runner.cleanup()


def oidc(issuer: Issuer, *, file: str = "", **config: str) -> Source:
    settings = {"idp-issuer-url": issuer.url, "client-id": "tui", "idp-certificate-authority-data": data("ca"),
                **{key.replace("_", "-"): value for key, value in config.items()}}  # fmt: skip
    return provider("oidc", settings, file)


def provider(name: str, config: dict[str, str], file: str = "") -> Source:
    user = User(auth_provider=AuthProvider(name, config))  # type: ignore[call-arg]
    return source_of(Context("c", "c", "alice", "https://127.0.0.1:1", user=user, user_source=file))


async def fetch(source: Source, *, refused: bool = False) -> Identity:
    return await source.fetch(refused=refused)


async def problem_of(source: Source, *, refused: bool = False) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await source.fetch(refused=refused)
    return caught.value.problem


async def test_a_token_that_still_holds_is_used_as_it_is(issuer):
    valid = token(3600)
    found = await fetch(oidc(issuer, id_token=valid, refresh_token="r"))
    assert found.authorization == f"Bearer {valid}"
    assert found.expires is not None and 3500 < found.expires - time.time() < 3600
    assert issuer.forms == []


async def test_an_expired_token_is_renewed_by_a_public_client(issuer):
    found = await fetch(oidc(issuer, id_token=token(-10), refresh_token="r1"))
    assert found.authorization == f"Bearer {issuer.fresh}"
    assert issuer.forms == [{"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "tui"}]
    assert issuer.authorizations == [None]


async def test_a_client_with_a_secret_says_it_as_the_provider_wants_it(issuer):
    await fetch(oidc(issuer, refresh_token="r1", client_secret="s:/1"))
    assert issuer.authorizations == ["Basic " + base64.b64encode(b"tui:s%3A%2F1").decode()]
    assert "client_secret" not in issuer.forms[0]
    issuer.methods = ["client_secret_post"]
    await fetch(oidc(issuer, refresh_token="r1", client_secret="s:/1"))
    assert issuer.authorizations[1] is None
    assert (issuer.forms[1]["client_id"], issuer.forms[1]["client_secret"]) == ("tui", "s:/1")


async def test_an_answer_without_a_refresh_token_keeps_the_old_one(issuer):
    source = oidc(issuer, id_token=token(-10), refresh_token="r1")
    await fetch(source)
    await fetch(source, refused=True)
    assert [form["refresh_token"] for form in issuer.forms] == ["r1", "r1"]


async def test_a_rotated_refresh_token_is_kept_and_written_back(issuer, tmp_path):
    old, path = token(-10), tmp_path / "config"
    path.write_text(
        f"# mine\nusers:\n- name: alice  # me\n  config: {{id-token: {old}, refresh-token: first-refresh}}\n"
    )
    path.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(path)
    issuer.answer = lambda: web.json_response(
        {"id_token": issuer.fresh, "refresh_token": f"refresh-{len(issuer.forms)}"}
    )
    source = oidc(issuer, file=str(link), id_token=old, refresh_token="first-refresh")
    await fetch(source)
    assert path.read_text() == (
        f"# mine\nusers:\n- name: alice  # me\n  config: {{id-token: {issuer.fresh}, refresh-token: refresh-1}}\n"
    )
    assert (path.stat().st_mode & 0o777, link.is_symlink()) == (0o600, True)
    await fetch(source, refused=True)
    assert [form["refresh_token"] for form in issuer.forms] == ["first-refresh", "refresh-1"]
    assert "refresh-token: refresh-2" in path.read_text()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["config", "link"]


def test_writing_back_leaves_a_file_alone_that_it_does_not_understand(tmp_path):
    path = tmp_path / "config"
    for text in ("nothing of it", "old old"):
        path.write_text(text)
        assert not write_back(path, ("old",), ("new",))
        assert path.read_text() == text
    assert not write_back(tmp_path / "missing", ("old",), ("new",))


async def test_a_refusal_is_told_in_the_providers_words(issuer):
    issuer.answer = lambda: web.json_response(
        {"error": "invalid_grant", "error_description": "Session not active"}, status=400
    )
    problem = await problem_of(oidc(issuer, id_token=token(-10), refresh_token="secret-refresh"))
    assert problem.cause is Cause.CREDENTIALS
    assert problem.evidence == "invalid_grant Session not active"
    assert "Log in again" in problem.remedy
    assert "secret-refresh" not in str(problem)


async def test_other_answers_of_a_provider(issuer):
    source = oidc(issuer, refresh_token="r")
    issuer.answer = lambda: web.json_response({"access_token": "a"})
    assert "no id_token" in (await problem_of(source)).what
    issuer.answer = lambda: web.Response(text="<html>Login</html>", content_type="text/html")
    assert (await problem_of(source)).cause is Cause.PROTOCOL
    issuer.answer = lambda: web.Response(status=503, text="down")
    assert "503" in (await problem_of(source)).what


async def test_the_provider_must_prove_who_it_is(issuer):
    source = oidc(issuer, refresh_token="r", idp_certificate_authority_data=data("other-ca"))
    problem = await problem_of(source)
    assert problem.cause is Cause.UNREACHABLE
    assert "could not prove who it is" in problem.what
    assert issuer.forms == [], "no token goes to a stranger"


async def test_the_authority_of_the_provider_may_be_a_file(issuer, tmp_path):
    (tmp_path / "idp.crt").write_bytes(base64.b64decode(data("ca")))
    config = {
        "idp-issuer-url": issuer.url,
        "client-id": "tui",
        "refresh-token": "r",
        "idp-certificate-authority": "idp.crt",
    }
    assert (await fetch(provider("oidc", config, str(tmp_path / "config")))).authorization == f"Bearer {issuer.fresh}"
    config["idp-certificate-authority"] = "missing.crt"
    assert (await problem_of(provider("oidc", config, str(tmp_path / "config")))).cause is Cause.CONFIG


async def test_nothing_left_to_log_in_with(issuer):
    assert (await problem_of(oidc(issuer, id_token=token(-10)))).cause is Cause.CREDENTIALS
    assert (await problem_of(oidc(issuer))).cause is Cause.CREDENTIALS
    problem = await problem_of(provider("oidc", {"refresh-token": "r"}))
    assert (problem.cause, "idp-issuer-url" in problem.what) == (Cause.CONFIG, True)


async def test_a_refused_token_without_refresh_token_stays(issuer):
    valid = token(3600)
    assert (await fetch(oidc(issuer, id_token=valid), refused=True)).authorization == f"Bearer {valid}"


@pytest.mark.parametrize(
    "text", ["", "abc", "a.b.c", "a..c", "....", f"x.{base64.urlsafe_b64encode(b'[]').decode()}.y"]
)
def test_tokens_that_do_not_say_when_they_end(text):
    assert expiry_of(text) is None


@pytest.mark.parametrize(("name", "word"), [("oicd", '"oidc" meant'), ("azure", "kubelogin")])
async def test_unknown_providers(name, word):
    problem = await problem_of(provider(name, {}))
    assert (problem.cause, word in problem.remedy) == (Cause.CONFIG, True)


# --- gcp


def gcloud(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


async def test_gcp_keeps_a_token_that_holds_and_asks_gcloud_for_the_next(tmp_path):
    command = gcloud(
        tmp_path / "gcloud",
        f"""echo "$@" >> {tmp_path}/asked
readlink /proc/$$/fd/0 > {tmp_path}/stdin
echo '{{"credential": {{"access_token": "next", "token_expiry": "2100-01-01T00:00:00Z"}}}}'""",
    )
    config = {"access-token": "held", "expiry": "2100-01-01T00:00:00Z", "cmd-path": command, "cmd-args": "config 'a b'"}
    source = provider("gcp", config)
    assert (await fetch(source)).authorization == "Bearer held"
    assert not (tmp_path / "asked").exists()
    assert (await fetch(source, refused=True)).authorization == "Bearer next"
    assert (await fetch(source)).authorization == "Bearer next"
    assert (tmp_path / "asked").read_text() == "config a b\n", "asked once"
    assert (tmp_path / "stdin").read_text() == "/dev/null\n"


async def test_gcp_with_an_expired_token_and_keys_of_its_own(tmp_path):
    command = gcloud(tmp_path / "gcloud", """echo '{"a": {"t": "own", "e": "2100-01-01T00:00:00Z"}}'""")
    config = {"access-token": "old", "expiry": "2020-01-01T00:00:00Z", "cmd-path": command,
              "token-key": "{.a.t}", "expiry-key": "{.a.e}"}  # fmt: skip
    assert (await fetch(provider("gcp", config))).authorization == "Bearer own"


async def test_gcp_that_fails(tmp_path):
    failing = gcloud(tmp_path / "one", "echo 'no account' >&2; exit 1")
    problem = await problem_of(provider("gcp", {"cmd-path": failing}))
    assert (problem.cause, problem.evidence) == (Cause.CREDENTIALS, "no account")
    rubbish = gcloud(tmp_path / "two", "echo hello")
    assert (await problem_of(provider("gcp", {"cmd-path": rubbish}))).cause is Cause.CREDENTIALS
    assert (await problem_of(provider("gcp", {"cmd-path": str(tmp_path / "three")}))).cause is Cause.CREDENTIALS
    assert (await problem_of(provider("gcp", {}))).cause is Cause.CONFIG
