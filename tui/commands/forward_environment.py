"""How a program is told where forwards are: variables, places in its arguments, or a file."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tui.commands.forward_output import Entry
from tui.kube.forward.janitor import Janitor
from tui.kube.forward.listener import Listener
from tui.problem import Cause, Problem, ProblemError
from tui.systems.clients import filled
from tui.systems.forwarding import remote_port, scheme_of, variables_of, workload_of
from tui.systems.live import Live

_NAMES = ("HOST", "PORT", "ADDRESS", "SOCKET", "CONTEXT", "NAMESPACE", "WORKLOAD", "POD")
#: What another statetui around this one may have set, which would be wrong here.
_OURS = re.compile(rf"STATETUI_([0-9]+_)?({'|'.join(_NAMES)})")
_PLACE = re.compile(r"{(?:([1-9][0-9]?)\.)?(host|port|address|socket|pod)}")


def facts(entry: Entry, live: Live) -> dict[str, str]:
    """What is known of an open forward, by the names that are used for it; what it has not is left out."""
    listener = _listener(entry)
    view = entry.forward.view()
    workload = workload_of(entry.forward.target, live)
    found = {
        "HOST": listener.host,
        "PORT": str(listener.port) if listener.path is None else "",
        "ADDRESS": listener.address if listener.path is None else f"unix:{listener.path.absolute()}",
        "SOCKET": str(listener.path.absolute()) if listener.path is not None else "",
        "CONTEXT": live.context.name if live.context is not None else "",
        "NAMESPACE": view.namespace,
        "WORKLOAD": workload.name if workload is not None else "",
        "POD": view.pod.pod if view.pod is not None else "",
    }
    return {name: value for name, value in found.items() if value}


def variables(entries: Sequence[Entry], live: Live) -> dict[str, str]:
    """What to set (empty: to take away): ours, those of each forward when there are several, and the systems' own.

    Where two forwards would set the same, the first one does.
    """
    found: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        known = facts(entry, live)
        names = {f"STATETUI_{name}": value for name, value in known.items()} if number == 1 else {}
        if len(entries) > 1:
            names |= {f"STATETUI_{number}_{name}": value for name, value in known.items()}
        target = entry.forward.target
        if (clients := variables_of(target, live)) is not None:
            system = filled(clients, _listener(entry), remote=remote_port(target), scheme=scheme_of(target, live))
            # All of them or none: a host of the one with the port of the other would be worse than nothing.
            names |= system if not found.keys() & system.keys() else {}
        found |= names
    return found


def environment(given: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: what we were given, with these set and the empty ones taken away."""
    kept = {name: value for name, value in given.items() if not _OURS.fullmatch(name)} | dict(ours)
    return {name: value for name, value in kept.items() if value or name not in ours}


def expanded(words: Sequence[str], known: Sequence[Mapping[str, str]]) -> list[str]:
    """The words with the places filled: `{host}`, `{port}`, `{address}`, `{socket}`, `{pod}`; `{2.host}` of the second.

    Everything else in braces stays as it is.

    Raises:
        ProblemError: CONFIG, there is no such forward, or a socket has no port.
    """

    def fill(found: re.Match[str]) -> str:
        number = int(found[1] or 1)
        if number > len(known):
            raise _no_place(found[0], f"there are {len(known)} forwards" if len(known) > 1 else "there is one forward")
        value = known[number - 1].get(found[2].upper(), "")
        if not value:
            raise _no_place(found[0], f"the forward listens at {known[number - 1]['ADDRESS']}")
        return value

    return [_PLACE.sub(fill, word) for word in words]


def _no_place(place: str, why: str) -> ProblemError:
    return ProblemError(
        Problem(
            Cause.CONFIG, f"{place} cannot be filled in", why, "With --no-expand the command's words stay as they are."
        )
    )


def _listener(entry: Entry) -> Listener:
    assert entry.forward.listener is not None  # noqa: S101 (it was opened before anything is told of it)
    return entry.forward.listener


class EnvFile:
    """A file of `NAME=value` lines, as `docker run --env-file` reads them, that goes when we go."""

    def __init__(self, path: Path, content: Mapping[str, str]) -> None:
        """Writes it, for this user's eyes only.

        Raises:
            ProblemError: CONFIG, there is one already, or it cannot be written.
        """
        self._path = path
        # These files know no way to write a line end; one that stands there begins another variable.
        lines = [f"{name}={value}" for name, value in content.items() if value and value.isprintable()]
        try:
            # Never over something that is there: it may be somebody's.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise ProblemError(
                Problem(Cause.CONFIG, f"{path} exists already", "", "Remove it, or name another file.")
            ) from error
        except OSError as error:
            raise ProblemError(Problem(Cause.CONFIG, f"{path} cannot be written", error.strerror or "")) from error
        self._janitor = Janitor(path, socket=False)
        # Kept open: else its number could be given to a file that somebody puts in its place.
        self._file = os.fdopen(descriptor, "w")
        self._file.write("".join(f"{line}\n" for line in lines))
        self._file.flush()

    def __enter__(self) -> EnvFile:
        """It is there."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes it, unless somebody put another one in its place."""
        with contextlib.suppress(OSError):
            if os.path.samestat(self._path.lstat(), os.fstat(self._file.fileno())):
                self._path.unlink()
        self._file.close()
        self._janitor.dismiss()
