"""Client certificates for brokers that want to see one: out of files, or out of a Secret that somebody names.

No packaging keeps one for clients: a RabbitmqCluster's `tls.secretName` is the broker's own, and `tls.caSecretName`
holds the authority that signs them. So nothing is looked for.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tui.kube.api import Api
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.model import ClientCertificate, Login
from tui.systems.credentialsearch import Reader, missing
from tui.systems.model import Workload
from tui.systems.podvariables import Reference

#: What names a Secret in place of a file, and the keys of a Secret of the type kubernetes.io/tls.
SECRET = "secret/"  # noqa: S105
_CHAIN, _KEY = "tls.crt", "tls.key"


def given(certificate: str, key: str) -> ClientCertificate | None:
    """What was given; None for nothing. A Secret is read by `read` later.

    Args:
        certificate: a file, or `secret/NAME`.
        key: a file; empty where the key stands in the certificate's file, or for a Secret.

    Raises:
        ProblemError: CONFIG, a file cannot be read, or the two do not go together.
    """
    certificate, key = certificate.strip(), key.strip()
    if not certificate and not key:
        return None
    if not certificate:
        raise ProblemError(Problem(Cause.CONFIG, "A key goes with a certificate", key, "Give its file as well."))
    if certificate.startswith(SECRET):
        if key:
            raise ProblemError(Problem(Cause.CONFIG, "A Secret holds certificate and key", key, "Leave the key out."))
        return ClientCertificate(secret=certificate.removeprefix(SECRET))
    return ClientCertificate(_text(certificate), _text(key) if key else "")


async def read(login: Login, api: Api, workload: Workload) -> Login:
    """The login with what stands in the Secret that its certificate names, if it names one.

    Raises:
        ProblemError: it may not be read, or holds no certificate; with the right that would do.
    """
    if login.certificate is None or not (secret := login.certificate.secret):
        return login
    reader = Reader(api, workload.namespace)
    chain = await reader.value(Reference("secrets", secret, _CHAIN))
    key = await reader.value(Reference("secrets", secret, _KEY)) if chain is not None else None
    if chain is None or key is None:
        raise ProblemError(missing(workload.name, reader.looked, "Give the files of a certificate and its key"))
    return replace(login, certificate=ClientCertificate(chain, key))


def _text(file: str) -> str:
    try:
        return Path(file).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(Problem(Cause.CONFIG, f"{file} cannot be read", str(error), "PEM is expected.")) from error
