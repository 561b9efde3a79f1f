"""Exec plugins: programs that print credentials (`aws`, `gke-gcloud-auth-plugin`, `kubelogin` …).

kubernetes_asyncio's ExecProvider is not used: it lets the plugin read our standard input and tells it that it may ask
questions, which it would then do in the middle of the screen; it waits for ever; it ignores `interactiveMode`,
`provideClusterInfo` and `installHint`; and it loads certificates once and never again.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tui.kube import program
from tui.kube.context import Context
from tui.kube.credentials import Identity, header_value
from tui.kube.kubeconfig import Exec
from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)

#: Seconds a plugin may take; one that waits for a person waits for ever.
TIMEOUT = 30.0

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: datetime | None = None


class _Credential(msgspec.Struct, frozen=True, rename="camel"):
    """What a plugin prints."""

    kind: str
    api_version: str
    status: _Status | None = None


class ExecSource:
    """Runs the plugin whenever an identity is needed; it never has a terminal."""

    def __init__(self, spec: Exec, context: Context, *, timeout: float | None = None) -> None:
        """Takes the plugin's entry; it is checked when it is used.

        Args:
            spec: the `exec` key of the user.
            context: whose credentials they are; its cluster is told to the plugin if it asks for that.
            timeout: seconds until the plugin is killed; None takes `TIMEOUT`.
        """
        self._spec = spec
        self._context = context
        self._timeout = TIMEOUT if timeout is None else timeout
        self._command = spec.command or ""
        self.title = f"the exec plugin {Path(self._command).name}"

    async def fetch(self, *, refused: bool) -> Identity:
        """Runs the plugin once.

        Raises:
            ProblemError: CONFIG for an entry that cannot work; CREDENTIALS with what the plugin printed.
        """
        self._check()
        environment = await asyncio.to_thread(self._environment)
        try:
            done = await program.run(self._command, self._spec.args or (), environment, self._timeout)
        except FileNotFoundError as error:
            raise ProblemError(
                self._problem(
                    "is not installed",
                    f"{self._command}: not found",
                    self._spec.install_hint or "Install it, or correct command in the kubeconfig.",
                )
            ) from error
        except (OSError, ValueError) as error:
            words = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise ProblemError(
                self._problem(
                    "cannot be started",
                    f"{self._command}: {words}",
                    self._spec.install_hint or "Is it a program, and may it be executed?",
                )
            ) from error
        if done.status is None:
            raise ProblemError(
                self._problem(
                    f"did not finish within {self._timeout:g} s and was stopped",
                    program.shown(done.stderr),
                    f"It may wait for an answer that it cannot get here. Log in in a shell first: {self._shell_line()}",
                )
            )
        if done.status:
            how = f"was killed by signal {-done.status}" if done.status < 0 else f"failed (exit status {done.status})"
            raise ProblemError(
                self._problem(
                    how,
                    program.shown(done.stderr) or _shown_output(done.stdout),
                    f"Try it in a shell: {self._shell_line()}",
                )
            )
        return self._identity(done.stdout, done.stderr)

    def _check(self) -> None:
        """Raises for an entry that cannot work."""
        spec = self._spec
        if not self._command:
            raise ProblemError(self._config("its exec plugin names no command", 'Add "command" to exec.'))
        if spec.api_version not in _VERSIONS:
            raise ProblemError(
                self._config(
                    f"its exec plugin has the apiVersion {spec.api_version or '(none)'}",
                    f"Known are {' and '.join(_VERSIONS)}; newer releases of the plugin write one of them.",
                )
            )
        if spec.interactive_mode not in (None, "Never", "IfAvailable", "Always"):
            raise ProblemError(
                self._config(
                    f'interactiveMode is "{spec.interactive_mode}"', "It must be Never, IfAvailable or Always."
                )
            )
        if spec.interactive_mode == "Always":
            raise ProblemError(
                self._problem(
                    "has to ask something, which it cannot do here",
                    "interactiveMode: Always",
                    f"Log in in a shell first ({self._shell_line()}), or use a plugin that keeps its login.",
                )
            )

    def _environment(self) -> dict[str, str]:
        information: dict[str, Any] = {
            "apiVersion": self._spec.api_version,
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
        if self._spec.provide_cluster_info:
            information["spec"]["cluster"] = self._cluster_information()
        return {
            **os.environ,
            **{variable.name: variable.value or "" for variable in self._spec.env or ()},
            "KUBERNETES_EXEC_INFO": json.dumps(information),
        }

    def _cluster_information(self) -> dict[str, Any]:
        cluster = self._context.cluster
        authority = cluster.certificate_authority_data
        if not authority and cluster.certificate_authority:
            with contextlib.suppress(OSError):  # the TLS context will say so
                authority = base64.b64encode(Path(cluster.certificate_authority).read_bytes()).decode("ascii")
        told: dict[str, Any] = {
            "server": self._context.server,
            "tls-server-name": cluster.tls_server_name,
            "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
            "certificate-authority-data": authority,
            "proxy-url": cluster.proxy_url,
            "disable-compression": cluster.disable_compression,
            "config": next(
                (
                    e.get("extension")
                    for e in cluster.extensions or ()
                    if e.get("name") == "client.authentication.k8s.io/exec"
                ),
                None,
            ),
        }
        return {key: value for key, value in told.items() if value}

    def _identity(self, stdout: bytes, stderr: bytes) -> Identity:
        complaint = program.shown(stderr)
        try:
            credential = msgspec.json.decode(stdout, type=_Credential)
        except (msgspec.DecodeError, ValueError) as error:
            printed = _shown_output(stdout)
            raise ProblemError(
                self._problem(
                    "did not print a credential",
                    "; ".join(filter(None, (str(error), f"it printed: {printed}", complaint))),
                    f"Try it in a shell: {self._shell_line()}",
                )
            ) from error
        if credential.kind != "ExecCredential" or credential.api_version != self._spec.api_version:
            raise ProblemError(
                self._problem(
                    "printed something else than was asked for",
                    f"{credential.kind} {credential.api_version} instead of ExecCredential {self._spec.api_version}",
                    "Update the plugin, or correct apiVersion in the kubeconfig.",
                )
            )
        status = credential.status or _Status()
        if bool(status.client_certificate_data) != bool(status.client_key_data):
            raise ProblemError(self._problem("printed half of a client certificate", complaint))
        if not status.token and not status.client_certificate_data:
            raise ProblemError(self._problem("printed a credential with neither token nor certificate", complaint))
        expires = status.expiration_timestamp
        if expires is not None and expires.tzinfo is None:
            expires = expires.replace(tzinfo=UTC)
        return Identity(
            header_value(f"Bearer {status.token.strip()}", "token") if status.token else "",
            (status.client_certificate_data or "").encode(),
            (status.client_key_data or "").encode(),
            expires.timestamp() if expires else None,
            complaint,
        )

    def _problem(self, how: str, evidence: str, remedy: str = "") -> Problem:
        return Problem(Cause.CREDENTIALS, f"{self.title[:1].upper()}{self.title[1:]} {how}", evidence, remedy)

    def _config(self, what: str, remedy: str) -> Problem:
        return Problem(
            Cause.CONFIG,
            f'The user "{self._context.user_name}" cannot be used: {what}',
            self._context.user_source,
            remedy,
        )

    def _shell_line(self) -> str:
        """The command without its arguments: those may hold secrets."""
        return f"{self._command} …" if self._spec.args else self._command


def _shown_output(stdout: bytes) -> str:
    """A plugin's output as it may be shown: not at all when there may be a credential in it."""
    if any(sign in stdout.lower() for sign in (b"token", b"clientkeydata", b"private key")):
        return "(not shown: it may hold a credential)"
    return program.shown(stdout) or "(nothing)"
