"""Whether the program at the other end of a TCP connection within this machine still holds its socket (Linux).

A program that only says "I have sent all" and one that is gone send the same FIN. The kernel knows the difference: a
socket that no process holds has no inode. It is asked for one connection through `sock_diag(7)`, which needs no right
and takes some ten microseconds, however many connections there are.
"""

from __future__ import annotations

import errno
import socket
import struct

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, _NLMSG_ERROR = 4, 20, 1, 2
_ESTABLISHED = 1
_HEADER = struct.Struct("=IHHII")
#: Of `struct inet_diag_msg`, behind the header: state, and the inode, which is its last word.
_STATE_AT, _INODE_AT = _HEADER.size + 1, _HEADER.size + 4 + 48 + 16


def orphaned(peer: tuple[str, int], ours: tuple[str, int]) -> bool | None:
    """Whether no process holds the socket at `peer` any more that is connected to `ours`.

    Args:
        peer: IPv4 address and port of the program's end.
        ours: those of our end.

    Returns:
        None where that cannot be known: another system, or no such interface in this kernel.
    """
    if not hasattr(socket, "AF_NETLINK"):
        return None
    request = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
    request += struct.pack("!HH", peer[1], ours[1])
    request += b"".join(socket.inet_aton(host).ljust(16, b"\0") for host in (peer[0], ours[0]))
    request += struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # any interface, no cookie
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(0.1)
            kernel.send(header + request)
            answer = kernel.recv(4096)
    except OSError:
        return None
    if len(answer) < _HEADER.size + 4:
        return None
    if _HEADER.unpack_from(answer)[1] == _NLMSG_ERROR:
        gone = struct.unpack_from("=i", answer, _HEADER.size)[0] == -errno.ENOENT
        return True if gone else None
    if len(answer) < _INODE_AT + 4:
        return None
    inode = struct.unpack_from("=I", answer, _INODE_AT)[0]
    return bool(not inode and answer[_STATE_AT] != _ESTABLISHED)
