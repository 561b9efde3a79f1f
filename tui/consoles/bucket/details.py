"""What is told of one object, one bucket or a choice of several: lines to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui.consoles.bucket.words import moment, size
from tui.services.bucket.model import Anonymous, Bucket, Detail, Entry
from tui.text import counted, safe
from tui.widgets.lines import Line

#: Cells of what a fact is called.
LEAD = 11
#: Headers that are told in words of their own, or say nothing about the object.
_TOLD = frozenset({
    "content-length", "content-type", "etag", "last-modified", "date", "server", "connection", "accept-ranges",
    "x-amz-version-id", "x-amz-storage-class", "x-amz-request-id", "x-amz-id-2", "vary", "keep-alive",
    "strict-transport-security", "x-content-type-options", "x-xss-protection", "x-ratelimit-limit",
    "x-ratelimit-remaining", "x-amz-tagging-count",
})  # fmt: skip


def fact(name: str, value: str, ink: str = "") -> Line:
    """One fact; its value is wrapped below itself."""
    return Line(((f"{name:<{LEAD}} ", "dim"), (safe(value), ink)), hang=LEAD + 1)


def of_entry(entry: Entry) -> list[Line]:
    """What the listing says of it, before anything else is asked."""
    lines = [Line(((safe(entry.key), "strong"),)), Line()]
    if entry.folder:
        return [*lines, fact("kind", "folder: what keys have in common")]
    if entry.deleted:
        return [
            *lines,
            fact("kind", "delete marker: the object is hidden, older versions stand", "warn"),
            fact("version", entry.version),
            fact("made", moment(entry.modified)),
        ]
    lines.append(fact("size", f"{size(entry.size or 0)}   {entry.size or 0:,} bytes"))
    lines.append(fact("modified", moment(entry.modified)))
    lines.append(fact("ETag", entry.etag.strip('"')))
    if entry.storage:
        lines.append(fact("class", entry.storage))
    if entry.version:
        lines.append(fact("version", f"{entry.version}{'' if entry.latest else ', not the latest'}"))
    return lines


def of_detail(detail: Detail) -> list[Line]:
    """All that is known of an object."""
    etag = detail.etag.strip('"')
    made_of = etag.rpartition("-")[2] if "-" in etag else ""
    parts = f"   {counted(int(made_of), 'part')}: no MD5 of the whole" if made_of.isdigit() else ""
    lines = [
        Line(((safe(detail.key), "strong"),)),
        Line(),
        fact("size", f"{size(detail.size)}   {detail.size:,} bytes"),
        fact("type", detail.content_type),
        fact("modified", moment(detail.modified)),
        fact("ETag", f"{etag}{parts}"),
    ]
    if detail.storage:
        lines.append(fact("class", detail.storage))
    if detail.version:
        lines.append(fact("version", detail.version))
    for name, value in detail.checksums.items():
        lines.append(fact(name, value))
    if detail.retention is not None:
        mode, until = detail.retention
        lines.append(fact("retention", f"{mode} until {moment(until)}", "warn"))
    if detail.hold:
        lines.append(fact("hold", "legal hold: it cannot be deleted", "warn"))
    lines += _pairs("TAGS", detail.tags)
    lines += _pairs("METADATA", detail.metadata)
    told = ("x-amz-meta-", "x-amz-checksum-", "x-amz-object-lock-")
    rest = {name: value for name, value in detail.headers.items()
            if name.lower() not in _TOLD and not name.lower().startswith(told)}  # fmt: skip
    lines += _pairs("HEADERS", rest)
    if detail.unknown:
        lines += [Line(), Line((("NOT KNOWN", "dim"),))]
        lines += [Line((("? ", "unknown"), (safe(one), "dim")), hang=2) for one in detail.unknown]
    return lines


def _pairs(title: str, pairs: object) -> list[Line]:
    if not pairs or not hasattr(pairs, "items"):
        return []
    return [Line(), Line(((title, "dim"),)), *(fact(safe(name), value) for name, value in sorted(pairs.items()))]


def of_bucket(bucket: Bucket, anonymous: Anonymous | None) -> list[Line]:
    """What is known of a bucket."""
    lines = [Line(((safe(bucket.name), "strong"),)), Line(), fact("created", moment(bucket.created))]
    if bucket.objects is None or bucket.size is None:
        lines.append(fact("objects", "not counted; # counts them", "dim"))
    else:
        lines.append(fact("objects", f"{bucket.objects:,}"))
        lines.append(fact("size", f"{size(bucket.size)}   {bucket.size:,} bytes"))
        lines.append(fact("known from", bucket.counted, "dim"))
    if anonymous is not None:
        open_to_all = anonymous not in (Anonymous.NONE, Anonymous.UNKNOWN)
        unknown = anonymous is Anonymous.UNKNOWN
        said = f"{anonymous}: the policy may not be read, or the server has no policies" if unknown else anonymous
        lines.append(fact("access", f"⚠ {said}" if open_to_all else said, "failing" if open_to_all else ""))
    return lines


def of_choice(entries: Sequence[Entry]) -> list[Line]:
    """What several entries are together."""
    folders = sum(one.folder for one in entries)
    files = [one for one in entries if not one.folder]
    total = sum(one.size or 0 for one in files)
    lines = [Line(((f"{len(entries):,} marked", "strong"),)), Line()]
    if files:
        lines.append(fact("objects", f"{len(files):,}   {size(total)}"))
    if folders:
        lines.append(fact("folders", f"{counted(folders, 'folder')}, with all that is below"))
    return lines


def summed(entries: Iterable[Entry]) -> str:
    """`3 objects (12Mi) and 1 folder`."""
    listed = list(entries)
    files = [one for one in listed if not one.folder]
    folders = len(listed) - len(files)
    parts = []
    if files:
        parts.append(f"{counted(len(files), 'object')} ({size(sum(one.size or 0 for one in files))})")
    if folders:
        parts.append(counted(folders, "folder"))
    return " and ".join(parts)
