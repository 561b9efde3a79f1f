"""`statetui bucket W ls|mb|rb|rm|stat|du|presign|versions|policy|uploads|info`: asks a store, and changes it."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.commands import exits
from tui.commands.amounts import size
from tui.commands.bucket_counter import Counter
from tui.commands.bucket_emptying import empty, tell_hidden
from tui.commands.bucket_places import StorePlace, place
from tui.commands.bucket_records import record
from tui.commands.given import unreadable
from tui.commands.remarks import note
from tui.commands.table import Cell, Table, paper
from tui.commands.wronguse import WrongUseError, wrong
from tui.problem import Cause, ProblemError
from tui.services.bucket.model import Anonymous, Entry, Failure, StoreError
from tui.services.bucket.store import Store
from tui.services.bucket.transfers.planning import Options
from tui.text import one_line, safe

_ACCESS = {"none": Anonymous.NONE, "download": Anonymous.READ, "upload": Anonymous.WRITE, "public": Anonymous.BOTH}


@dataclass(frozen=True, slots=True)
class Asking:
    """What is wanted.

    Attributes:
        verb: which of them.
        given: the verb's arguments.
        lines: JSON lines; None for those without a terminal.
    """

    verb: str
    given: argparse.Namespace
    lines: bool | None = None

    @property
    def json(self) -> bool:
        """Whether lines of JSON are written."""
        return not sys.stdout.isatty() if self.lines is None else self.lines


async def run(asking: Asking, store: Store) -> int:
    """Does it, and returns the exit code.

    Args:
        asking: what.
        store: connected.

    Raises:
        WrongUseError: the words do not make sense together.
        StoreError, Lost, ProblemError: the store refused it, or cannot be reached.
    """
    try:
        code: int = await getattr(_Verbs(asking, store), asking.verb)()
    except ProblemError as error:
        # The store is connected: what is wrong now was written by the person (a policy, an endpoint, a file's name).
        if error.problem.cause is Cause.CONFIG and not isinstance(error, WrongUseError):
            raise WrongUseError(error.problem) from error
        raise
    return code


class _Verbs:
    """One run; a method for each verb."""

    def __init__(self, asking: Asking, store: Store) -> None:
        self._given = asking.given
        self._json = asking.json
        self._store = store

    # Looking.

    async def ls(self) -> int:
        """Buckets, or what lies below a prefix."""
        if not self._given.place:
            rows: list[Sequence[Cell]] = []
            for bucket in await self._store.buckets():
                if self._json:
                    self._line(bucket)
                else:
                    known = "" if bucket.size is None else size(bucket.size)
                    count = "" if bucket.objects is None else f"{bucket.objects:,}"
                    rows.append((_when(bucket.created), count, known, safe(bucket.name)))
            self._table(("CREATED", "OBJECTS", "SIZE", "BUCKET"), rows)
            return exits.OK
        where = self._place(self._given.place)
        deep = self._given.recursive or bool(where.pattern)
        found = 0
        async for page in self._pages(where, deep=deep, versions=self._given.versions):
            found += len(page)
            for entry in page:
                print(record(entry) if self._json else self._listed(entry))
            sys.stdout.flush()  # once a page: a million lines, each flushed, are a million system calls
        if not found and where.key:
            note(f"nothing lies below {where.text}")
            return exits.FAILED
        return exits.OK

    def _listed(self, entry: Entry) -> str:
        version = f"  {entry.version}" if self._given.versions and entry.version else ""
        mark = "DIR" if entry.folder else "deleted" if entry.deleted else size(entry.size or 0)
        old = "" if entry.latest else "  (older)"
        return f"{_when(entry.modified):19}  {mark:>10}  {one_line(entry.key)}{version}{old}"

    async def stat(self) -> int:
        """All that is known of objects."""
        for word in self._given.places:
            where = self._place(word, key=True)
            detail = await self._store.detail(where.bucket, where.key, self._given.version_id or "")
            if self._json:
                self._line(detail)
                continue
            rows = [
                ("key", detail.key), ("size", f"{size(detail.size)} ({detail.size:,} bytes)"),
                ("modified", _when(detail.modified)), ("etag", detail.etag), ("type", detail.content_type),
                ("version", detail.version), ("storage class", detail.storage),
                *((f"metadata {name}", text) for name, text in detail.metadata.items()),
                *((f"tag {name}", text) for name, text in (detail.tags or {}).items()),
                *((f"checksum {name}", text) for name, text in detail.checksums.items()),
                ("legal hold", "on" if detail.hold else ""),
                ("retention", f"{detail.retention[0]} until {_when(detail.retention[1])}" if detail.retention else ""),
                *(("not known", why) for why in detail.unknown),
            ]  # fmt: skip
            for name, text in rows:
                if text:
                    print(f"{name + ':':20} {one_line(text)}")
            print()
        return exits.OK

    async def du(self) -> int:
        """What takes the room: prefixes with their objects and bytes."""
        places = [self._place(self._given.place)] if self._given.place else [
            StorePlace("", bucket.name, "") for bucket in await self._store.buckets()
        ]  # fmt: skip
        for where in places:
            sums: dict[str, list[int]] = {where.key: [0, 0]}
            seen = 0
            with Counter(f"counting what is in {where.bucket}/{where.key}") as counter:
                async for entry in self._entries(where, deep=True, versions=self._given.versions):
                    counter(seen := seen + 1, None)
                    for prefix in _above(entry.key, where.key, self._given.depth):
                        one = sums.setdefault(prefix, [0, 0])
                        one[0] += not entry.deleted
                        one[1] += entry.size or 0
            for prefix, (objects, total) in sorted(sums.items(), key=lambda item: (-item[1][1], item[0])):
                if self._json:
                    self._line({"bucket": where.bucket, "prefix": prefix, "objects": objects, "size": total})
                else:
                    print(f"{size(total):>10}  {objects:>10,} objects  {one_line(f'{where.bucket}/{prefix}')}")
        return exits.OK

    async def info(self) -> int:
        """What an operator looks at; 1 when something is not well."""
        facts = self._store.facts
        if self._json:
            self._line({"product": facts.product, "version": facts.version, "tls": facts.tls, "region": facts.region,
                        "clockSkewSeconds": round(facts.skew, 1)})  # fmt: skip
        else:
            print(f"{facts.product} {facts.version}, TLS {facts.tls}, region {facts.region}")
        failing = False
        for told in await self._store.dashboard():
            failing = failing or told.ink == "failing"
            if self._json:
                self._line(told)
            else:
                text = told.value or f"unknown, because {told.unknown}"
                print(f"{told.group:8} {one_line(told.name):24} {one_line(text)}")
        return exits.FAILED if failing else exits.OK

    async def presign(self) -> int:
        """Links that work without keys for a while."""
        method = "PUT" if self._given.put else "GET"
        for word in self._given.places:
            where = self._place(word, key=True)
            if method == "GET":
                await self._store.detail(where.bucket, where.key)  # a link to nothing helps nobody
            link = self._store.presign(method, where.bucket, where.key, self._given.expire, self._given.endpoint)
            if self._json:
                until = self._store.facts.now() + dt.timedelta(seconds=self._given.expire)
                self._line({"method": method, "url": link, "until": until})
            else:
                print(link)
        return exits.OK

    async def versions(self) -> int:
        """Whether there are versions, or those of a key; turns them on and off, and puts one back."""
        where, given = self._place(self._given.place), self._given
        if given.enable or given.suspend:
            await self._store.set_versioning(where.bucket, on=given.enable)
        elif given.restore:
            if not where.key:
                raise wrong(f"{where.text} names no key", "Name the key whose version is to come back.")
            await self._store.copy(where.bucket, where.key, given.restore, where.bucket, where.key)
        elif where.key:
            given.recursive, given.versions = True, True
            return await self.ls()
        status = await self._store.versioning(where.bucket)
        if self._json:
            self._line({"bucket": where.bucket, "versioning": status or "never"})
        else:
            print(f"{where.bucket}: versioning {status.lower() or 'never enabled'}")
        return exits.OK

    async def policy(self) -> int:
        """The policy of a bucket, and what everybody may do; sets both."""
        bucket, given = self._bucket(self._given.place), self._given
        if given.access:
            await self._store.set_anonymous(bucket, _ACCESS[given.access])
        elif given.set:
            await self._store.set_policy(bucket, _text(given.set))
        access = await self._store.anonymous(bucket)
        policy = await self._store.policy(bucket)
        if self._json:
            self._line({"bucket": bucket, "anonymous": access.name.lower(), "policy": json.loads(policy or "null")})
            return exits.OK
        print(f"{bucket}: {access}")
        if policy:
            print(safe(json.dumps(json.loads(policy), indent=2, ensure_ascii=False)))
        return exits.OK

    async def uploads(self) -> int:
        """Incomplete multipart uploads; gives them up."""
        places = [self._place(self._given.place)] if self._given.place else [
            StorePlace("", bucket.name, "") for bucket in await self._store.buckets()
        ]  # fmt: skip
        for where in places:
            for upload, held in await self._store.uploads(where.bucket, where.key):
                if self._given.abort and not self._given.dry_run:
                    await self._store.abort(where.bucket, upload)
                told = "aborted" if self._given.abort and not self._given.dry_run else "incomplete"
                if self._json:
                    self._line({"bucket": where.bucket, "key": upload.key, "upload": upload.upload,
                                "begun": upload.begun, "size": held, "status": told})  # fmt: skip
                else:
                    amount = "?" if held is None else size(held)
                    print(f"{_when(upload.begun):19}  {amount:>10}  {told}  {one_line(f'{where.bucket}/{upload.key}')}")
        return exits.OK

    # Changing.

    async def mb(self) -> int:
        """Makes buckets."""
        for word in self._given.places:
            bucket = self._bucket(word)
            await self._store.make_bucket(bucket, versioning=self._given.versioning, lock=self._given.lock)
            self._done("made", bucket)
        return exits.OK

    async def rb(self) -> int:
        """Removes buckets, with `--force` with all that is in them."""
        failed = False
        for word in self._given.places:
            bucket = self._bucket(word)
            if self._given.force and self._fail(await empty(self._store, bucket, dry=self._given.dry_run)):
                failed = True
                continue
            if not self._given.dry_run:
                await self._removed(bucket)
            self._done("would be removed" if self._given.dry_run else "removed", bucket)
        return exits.FAILED if failed else exits.OK

    async def _removed(self, bucket: str) -> None:
        try:
            await self._store.remove_bucket(bucket)
        except StoreError as error:
            if error.code == "BucketNotEmpty":
                note("`rb --force` removes a bucket with all that is in it; with --dry-run it only tells what that is")
            raise

    async def rm(self) -> int:
        """Removes objects: those that are named, and with `--recursive` all below."""
        given, failed, removed = self._given, False, 0
        for word in given.places:
            where = self._place(word)
            if not where.pattern and not given.recursive:
                if where.prefix_meant:
                    raise wrong(f"{where.text} is a prefix or a bucket", "Add --recursive to remove all that is below.")
                await self._there(where, given.version_id or "")
                batch = [Entry(where.key, 0, version=given.version_id or "")]
                failed |= await self._remove(where.bucket, batch, given.version_id is not None)
                removed += 1
                continue
            batch = []
            async for entry in self._entries(where, deep=True, versions=given.versions):
                batch.append(entry)
                if len(batch) == 1000:
                    failed |= await self._remove(where.bucket, batch, given.versions)
                    removed, batch = removed + len(batch), []
            failed |= await self._remove(where.bucket, batch, given.versions)
            removed += len(batch)
            if removed and not failed and not where.pattern:
                await tell_hidden(self._store, where, dry=given.dry_run)
        if not removed:
            note("nothing was named that is there")
            return exits.FAILED
        return exits.FAILED if failed else exits.OK

    async def _there(self, where: StorePlace, version: str) -> None:
        """Tells what is not there. A delete marker is: S3 answers 405 to who asks for one by its id."""
        try:
            await self._store.detail(where.bucket, where.key, version)
        except StoreError as error:
            if not (version and error.status == 405):
                raise

    async def _remove(self, bucket: str, entries: Sequence[Entry], versions: bool) -> bool:
        keys = [(entry.key, entry.version if versions else "") for entry in entries]
        failures: Sequence[Failure] = ()
        if keys and not self._given.dry_run:
            failures = await self._store.delete(bucket, keys, _silent)
        kept = {(one.key, one.version) for one in failures}
        for key in keys:
            if key not in kept:
                self._done("would be removed" if self._given.dry_run else "removed", f"{bucket}/{key[0]}", key[1])
        return self._fail(failures)

    # Common.

    async def _entries(self, where: StorePlace, *, deep: bool, versions: bool) -> AsyncIterator[Entry]:
        async for page in self._pages(where, deep=deep, versions=versions):
            for entry in page:
                yield entry

    async def _pages(self, where: StorePlace, *, deep: bool, versions: bool) -> AsyncIterator[list[Entry]]:
        """What a place means, in order, a page of the listing at once."""
        options = Options(pattern=where.pattern)
        async for page in self._store.pages(where.bucket, where.key, deep=deep, all_versions=versions):
            yield [entry for entry in page if options.takes(entry.key[len(where.key) :])]

    def _place(self, word: str, *, key: bool = False) -> StorePlace:
        where = place(word, globs=getattr(self._given, "globs", True), bare=True)
        if not isinstance(where, StorePlace) or where.workload:
            raise wrong(f"{word} is no place in this store", "Write BUCKET/KEY.")
        if key and (not where.key or where.pattern):
            raise wrong(f"{word} names no single object", "Write BUCKET/KEY (with --no-glob if * is a part of it).")
        return where

    def _bucket(self, word: str) -> str:
        where = self._place(word)
        if where.key or where.pattern:
            raise wrong(f"{word} names a key", "Name a bucket.")
        return where.bucket

    def _fail(self, failures: Sequence[Failure]) -> bool:
        for one in failures:
            if self._json:
                self._line({"status": "failed", "key": one.key, "version": one.version, "error": one.said})
            print(f"statetui: {one_line(one.key)}: {one_line(one.said)}", file=sys.stderr)
        return bool(failures)

    def _done(self, status: str, name: str, version: str = "") -> None:
        if self._json:
            self._line({"status": status, "name": name} | ({"version": version} if version else {}))
        else:
            print(f"{status} {one_line(name)}{f' {version}' if version else ''}")

    def _line(self, value: Any) -> None:  # noqa: ANN401 (a record or a dataclass)
        print(record(value), flush=True)

    def _table(self, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        if not self._json:
            Table(head, paper(), print).print(rows)


def _above(key: str, base: str, depth: int) -> list[str]:
    """The prefixes under which a key is counted."""
    found, rest = [base], key[len(base) :].split("/")[:-1][:depth]
    for name in rest:
        found.append(f"{found[-1]}{name}/")
    return found


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(unreadable(file, error)) from error


def _silent(_: int, __: int | None) -> None:
    """Nobody looks."""


def _when(at: dt.datetime | None) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S") if at is not None else ""
