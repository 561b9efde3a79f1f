"""Local names for keys. A key is any text; what becomes of it is always one path below the folder that was chosen.

Each piece between two slashes becomes one name. What no name may hold, or what would mean something to the file
system, is written as `%XX`; nothing is dropped, so two keys never share a name:

- `.` and `..`, NUL, control characters, backslashes, characters that reorder text: `%XX` for each of their bytes
- an empty piece (`/a`, `a//b`): `%empty`
- a piece longer than a name can be: its beginning, `%~` and a digest of the whole
- a folder whose name an object bears already (`a` and `a/b`): `a%folder`
- a `%` that could be mistaken for one of these: `%25`
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field

#: Bytes that a name may have on every file system in use, less what is put before a file that is not whole yet.
LONGEST = 255
#: What files that are not whole yet begin with; no key becomes such a name.
UNFINISHED = ".statetui-"
_EMPTY = "%empty"
_FOLDER = "%folder"
_LONG = "%~"
#: A percent sign that decoding would take for one of ours.
_OURS = re.compile(r"%(?=[0-9A-Fa-f]{2}|empty|folder|~)")
#: Categories of characters that no name gets: controls, what formats or reorders text, separators of lines, surrogates.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class LocalName:
    """Where a key goes.

    Attributes:
        folders: the names of the folders below the chosen one, outermost first.
        name: the file's; empty when the key is a folder's own (`a/`).
        changed: whether the names differ from the key's, which is said.
    """

    folders: tuple[str, ...]
    name: str
    changed: bool

    @property
    def path(self) -> str:
        """Relative, with slashes; for people and for maps."""
        return "/".join((*self.folders, self.name) if self.name else self.folders)


@dataclass
class Namer:
    """Names for the keys of one listing, which must come in the order of their UTF-8 bytes (as listings do).

    Args:
        prefix: what is left out at the beginning of each key.
    """

    prefix: str = ""
    _objects: list[str] = field(default_factory=list)  # keys that later ones may begin with

    def name(self, key: str) -> LocalName:
        """Where a key goes.

        Args:
            key: it begins with the prefix.
        """
        rest = key.removeprefix(self.prefix)
        while self._objects and not rest.startswith(self._objects[-1]):
            self._objects.pop()
        folders_of_objects = {one.count("/") for one in self._objects if rest.startswith(one + "/")}
        *folders, last = rest.split("/")
        names = tuple(
            component(piece) + (_FOLDER if depth in folders_of_objects else "") for depth, piece in enumerate(folders)
        )
        names = tuple(_shortened(name) for name in names)
        # `a/` is how consoles write an empty folder; below an object `a` it is one, too.
        marker = not last and bool(folders)
        name = "" if marker else _shortened(component(last))
        if not marker:
            self._objects.append(rest)
        plain = "/".join((*names, name) if name else names)
        return LocalName(names, name, plain != (rest.removesuffix("/") if marker else rest))

    def content_of_folder(self, key: str) -> LocalName:
        """Where a key that ends with a slash and has content goes: a file inside of the folder."""
        at = self.name(key)
        return LocalName(at.folders, _EMPTY, True)


def component(piece: str) -> str:
    """A name for one piece of a key, without a limit to its length; different pieces have different names.

    Args:
        piece: what is between two slashes.
    """
    if not piece:
        return _EMPTY
    text = _OURS.sub("%25", piece)
    if text in (".", "..") or text.startswith(UNFINISHED):
        text = text.replace(".", "%2E")
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(_encoded(char) if _harmful(char) else char for char in text)


def _harmful(char: str) -> bool:
    return char == "\\" or unicodedata.category(char) in _HARMFUL


def _encoded(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


def _shortened(name: str) -> str:
    data = name.encode("utf-8", "surrogatepass")
    if len(data) <= LONGEST:
        return name
    digest = hashlib.sha256(data).hexdigest()[:32]
    room = LONGEST - len(_LONG) - len(digest)
    return data[:room].decode("utf-8", "ignore") + _LONG + digest


def folded(path: str) -> str:
    """What a file system that knows neither case nor composition would take a path for (APFS, HFS+, exFAT)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def key_of(prefix: str, relative: str) -> str:
    """The key for a local file.

    Args:
        prefix: what keys begin with (`backup/`).
        relative: the path below the uploaded folder, with slashes.

    Raises:
        ValueError: the name is not UTF-8, or longer than a key can be; the text says which.
    """
    key = prefix + relative
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise ValueError("its name is not UTF-8, and a key must be") from error
    if size > 1024:
        raise ValueError(f"its key would have {size} bytes, and a key has at most 1,024")
    return key
