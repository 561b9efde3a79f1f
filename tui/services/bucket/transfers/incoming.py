"""Answers of HTTP/1.1, read as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping

from tui.services.bucket.model import Lost
from tui.services.bucket.transfers.pipes import IDLE, WORKING, Pipe

_LARGEST_HEAD = 1 << 16


class Headers(Mapping[str, str]):
    """Headers of an answer; names in any case."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values = {name.lower(): value for name, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Incoming:
    """See `model.Answer`.

    Attributes:
        whole: all of its body was read.
        lasts: the connection can be used again then.
    """

    def __init__(self, lost: Callable[[str], Lost], pipe: Pipe, method: str) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.whole = False
        self.lasts = True
        self._lost = lost
        self._pipe = pipe
        self._method = method
        self._buffer = bytearray()
        self._left: int | None = None  # bytes of the body; None when it ends with the connection or is chunked
        self._chunked = False

    async def read_head(self) -> None:
        """Reads status and headers; interim answers (100) are passed over."""
        while True:
            end = await self._until(b"\r\n\r\n")
            lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
            del self._buffer[: end + 4]
            protocol, _, rest = lines[0].partition(" ")
            if not protocol.startswith("HTTP/1."):
                raise ValueError(f"no HTTP came, but {lines[0][:80]!r}")
            self.status = int(rest[:3])
            if self.status >= 200:
                break
        pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        self.headers = Headers([(name, value.encode("latin-1").decode("utf-8", "replace")) for name, value in pairs])
        connection = self.headers.get("connection", "").lower()
        self.lasts = connection != "close" and protocol == "HTTP/1.1"
        if self._method == "HEAD" or self.status in (204, 304):
            self._left = 0
            self.whole = True
        elif self.headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunked = True
        elif "content-length" in self.headers:
            self._left = int(self.headers["content-length"])
            self.whole = self._left == 0
        else:
            self.lasts = False

    async def _until(self, mark: bytes) -> int:
        seen = 0
        while (at := self._buffer.find(mark, max(0, seen - len(mark)))) < 0:
            seen = len(self._buffer)
            if seen > _LARGEST_HEAD:
                raise ValueError("the beginning of the answer is too long")
            self._buffer += await self._more()
        return at

    async def _more(self) -> bytes:
        data = await self._pipe.receive(WORKING if self._method == "POST" else IDLE)
        if not data:
            raise EOFError("the other side has closed it")
        return data

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self.pieces()])

    async def pieces(self, size: int = 1 << 18) -> AsyncIterator[bytes]:
        """The body, in the pieces in which it comes; none is larger than `size`."""
        del size  # sockets give no more than a slice
        try:
            if self._chunked:
                async for piece in self._chunks():
                    yield piece
            else:
                async for piece in self._plain(self._left):
                    yield piece
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            self.lasts = False
            raise self._lost(str(error) or f"nothing came for {IDLE:g} s") from error
        self.whole = True

    async def _plain(self, left: int | None) -> AsyncIterator[bytes]:
        while left is None or left > 0:
            if self._buffer:
                piece = bytes(self._buffer[:left])
                del self._buffer[: len(piece)]
            else:
                try:
                    piece = await self._more()
                except EOFError:
                    if left is None:
                        return
                    raise
                if left is not None and len(piece) > left:
                    self._buffer += piece[left:]
                    piece = piece[:left]
            if left is not None:
                left -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            end = await self._until(b"\r\n")
            size = int(bytes(self._buffer[:end]).split(b";", 1)[0], 16)
            del self._buffer[: end + 2]
            if size == 0:
                while (end := await self._until(b"\r\n")) > 0:  # trailers
                    del self._buffer[: end + 2]
                del self._buffer[:2]
                return
            async for piece in self._plain(size):
                yield piece
            await self._until(b"\r\n")
            del self._buffer[:2]
