"""Objects in the project's buckets. Needs ``grants.storage``, which says for which bucket, keys and ops.

::

    receipts = storage.bucket("receipts")
    receipts.put("anna/42.pdf", pdf, content_type="application/pdf")
    receipt = receipts.get("anna/42.pdf")
    for found in receipts.list("anna/"):
        log.info("there is", key=found.key)

What was written or removed stays so, whatever becomes of the invocation and its transactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from . import _host
from .errors import HostError, LogicError

__all__ = ["Bucket", "Object", "Reader", "SignedUrl", "Stat", "StorageError", "Writer", "bucket"]

_PAGE = 1000
_PART = 1 << 20
_SAID = {
    "limit": ("STORAGE_LIMIT", "the logic asked for more data than it may"),
    "unavailable": ("STORAGE_UNAVAILABLE", "objects cannot be reached now"),
    "full": ("STORAGE_UNAVAILABLE", "objects cannot be reached now"),
    "denied": ("STORAGE_DENIED", "the logic may not do this to an object"),
    "missing": ("STORAGE_MISSING", "there is no such object"),
    "precondition": ("STORAGE_CONFLICT", "the object was changed meanwhile"),
    "too-large": ("STORAGE_TOO_LARGE", "the object is too large"),
}


class StorageError(HostError):
    """Something was not done. Not caught, it becomes a ``LogicError`` that tells the caller a code, and not which object it was.

    ``code`` is ``denied`` (not granted), ``invalid``, ``missing``, ``precondition`` (the object is not as was asked for), ``checksum``,
    ``too-large``, ``full``, ``unavailable`` or ``limit``. Others may come."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def to_logic_error(self) -> LogicError:
        """What the caller learns."""
        return LogicError(*_SAID.get(self.code, ("STORAGE_INVALID", "the logic made a mistake with an object")))


@dataclass
class Stat:
    """What is known of an object."""

    #: Its name, in normal form C.
    key: str
    #: Bytes.
    size: int
    #: Another one for each content. For ``if_match``.
    etag: str
    #: As it was said when it was written; ``application/octet-stream`` where nothing was.
    content_type: str
    #: When it was written.
    modified: datetime


@dataclass
class Object:
    """A whole object."""

    #: What is known of it.
    stat: Stat
    #: Its bytes.
    body: bytes

    def text(self) -> str:
        """Its bytes as UTF-8."""
        return self.body.decode("utf-8", "replace")


@dataclass
class SignedUrl:
    """A URL for one deed with one object. It is a credential: hand it to nobody else, and log it nowhere."""

    #: Whole.
    url: str
    #: ``GET`` or ``PUT``.
    method: str
    #: What must be sent with it.
    headers: dict[str, str]
    #: When it ends.
    expires: datetime


class Reader:
    """An object that is read in parts; the same one to the end, also where another is written in its place.

    ``with receipts.open(key) as reader:`` closes it at the end of the block: at most 16 objects are open at once."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._open = True
        self.stat = _stat(inner.stat())

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from a place on: at most a mebibyte, and fewer than were asked for only at the end."""
        return bytes(_doing(lambda: self._inner.read(offset, min(length, _PART))))

    def __iter__(self) -> Iterator[bytes]:
        """All of it, part by part."""
        at = 0
        while at < self.stat.size:
            part = self.read_at(at, _PART)
            at += len(part)
            yield part

    def close(self) -> None:
        """Ends reading."""
        if self._open:
            self._open = False
            self._inner.__exit__(None, None, None)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Writer:
    """An object that is written in parts."""

    #: What it has become, after the block.
    stat: Stat | None = None

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def write(self, content: bytes | str) -> None:
        """Adds bytes, in as many parts as it takes."""
        content = content.encode() if isinstance(content, str) else content
        for at in range(0, len(content), _PART):
            part = bytes(content[at : at + _PART])
            _doing(lambda part=part: self._inner.write(part))  # type: ignore[misc]

    def _finish(self) -> None:
        self.stat = _stat(_doing(self._inner.finish))

    def _drop(self) -> None:
        self._inner.__exit__(None, None, None)


class Bucket:
    """A bucket by its alias."""

    def __init__(self, name: str) -> None:
        #: Its alias.
        self.name = name

    def get(self, key: str) -> Object | None:
        """A whole object; ``None`` where there is none."""
        try:
            found = _call("get", self.name, key)
        except StorageError as error:
            if error.code == "missing":
                return None
            raise
        return Object(_stat(found.stat), bytes(found.body))

    def stat(self, key: str) -> Stat | None:
        """What is known of an object; ``None`` where there is none."""
        found = _call("stat", self.name, key)
        return None if found is None else _stat(found)

    def open(self, key: str) -> Reader:
        """An object to be read in parts."""
        return Reader(_call("open", self.name, key))

    def put(
        self,
        key: str,
        body: bytes | str,
        *,
        content_type: str | None = None,
        only_new: bool = False,
        if_match: str | None = None,
        sha256: str | None = None,
    ) -> Stat:
        """Writes a whole object in the place of what was there.

        With ``only_new`` only where there is none, with ``if_match`` only in the place of the one with this etag; ``sha256`` is of all
        bytes, as hex."""
        content = body.encode() if isinstance(body, str) else bytes(body)
        return _stat(_call("put", self.name, key, content, _options(content_type, only_new, if_match, sha256)))

    @contextmanager
    def create(
        self,
        key: str,
        *,
        content_type: str | None = None,
        only_new: bool = False,
        if_match: str | None = None,
        sha256: str | None = None,
    ) -> Iterator[Writer]:
        """``with receipts.create(key) as writer:`` writes an object in parts, and puts it in its place at the end of the block. Where an
        exception leaves it, nothing is written. Options as of :meth:`put`."""
        options = _options(content_type, only_new, if_match, sha256)
        writer = Writer(_call("create", self.name, key, options))
        try:
            yield writer
            writer._finish()
        finally:
            writer._drop()

    def presign_get(self, key: str, *, expires_in: int | None = None, save_as: str | None = None) -> SignedUrl:
        """A URL at which others read an object, without a credential, until it expires, in seconds. Whether there is one is not looked at.
        Browsers save it under ``save_as``. Needs the op ``presign`` beside ``get``."""
        asked = _given({"expires-in": _number(expires_in), "save-as": save_as})
        return _signed(_call("presign_get", self.name, key, asked))

    def presign_put(
        self,
        key: str,
        *,
        expires_in: int | None = None,
        size: int | None = None,
        content_type: str | None = None,
        only_new: bool = False,
        sha256: str | None = None,
    ) -> SignedUrl:
        """A URL at which others put an object: exactly ``size`` bytes (a store of S3 needs it), with the rest as of :meth:`put`. Needs the op
        ``presign`` beside ``put``."""
        asked = _given({"expires-in": _number(expires_in), "size": _number(size)})
        return _signed(_call("presign_put", self.name, key, asked + _options(content_type, only_new, None, sha256)))

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """The objects whose keys begin so, in the order of the bytes of their keys."""
        cursor: str | None = None
        while True:
            page = _call("list_objects", self.name, prefix, _PAGE, cursor)
            yield from (_stat(found) for found in page.objects)
            cursor = page.next
            if cursor is None:
                return

    def delete(self, key: str, *, if_match: str | None = None) -> bool:
        """Removes an object; ``False`` where there was none."""
        return bool(_call("remove", self.name, key, _options(None, False, if_match, None)))


def bucket(name: str) -> Bucket:
    """A bucket by its alias. Whether it is granted is seen when it is used."""
    return Bucket(name)


def _options(
    content_type: str | None, only_new: bool, if_match: str | None, sha256: str | None
) -> list[tuple[str, str]]:
    return _given(
        {
            "content-type": content_type,
            "if-none-match": "*" if only_new else None,
            "if-match": if_match,
            "sha-256": sha256,
        }
    )


def _given(options: dict[str, str | None]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in options.items() if value is not None]


def _number(number: int | None) -> str | None:
    return None if number is None else str(number)


def _signed(found: Any) -> SignedUrl:
    expires = datetime.fromtimestamp(found.expires / 1000, timezone.utc)
    return SignedUrl(found.url, found.method, dict(found.headers), expires)


def _stat(found: Any) -> Stat:
    modified = datetime.fromtimestamp(found.modified / 1000, timezone.utc)
    return Stat(found.key, found.size, found.etag, found.content_type, modified)


def _call(function: str, *arguments: Any) -> Any:
    return _doing(lambda: _host.call("storage", function, *arguments))


def _doing(work: Any) -> Any:
    return _host.calling(work, _error)


def _error(_case: str, payload: Any) -> StorageError:
    return StorageError(payload.code, f"storage {payload.code}: {payload.message}")
