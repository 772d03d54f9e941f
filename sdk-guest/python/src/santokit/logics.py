"""Calls of other logics of the project. Needs ``grants.logics`` for each name.

::

    quote = logics.call("pricing/quote", {"itemId": "i1"})

The logic runs for the same caller, with its own grants, within what this invocation has left, and in the transactions that are open.
Where it ends with an error, what it did in them is undone, and they go on.
"""

from __future__ import annotations

import json as _json
from collections.abc import Mapping
from typing import Any

from . import _host
from ._json import encode
from .errors import HostError, LogicError

__all__ = ["CallError", "call"]

_SAID = {
    "limit": ("LOGICS_LIMIT", "the logic asked for more data than it may read"),
    "denied": ("LOGICS_DENIED", "the logic may not do this for its caller"),
    "invalid": ("LOGICS_INVALID", "the logic made a mistake with another one"),
}


class CallError(HostError):
    """A logic gave no answer. Not caught, what it refuses with is handed on as it is; of all else the caller gets a code.

    ``kind`` is ``denied``, ``invalid``, ``refused`` (the logic said no), ``failed``, ``limit``, ``depth`` or ``unavailable``; others may
    come. ``code`` is the logic's own where it refused."""

    def __init__(self, kind: str, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message
        self.details = details

    def to_logic_error(self) -> LogicError:
        """What the caller learns."""
        if self.kind == "refused":
            return LogicError(self.code, self.message, self.details)
        return LogicError(*_SAID.get(self.kind, ("LOGICS_FAILED", "another logic failed")))


def call(name: str, params: Mapping[str, Any] | None = None) -> Any:
    """Calls a logic, and waits for its answer."""
    sent = encode(dict(params or {}))
    return _json.loads(bytes(_host.calling(lambda: _host.call("logics", "call", name, sent), _error)))


def _error(_case: str, payload: Any) -> CallError:
    details = None if payload.details is None else _json.loads(bytes(payload.details))
    return CallError(payload.kind, payload.code, payload.message, details)
