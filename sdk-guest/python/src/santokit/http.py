"""Outbound requests. Needs ``grants.http``, which says for which hosts, methods and paths; https only.

::

    key = secrets.get("STRIPE_KEY")
    answer = http.post("https://api.stripe.com/v1/charges", bearer=key, json={"amount": 300})
    charge = answer.ok().json()

Whatever its status is, an answer is no error; :meth:`Answer.ok` makes one of it. Nothing is sent while a transaction on SQLite is
open.
"""

from __future__ import annotations

import json as _json
import math as _math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from . import _host
from ._json import encode
from .errors import HostError, LogicError

__all__ = ["Answer", "HttpError", "delete", "get", "patch", "post", "put", "request"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

_DENIED = ("HTTP_DENIED", "the logic may not ask this of another service")
_INVALID = ("HTTP_INVALID", "the logic made a mistake with a request")
_SAID = {
    "limit": ("HTTP_LIMIT", "the logic asked for more data than it may read"),
    "timeout": ("HTTP_TIMEOUT", "another service took too long"),
    "unreachable": ("HTTP_UNAVAILABLE", "another service cannot be reached now"),
    "denied": _DENIED,
    "address": _DENIED,
    "invalid": _INVALID,
    "transaction": _INVALID,
}


class HttpError(HostError):
    """A request has no answer. Not caught, it becomes a ``LogicError`` that tells the caller a code, and not whom the logic asked.

    ``code`` is ``denied`` (not granted), ``address`` (the host is where nothing is ever sent), ``invalid``, ``transaction`` (one on
    SQLite is open), ``timeout``, ``unreachable``, ``redirects``, ``answer`` or ``limit``; ``status`` of :meth:`Answer.ok` and
    ``decode`` of :meth:`Answer.json` are of this SDK. Others may come."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def to_logic_error(self) -> LogicError:
        """What the caller learns."""
        return LogicError(*_SAID.get(self.code, ("HTTP_ERROR", "another service did not answer as expected")))


@dataclass
class Answer:
    """What came back, all of it."""

    status: int
    #: Names in small letters.
    headers: list[tuple[str, str]]
    #: The body.
    body: bytes
    #: Of the last request, where redirects were followed.
    url: str

    def ok(self) -> Answer:
        """Itself where the status is one of success; an :class:`HttpError` with the code ``status`` where not."""
        if not 200 <= self.status < 300:
            raise HttpError("status", f"http status {self.status}")
        return self

    def header(self, name: str) -> str | None:
        """The first header of a name, in whichever letters."""
        small = name.lower()
        return next((value for found, value in self.headers if found == small), None)

    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body read as JSON."""
        try:
            return _json.loads(self.body)
        except ValueError as error:
            raise HttpError("decode", f"a body is not what was asked for: {error}") from error


def request(
    method: str,
    url: str,
    *,
    headers: Headers = (),
    bearer: str | None = None,
    body: bytes | str = b"",
    json: Any = None,
    timeout: float | None = None,
    redirects: bool = True,
) -> Answer:
    """Sends a request and reads the whole answer.

    ``bearer`` is for ``Authorization``; it goes to no other host, also where the answer redirects there. ``json`` is the body as JSON,
    ``timeout`` seconds for all of it. Without ``redirects`` a redirect is the answer; with them five are followed, each to what is
    granted."""
    sent = [(name, value) for name, value in (headers.items() if isinstance(headers, Mapping) else headers)]
    if bearer is not None:
        sent.append(("authorization", f"Bearer {bearer}"))
    content = body.encode() if isinstance(body, str) else bytes(body)
    if json is not None:
        content = encode(json)
        sent.append(("content-type", "application/json"))
    millis = None if timeout is None else min(_math.ceil(timeout * 1000), 0xFFFFFFFF)
    options = [] if redirects else [("redirect", "manual")]
    answer = _host.calling(lambda: _send(method, url, sent, content, millis, options), _error)
    return Answer(answer.status, [(name, value) for name, value in answer.headers], bytes(answer.body), answer.url)


def get(url: str, **options: Any) -> Answer:
    """A ``GET`` of a URL; options as of :func:`request`."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> Answer:
    """A ``POST`` to a URL; options as of :func:`request`."""
    return request("POST", url, **options)


def put(url: str, **options: Any) -> Answer:
    """A ``PUT`` to a URL; options as of :func:`request`."""
    return request("PUT", url, **options)


def patch(url: str, **options: Any) -> Answer:
    """A ``PATCH`` of a URL; options as of :func:`request`."""
    return request("PATCH", url, **options)


def delete(url: str, **options: Any) -> Answer:
    """A ``DELETE`` of a URL; options as of :func:`request`."""
    return request("DELETE", url, **options)


def _send(*fields: Any) -> Any:
    return _host.call("http", "send", _host.record("http", "Request", *fields))


def _error(_case: str, payload: Any) -> HttpError:
    return HttpError(payload.code, f"http {payload.code}: {payload.message}")
