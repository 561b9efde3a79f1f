"""Who may speak to the server: certificates and tokens, and the kubeconfig that holds them."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.sandbox.model import ApiError, Json
from tui.sandbox.pki import Authority, Pair, write_private

#: The groups of everybody who has said who they are.
_KNOWN = "system:authenticated"
#: Users with tokens, and their groups; what they may is said by the roles that `seeds.py` makes.
_TOKENS = ("viewer", "nobody")
#: The members of this group may everything (the real server binds it to cluster-admin).
MASTERS = "system:masters"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True, slots=True)
class Files:
    """What is kept of the users in the sandbox's directory; only its owner may read any of it."""

    directory: Path

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig."""
        return self.directory / "kubeconfig"

    @property
    def certificates(self) -> Path:
        """The certificates and keys."""
        return self.directory / "certificates.json"


class Users:
    """The users of one directory; made at the first start, read at the next ones."""

    def __init__(self, directory: Path, host: str) -> None:
        """Reads them, or makes them.

        Raises:
            OSError: the directory cannot be read or written.
        """
        self._files = Files(directory)
        self._host = host
        kept = self._read()
        if kept is None:
            authority = Authority()
            names = ("localhost", "kubernetes", "kubernetes.default.svc", "127.0.0.1", host)
            kept = {
                "host": host,
                "authority": authority.certificate,
                "server": _told(authority.issue("statetui-sandbox", names=tuple(dict.fromkeys(names)), server=True)),
                "admin": _told(authority.issue("admin", groups=(MASTERS,))),
                "tokens": {secrets.token_urlsafe(32): name for name in _TOKENS},
            }
            write_private(self._files.certificates, json.dumps(kept))
        self._kept = kept

    def _read(self) -> dict[str, Any] | None:
        try:
            kept = json.loads(self._files.certificates.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        whole = isinstance(kept, dict) and {"host", "authority", "server", "admin", "tokens"} <= kept.keys()
        return kept if whole and kept["host"] == self._host else None

    def tls(self) -> ssl.SSLContext:
        """TLS for the server: it asks for certificates and serves without."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = self._files.directory / "server.pem"
        write_private(pair, self._kept["server"]["certificate"] + self._kept["server"]["key"])
        made.load_cert_chain(pair)
        made.verify_mode = ssl.CERT_OPTIONAL
        made.load_verify_locations(cadata=self._kept["authority"])
        return made

    def write_kubeconfig(self, url: str) -> Path:
        """Writes the kubeconfig, with a context for each user."""

        def encoded(text: str) -> str:
            return base64.b64encode(text.encode()).decode()

        admin = self._kept["admin"]
        users: list[Json] = [
            {
                "name": "admin",
                "user": {
                    "client-certificate-data": encoded(admin["certificate"]),
                    "client-key-data": encoded(admin["key"]),
                },
            }
        ]
        users += [{"name": name, "user": {"token": token}} for token, name in self._kept["tokens"].items()]
        cluster = {"server": url, "certificate-authority-data": encoded(self._kept["authority"])}
        contexts = [
            {
                "name": "sandbox" if user["name"] == "admin" else f"sandbox-{user['name']}",
                "context": {"cluster": "sandbox", "user": user["name"], "namespace": "default"},
            }
            for user in users
        ]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": users,
            "contexts": contexts,
            "current-context": "sandbox",
        }
        # JSON is YAML, and needs no library to be written.
        write_private(self._files.kubeconfig, json.dumps(config, indent=2) + "\n")
        return self._files.kubeconfig

    def who(self, authorization: str, certificate: Json | None) -> User:
        """Who asks: by token, else by certificate, else nobody that is known.

        Raises:
            ApiError: 401 Unauthorized for a token that is not known.
        """
        scheme, _, token = authorization.partition(" ")
        if authorization:
            found = [
                name
                for known, name in self._kept["tokens"].items()
                if hmac.compare_digest(known.encode(), token.strip().encode())
            ]
            if scheme.lower() != "bearer" or not found:
                raise ApiError(401, "Unauthorized", "Unauthorized")
            return User(found[0], (_KNOWN,))
        if certificate:
            parts = [pair for entry in certificate.get("subject", ()) for pair in entry]
            common = next((value for key, value in parts if key == "commonName"), "")
            groups = tuple(value for key, value in parts if key == "organizationName")
            if common:
                return User(common, (*groups, _KNOWN))
        return ANONYMOUS


def _told(pair: Pair) -> dict[str, str]:
    return {"certificate": pair.certificate, "key": pair.key}
