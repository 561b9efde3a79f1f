"""Ports that nobody has, for servers that start a while after theirs was chosen.

Not one that the system would give (port 0): any connection of this machine may be given the same one until the server
listens there, and keep it for as long as it lasts (seen where all pods share 127.0.0.1: a PostgreSQL that could not
start again and again).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Collection
from typing import Final

#: Below what Linux (32768) and others (49152) give to connections by themselves, and beside the ports that stand-ins
#: choose by their address (`tui.sandbox.images`).
RANGE: Final = range(28000, 30000)


def free_port(ip: str, taken: Collection[int] = ()) -> int:
    """A port of an address where nobody listens.

    Args:
        ip: the address.
        taken: ports that are promised to others.

    Raises:
        OSError: there is none.
    """
    # Others (a second sandbox) choose at the same time: from another place on.
    start = int.from_bytes(os.urandom(4), "big")
    for step in range(len(RANGE)):
        port = RANGE[(start + step) % len(RANGE)]
        if port in taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((ip, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
    raise OSError(errno.EADDRINUSE, f"no port of {RANGE.start} to {RANGE.stop - 1} is free on {ip}")
