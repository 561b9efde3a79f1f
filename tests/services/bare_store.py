"""An object store that has little of S3, in one file that runs wherever there is a Python: for pods and for threads.

Buckets, keys, listings and uploads in parts, in memory; no versions, tags, policies, locks or lists of uploads. Asked
for those it refuses as OpenIO's gateway does (501 NotImplemented), or, as others do, takes no notice of the query:
`GET key?retention` is answered with the object, and `PUT key?retention` replaces it. Who asks is not looked at.

    python bare_store.py PORT refuse|ignore
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

LACKING = {"versions", "versioning", "tagging", "policy", "lifecycle", "object-lock", "retention", "legal-hold",
           "acl", "uploads"}  # fmt: skip
DATE = "Fri, 27 Nov 2026 12:00:00 GMT"


class Bare(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, *, refuse: bool, host: str = "127.0.0.1") -> None:
        super().__init__((host, port), Handler)
        self.refuse = refuse
        self.stored: dict[str, dict[str, bytes]] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bare

    def version_string(self) -> str:
        return "bare/1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refused(self, status: int, code: str, message: str) -> None:
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.answer(status, body.encode(), Content_Type="application/xml")

    def document(self, inner: str, status: int = 200) -> None:
        self.answer(status, f"<?xml version='1.0' encoding='UTF-8'?>{inner}".encode(), Content_Type="application/xml")

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        url = urlsplit(self.path)
        query = {name: found[0] for name, found in parse_qs(url.query, keep_blank_values=True).items()}
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        lacks = LACKING & set(query) - ({"uploads"} if self.command == "POST" else set())
        if lacks and self.server.refuse:
            self.refused(501, "NotImplemented", "The requested resource is not implemented")
            return
        with self.server.lock:
            self.handle_known(bucket, key, query, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def handle_known(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> None:
        stored = self.server.stored
        if not bucket:
            names = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in sorted(stored))
            self.document(f"<ListAllMyBucketsResult><Buckets>{names}</Buckets></ListAllMyBucketsResult>")
        elif self.command == "PUT" and not key:
            stored.setdefault(bucket, {})
            self.answer(200)
        elif bucket not in stored:
            self.refused(404, "NoSuchBucket", "The specified bucket does not exist")
        elif key:
            self.handle_key(bucket, key, query, body)
        elif self.command == "DELETE":
            if stored[bucket]:
                self.refused(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
            else:
                del stored[bucket]
                self.answer(204)
        elif self.command == "POST" and "delete" in query:
            for one in ElementTree.fromstring(body).iter():
                if one.tag.rpartition("}")[2] == "Key":
                    stored[bucket].pop(one.text or "", None)
            self.document("<DeleteResult></DeleteResult>")
        else:
            self.listing(bucket, query)

    def listing(self, bucket: str, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token", "")
        most = int(query.get("max-keys") or 1000)
        found: list[str] = []
        seen: set[str] = set()
        last, more = "", False
        for key in sorted(self.server.stored[bucket]):
            rest = key.removeprefix(prefix)
            common = prefix + rest.partition(delimiter)[0] + delimiter if delimiter and delimiter in rest else ""
            if not key.startswith(prefix) or (common or key) <= after or (common and common in seen):
                continue
            if len(found) == most:
                more = True
                break
            last = common or key
            if common:
                seen.add(common)
                found.append(f"<CommonPrefixes><Prefix>{quote(common)}</Prefix></CommonPrefixes>")
            else:
                size = len(self.server.stored[bucket][key])
                found.append(
                    f"<Contents><Key>{quote(key)}</Key><Size>{size}</Size>"
                    "<LastModified>2026-11-27T12:00:00.000Z</LastModified></Contents>"
                )
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        self.document(
            f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"{''.join(found)}</ListBucketResult>"
        )

    def handle_key(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> None:
        held, uploads = self.server.stored[bucket], self.server.parts
        if self.command == "POST" and "uploads" in query:
            name = f"upload-{next(self.server.numbers)}"
            uploads[name] = {}
            inner = f"<UploadId>{name}</UploadId>"
            self.document(f"<InitiateMultipartUploadResult>{inner}</InitiateMultipartUploadResult>")
        elif query.get("uploadId", "") in uploads:
            self.handle_upload(bucket, key, query, body)
        elif "uploadId" in query:
            self.refused(404, "NoSuchUpload", "There is none")
        elif self.command == "PUT":
            if source := self.headers.get("x-amz-copy-source"):
                from_bucket, _, from_key = unquote(source).lstrip("/").partition("/")
                body = self.server.stored[from_bucket][from_key]
                held[key] = body
                self.document(f"<CopyObjectResult><ETag>{etag(body)}</ETag></CopyObjectResult>")
                return
            held[key] = body
            self.answer(200, ETag=etag(body))
        elif self.command == "DELETE":
            held.pop(key, None)
            self.answer(204)
        elif key not in held:
            self.refused(404, "NoSuchKey", "The specified key does not exist")
        else:
            self.read(held[key])

    def read(self, data: bytes) -> None:
        headers = {"ETag": etag(data), "Last_Modified": DATE, "Content_Type": "application/octet-stream"}
        if wanted := self.headers.get("Range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
            if begin >= len(data):
                self.refused(416, "InvalidRange", "The range is beyond the end")
                return
            headers["Content_Range"] = f"bytes {begin}-{end}/{len(data)}"
            self.answer(206, data[begin : end + 1], **headers)
            return
        if self.command == "HEAD":
            headers["Content_Length"] = str(len(data))
        self.answer(200, data, **headers)

    def handle_upload(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> None:
        parts = self.server.parts[query["uploadId"]]
        if self.command == "PUT":
            parts[int(query["partNumber"])] = body
            self.answer(200, ETag=etag(body))
        elif self.command == "DELETE":
            del self.server.parts[query["uploadId"]]
            self.answer(204)
        elif self.command == "POST":
            whole = b"".join(parts[number] for number in sorted(parts))
            sums = b"".join(hashlib.md5(parts[number]).digest() for number in sorted(parts))
            self.server.stored[bucket][key] = whole
            tag = f'"{hashlib.md5(sums).hexdigest()}-{len(parts)}"'
            del self.server.parts[query["uploadId"]]
            self.document(f"<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>")
        else:
            told = "".join(
                f"<Part><PartNumber>{number}</PartNumber><Size>{len(part)}</Size><ETag>{etag(part)}</ETag></Part>"
                for number, part in sorted(parts.items())
            )
            self.document(f"<ListPartsResult><IsTruncated>false</IsTruncated>{told}</ListPartsResult>")


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


if __name__ == "__main__":
    Bare(int(sys.argv[1]), refuse=sys.argv[2] == "refuse", host="0.0.0.0").serve_forever()
