"""How a broker is spoken to, as far as its packaging tells."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from tui.problem import Cause, Problem, ProblemError


@dataclass(frozen=True, slots=True)
class Security:
    """TLS, as far as the packaging tells.

    Attributes:
        tls: False for none; None when the ports must tell.
        authority: PEM of the certificate authority, empty when the cluster gives no means to verify.
        name: the name to verify, empty for the way's host.
    """

    tls: bool | None = None
    authority: str = ""
    name: str = ""

    def context(self) -> ssl.SSLContext:
        """TLS that is verified where there is an authority.

        A certificate that is its own authority, or was made by one that is not at hand, may be trusted as it is
        (X509_V_FLAG_PARTIAL_CHAIN): the cluster's Secret says that it is the broker's.

        Raises:
            ProblemError: the authority cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not self.authority:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cadata=self.authority)
        except (ssl.SSLError, ValueError) as error:
            raise ProblemError(Problem(
                Cause.CREDENTIALS, "The broker's certificate authority that was found cannot be used", str(error)
            )) from error  # fmt: skip
        return context
