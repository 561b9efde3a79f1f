"""Certificates and keys for OpenSSL, which takes them from files alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def as_file(text: str) -> Iterator[str]:
    """A file for OpenSSL, which takes keys from nothing else. In memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            os.write(handle, text.encode())
            yield f"/proc/self/fd/{handle}"
        finally:
            os.close(handle)
    else:
        with tempfile.NamedTemporaryFile("w") as file:  # mode 0600
            file.write(text)
            file.flush()
            yield file.name
