"""The login methods that kubectl once had built in: OIDC and gcp.

What of this is kubernetes_asyncio's, and why not more: its loader decides on gcp tokens (when they end, when to ask for
new ones) and lets us supply the asking, so that part is used. Its OIDC part is not: without
`idp-certificate-authority-data` it does not check the identity provider's certificate at all and would hand the refresh
token to whoever answers, with it every refresh fails; it knows no `idp-certificate-authority` file, no public clients
and no answer without a new refresh token; and it drops the provider's own words, which say what to do. Its gcp part on
its own would run gcloud on our standard input and wait for ever.

The library is imported here only, in a thread, and only by who has a gcp user: the import takes longer than connecting.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import os
import shlex
import ssl
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from tui.kube import failures, places, program
from tui.kube.context import Context
from tui.kube.credentials import Identity, Source, header_value
from tui.kube.kubeconfig import AuthProvider
from tui.kube.proxies import proxy_from_environment
from tui.problem import Cause, Problem, ProblemError

T = TypeVar("T")

#: Seconds that an identity provider or gcloud may take.
TIMEOUT = 30.0
#: Seconds before its end at which an id-token counts as expired.
MARGIN = 30.0


def auth_provider_source(provider: AuthProvider, context: Context) -> Source:
    """The source for an `auth-provider` entry."""
    if provider.name == "oidc":
        return OidcSource(provider, context)
    if provider.name == "gcp":
        return GcpSource(provider, context)
    return _Unknown(provider.name or "(none)", context)


class _Unknown:
    """A method that is no more."""

    def __init__(self, name: str, context: Context) -> None:
        self.title = f"the auth-provider {name}"
        close = places.nearest(name, ("oidc", "gcp"))
        self._problem = Problem(
            Cause.CONFIG,
            f'The user "{context.user_name}" has the auth-provider "{name}", which nobody supports any more',
            context.user_source,
            f'Is "{close}" meant?' if close else "Use an exec plugin instead (for azure: kubelogin).",
        )

    async def fetch(self, *, refused: bool) -> Identity:
        """Always fails."""
        raise ProblemError(self._problem)


# --- OIDC


class _Metadata(msgspec.Struct, frozen=True):
    """What an identity provider says of itself."""

    token_endpoint: str
    token_endpoint_auth_methods_supported: list[str] = []


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str | None = None
    refresh_token: str | None = None


class OidcSource:
    """An id-token, renewed with the refresh-token by the identity provider.

    Providers that hand out each refresh-token for one use only make the one in the kubeconfig worthless when it is
    used. The new one is therefore written back into the file, as kubectl does; nothing else of the file changes.
    """

    def __init__(self, provider: AuthProvider, context: Context) -> None:
        self._context = context
        self._given = provider.config or {}
        self._id_token = self._given.get("id-token") or ""
        self._refresh_token = self._given.get("refresh-token") or ""
        self.title = f"the identity provider {self._given.get('idp-issuer-url') or '(none)'}"

    async def fetch(self, *, refused: bool) -> Identity:
        """The id-token at hand if it still holds, else a new one.

        Raises:
            ProblemError: CONFIG for an incomplete entry; CREDENTIALS with the provider's words; UNREACHABLE or TIMEOUT.
        """
        expires = expiry_of(self._id_token)
        if self._id_token and not refused and (expires is None or time.time() < expires - MARGIN):
            return self._identity()
        if not self._refresh_token:
            if self._id_token and refused:
                return self._identity()
            raise ProblemError(
                Problem(
                    Cause.CREDENTIALS,
                    "The id-token has expired and there is no refresh-token"
                    if self._id_token
                    else f'The user "{self._context.user_name}" has neither id-token nor refresh-token',
                    self._context.user_source,
                    "Log in again with the tool that wrote the kubeconfig.",
                )
            )
        await self._refresh()
        return self._identity()

    def _identity(self) -> Identity:
        expires = expiry_of(self._id_token)
        return Identity(
            header_value(f"Bearer {self._id_token}", "token"), expires=None if expires is None else expires - MARGIN
        )

    def _config(self, key: str) -> str:
        value = self._given.get(key)
        if not value:
            raise ProblemError(
                Problem(
                    Cause.CONFIG,
                    f'The user "{self._context.user_name}" lacks "{key}" in its auth-provider',
                    self._context.user_source,
                    f'Add "{key}" to auth-provider.config.',
                )
            )
        return value

    async def _refresh(self) -> None:
        issuer, client = self._config("idp-issuer-url").rstrip("/"), self._config("client-id")
        context = await asyncio.to_thread(self._tls)
        proxy = proxy_from_environment(issuer, os.environ) or None
        try:
            async with aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                connector=aiohttp.TCPConnector(ssl=context),
                headers={"Accept": "application/json"},
            ) as session:
                url = f"{issuer}/.well-known/openid-configuration"
                async with session.get(url, proxy=proxy) as answer:
                    metadata = self._decode(answer, await answer.content.read(1 << 20), _Metadata)
                headers, form = self._request(client, metadata)
                async with session.post(
                    metadata.token_endpoint, data=form, headers=headers, proxy=proxy, allow_redirects=False
                ) as answer:
                    tokens = self._decode(answer, await answer.content.read(1 << 20), _Tokens)
        except (aiohttp.ClientError, OSError) as error:
            raise ProblemError(failures.of_exception(error, issuer, proxy=proxy or "")) from error
        if not tokens.id_token:
            raise ProblemError(
                Problem(
                    Cause.CREDENTIALS,
                    f"{issuer} renewed the login but sent no id_token",
                    "",
                    "The client needs the scope openid; ask whoever runs the identity provider.",
                )
            )
        before, self._id_token = (self._id_token, self._refresh_token), tokens.id_token
        if tokens.refresh_token and tokens.refresh_token != self._refresh_token:
            self._refresh_token = tokens.refresh_token
            after = (self._id_token, self._refresh_token)
            await asyncio.to_thread(write_back, Path(self._context.user_source), before, after)

    def _request(self, client: str, metadata: _Metadata) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and form of a refresh. A public client has no secret and names itself in the form."""
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        secret = self._given.get("client-secret") or ""
        methods = metadata.token_endpoint_auth_methods_supported
        if secret and (not methods or "client_secret_basic" in methods):
            pair = f"{quote(client, safe='')}:{quote(secret, safe='')}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode('ascii')}"}, form
        form["client_id"] = client
        if secret:
            form["client_secret"] = secret
        return {}, form

    def _tls(self) -> ssl.SSLContext:
        made = ssl.create_default_context()
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT
        encoded, path = self._given.get("idp-certificate-authority-data"), self._given.get("idp-certificate-authority")
        try:
            if encoded:
                made.load_verify_locations(cadata=base64.b64decode(encoded).decode("ascii", "ignore"))
            elif path:
                made.load_verify_locations(cafile=Path(self._context.user_source).parent / path)
        except (OSError, ValueError) as error:
            raise ProblemError(
                Problem(
                    Cause.CONFIG,
                    "The idp-certificate-authority of the user cannot be used",
                    f"{path or self._context.user_source}: {error}",
                    "Get the identity provider's CA anew.",
                )
            ) from error
        return made

    def _decode(self, answer: aiohttp.ClientResponse, body: bytes, kind: type[T]) -> T:
        """Decodes an answer; a refusal is told in the provider's words."""
        if answer.status >= 300:
            with contextlib.suppress(msgspec.DecodeError, ValueError, AttributeError):
                said = msgspec.json.decode(body, type=dict[str, Any])
                body = " ".join(str(said[k]) for k in ("error", "error_description") if k in said).encode() or body
            raise ProblemError(
                Problem(
                    Cause.CREDENTIALS,
                    f"The login could not be renewed: the identity provider answered {answer.status}",
                    failures.first_words(body),
                    "Log in again with the tool that wrote the kubeconfig.",
                )
            )
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, ValueError) as error:
            raise ProblemError(
                failures.not_decodable(error, body, f"{answer.method} {answer.url.with_query(None)}")
            ) from error


def expiry_of(token: str) -> float | None:
    """When a JSON web token ends (seconds of the wall clock); None when it does not say."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def write_back(path: Path, before: tuple[str, ...], after: tuple[str, ...]) -> bool:
    """Replaces tokens in a kubeconfig, and nothing else of it.

    Returns:
        False when that was not possible; the new tokens then live as long as this program does.
    """
    try:
        path = path.resolve(strict=True)
        text = path.read_text(encoding="utf-8")
        for old, new in zip(before, after, strict=True):
            if old and text.count(old) != 1:
                return False
            text = text.replace(old, new) if old else text
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor has no path)
                file.write(text)
            Path(name).chmod(path.stat().st_mode & 0o777)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except (OSError, UnicodeError):
        return False
    return True


# --- gcp


class GcpSource:
    """A token of gcloud, by kubernetes_asyncio's loader; gcloud itself is run by us."""

    title = "gcloud"

    def __init__(self, provider: AuthProvider, context: Context) -> None:
        self._context = context
        self._given = {key: value for key, value in (provider.config or {}).items() if value}

    async def fetch(self, *, refused: bool) -> Identity:
        """The token at hand if it still holds, else a new one from gcloud.

        Raises:
            ProblemError: CONFIG or CREDENTIALS.
        """
        config = dict(self._given)
        if refused:
            config.pop("access-token", None)
        loader_class = await asyncio.to_thread(_library_loader)
        entry = {"name": "gcp", "config": config}
        loader = loader_class(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": self._context.server}}],
                "users": [{"name": "u", "user": {"auth-provider": entry}}],
            },
            get_google_credentials=self._ask_gcloud,
        )
        try:
            authorization = str(await loader.load_gcp_token())
        except ValueError as error:
            raise ProblemError(
                Problem(
                    Cause.CONFIG,
                    "The gcp token's expiry cannot be read",
                    str(error),
                    "Run: gcloud container clusters get-credentials …",
                )
            ) from error
        self._given = {key: str(value) for key, value in config.items()}  # the loader put the new token into it
        # The loader renews five minutes before the end; it is asked each minute.
        return Identity(header_value(authorization, "token"), expires=time.time() + 60)

    async def _ask_gcloud(self) -> SimpleNamespace:
        command = self._given.get("cmd-path", "")
        if not command:
            raise ProblemError(
                Problem(
                    Cause.CONFIG,
                    f'The user "{self._context.user_name}" logs in with gcp, without a cmd-path',
                    self._context.user_source,
                    "Install gke-gcloud-auth-plugin and run: gcloud container clusters get-credentials …",
                )
            )
        try:
            done = await program.run(command, shlex.split(self._given.get("cmd-args", "")), dict(os.environ), TIMEOUT)
        except (OSError, ValueError) as error:
            raise ProblemError(
                Problem(Cause.CREDENTIALS, "gcloud cannot be started", f"{command}: {error}", "Is it installed?")
            ) from error
        if done.status != 0:
            how = (
                f"did not finish within {TIMEOUT:g} s" if done.status is None else f"failed (exit status {done.status})"
            )
            raise ProblemError(
                Problem(Cause.CREDENTIALS, f"gcloud {how}", program.shown(done.stderr), "Run: gcloud auth login")
            )
        try:
            answer = json.loads(done.stdout)
            return SimpleNamespace(
                token=_pick(answer, self._given.get("token-key", "{.credential.access_token}")),
                expiry=_pick(answer, self._given.get("expiry-key", "{.credential.token_expiry}")),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ProblemError(
                Problem(
                    Cause.CREDENTIALS,
                    "gcloud did not print a token",
                    program.shown(done.stderr),
                    "Run: gcloud auth login",
                )
            ) from error


def _pick(answer: Any, path: str) -> str:  # noqa: ANN401 (JSON)
    """The text at a path like `{.credential.access_token}`."""
    for key in path.strip("{} ").strip(".").split("."):
        answer = answer[key]
    if not isinstance(answer, str):
        raise TypeError(path)
    return answer


def _library_loader() -> Any:  # noqa: ANN401 (the library is untyped)
    """kubernetes_asyncio's loader; the import takes hundreds of milliseconds, so it is done off the event loop."""
    from kubernetes_asyncio.config.kube_config import KubeConfigLoader  # noqa: PLC0415

    return KubeConfigLoader
