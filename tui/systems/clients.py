"""The variables by which programs are told where a forward is: what `system.yaml` says of them, and what they say then.

Only variables that clients really read are worth setting (PGHOST, MYSQL_TCP_PORT); which ones, the systems' files say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tui.kube.forward.listener import Listener
from tui.systems.block import Block, nearest
from tui.systems.packaging import ClientVariables

#: The places that values may hold, by the sort of address.
PLACES: Mapping[str, tuple[str, ...]] = {
    "tcp": ("host", "port", "address", "scheme"),
    "unix": ("path", "directory", "port"),
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLACE = re.compile(r"{([^{}]*)}|[{}]")


def read_environment(block: Block, ports: Mapping[str, int]) -> dict[str, ClientVariables]:
    """The `environment` of a `system.yaml`, by the name of the port that it is for.

    Raises:
        ProblemError: CONFIG, naming the file, the key and the nearest valid one.
    """
    found: dict[str, ClientVariables] = {}
    for name in block.data:
        if name not in ports:
            block.fail(name, f"is not one of `ports`{nearest(name, tuple(ports))}")
        variables = block.block(name, ("tcp", "unix", "socket"))
        socket = variables.text("socket")
        if "/" in socket:
            variables.fail("socket", f"is the name of a file without its directory, not {socket!r}")
        _check(variables, "socket", socket, ("port",))
        tcp, unix = (_variables(variables.block(kind, None), places) for kind, places in PLACES.items())
        found[name] = ClientVariables(tcp, unix, socket)
    return found


def _variables(block: Block, places: Sequence[str]) -> dict[str, str]:
    for key in block.data:
        if not _VARIABLE.fullmatch(key):
            block.fail(key, "cannot be the name of a variable")
        _check(block, key, block.text(key), places)
    return block.all_texts()


def _check(block: Block, key: str, text: str, places: Sequence[str]) -> None:
    for found in _PLACE.finditer(text):
        if found[1] not in places:
            valid = ", ".join(f"{{{place}}}" for place in places)
            block.fail(key, f"has {found[0]}, which is not one of {valid}{nearest(found[1] or '', places)}")


def filled(variables: ClientVariables, listener: Listener, *, remote: int, scheme: str) -> dict[str, str]:
    """The variables for an open listener, ready to be set.

    Args:
        variables: what the system's file says.
        listener: where the forward listens.
        remote: the number of the remote port, by which clients find a socket in a directory.
        scheme: `http` or `https`, for what speaks it.
    """
    if listener.path is not None:
        path = listener.path.absolute()
        values = {"path": str(path), "directory": str(path.parent), "port": str(remote)}
        return {name: text.format_map(values) for name, text in variables.unix.items()}
    values = {"host": listener.host, "port": str(listener.port), "address": listener.address, "scheme": scheme}
    return {name: text.format_map(values) for name, text in variables.tcp.items()}
