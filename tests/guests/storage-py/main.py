"""Does to objects what its input says, one step after the other, and answers what each came to."""

from contextlib import ExitStack
from dataclasses import dataclass
from time import time
from typing import Any

from santokit import logic, storage


@dataclass
class Step:
    op: str
    bucket: str = "files"
    key: str = ""
    #: What is written; so many times where it says.
    text: str = ""
    times: int = 1
    contentType: str | None = None
    onlyNew: bool = False
    ifMatch: str | None = None
    sha256: str | None = None
    #: Of ``read``.
    offset: int = 0
    length: int = 1 << 20
    #: Of ``presignGet`` and ``presignPut``.
    expiresIn: int | None = None
    saveAs: str | None = None
    size: int | None = None
    #: Not to catch the error of a limit.
    giveUp: bool = False


@dataclass
class Input:
    steps: list[Step]


class Better(Exception):
    """A guest that thinks better of it."""


@logic
def handle(input: Input) -> list[Any]:
    return [told(step) for step in input.steps]


def told(step: Step) -> Any:
    try:
        return done(step)
    except storage.StorageError as error:
        # As any logic does: then the caller is told the limit.
        if error.code == "limit" and step.giveUp:
            raise
        return {"code": error.to_logic_error().code, "message": str(error)}


def done(step: Step) -> Any:
    bucket = storage.bucket(step.bucket)
    options: dict[str, Any] = {
        "content_type": step.contentType,
        "only_new": step.onlyNew,
        "if_match": step.ifMatch,
        "sha256": step.sha256,
    }
    match step.op:
        case "get":
            found = bucket.get(step.key)
            return found and {"text": found.text(), "stat": known(found.stat)}
        case "stat":
            stat = bucket.stat(step.key)
            return stat and known(stat)
        case "put":
            return known(bucket.put(step.key, step.text * step.times, **options))
        case "stream":
            with bucket.create(step.key, **options) as writer:
                for _ in range(step.times):
                    writer.write(step.text)
            assert writer.stat is not None
            return known(writer.stat)
        case "drop":
            try:
                with bucket.create(step.key) as writer:
                    for _ in range(step.times):
                        writer.write(step.text)
                    raise Better
            except Better:
                return None
        case "read":
            with bucket.open(step.key) as reader:
                return {"text": reader.read_at(step.offset, step.length).decode(), "stat": known(reader.stat)}
        case "overtaken":
            # While it is open, another is put in its place.
            with bucket.open(step.key) as reader:
                bucket.put(step.key, step.text)
                return {"text": b"".join(reader).decode(), "size": reader.stat.size}
        case "openAll":
            # Each of them is an open file at the host.
            with ExitStack() as stack:
                return len([stack.enter_context(bucket.open(step.key)) for _ in range(step.times)])
        case "list":
            return [found.key for found in bucket.list(step.key)]
        case "delete":
            return bucket.delete(step.key, if_match=step.ifMatch)
        case "presignGet":
            return signed(bucket.presign_get(step.key, expires_in=step.expiresIn, save_as=step.saveAs))
        case "presignPut":
            return signed(
                bucket.presign_put(
                    step.key, expires_in=step.expiresIn, size=step.size, content_type=step.contentType
                )
            )
        case _:
            raise storage.StorageError("invalid", f"no such op: {step.op}")


def signed(url: storage.SignedUrl) -> Any:
    headers = [list(header) for header in url.headers.items()]
    return {"url": url.url, "method": url.method, "headers": headers, "lives": url.expires.timestamp() > time()}


def known(stat: storage.Stat) -> Any:
    made = stat.modified.timestamp() > 1_700_000_000
    return {"key": stat.key, "size": stat.size, "etag": stat.etag, "type": stat.content_type, "made": made}
