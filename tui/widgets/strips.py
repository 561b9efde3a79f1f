"""Inked pieces to strips, the lines that Textual draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.ink import Piece


def strip_of(pieces: Sequence[Piece], styles: Mapping[str, Style], ground: Style, width: int) -> Strip:
    """A line of exactly `width` cells. Neighbours of one look become one segment: each costs 40 bytes on the wire."""
    segments: list[Segment] = []
    text, style = "", ground
    for part, ink in pieces:
        look = ground if ink == "header" else ground + styles.get(ink, Style.null())
        if look == style or (part.isspace() and not style.reverse and not look.reverse):
            text += part
            continue
        if text:
            segments.append(Segment(text, style))
        text, style = part, look
    if text:
        segments.append(Segment(text, style))
    return Strip(segments).adjust_cell_length(width, ground)
