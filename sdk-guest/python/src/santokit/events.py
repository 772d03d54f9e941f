"""Events of the project's topics. Needs ``grants.events``, which lists the topics.

::

    with sql.open("main").transaction() as tx:
        tx.execute("INSERT INTO orders (id, total) VALUES (?, ?)", [order_id, total])
        events.within(tx).publish("order_placed", {"orderId": order_id})

An event is kept in the database beside the rows that it tells of: in a transaction it comes with the commit, and never without.
"""

from __future__ import annotations

import json as _json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from . import _host
from ._json import encode
from .errors import HostError, LogicError

if TYPE_CHECKING:
    from .sql import Transaction

__all__ = ["EventError", "Within", "publish", "within"]

_SAID = {
    "denied": ("EVENT_DENIED", "the logic may not publish this"),
    "rate": ("EVENT_RATE", "too many events of this kind are published"),
    "timeout": ("EVENT_TIMEOUT", "the database took too long"),
    "unavailable": ("EVENT_UNAVAILABLE", "events cannot be published now"),
}


class EventError(HostError):
    """An event was not published. Not caught, it becomes a ``LogicError`` that tells the caller a code.

    ``code`` is ``denied`` (not granted), ``invalid``, ``schema`` (the payload is not as its topic declares it), ``too-large``, ``rate``, ``timeout`` or
    ``unavailable``. Others may come."""

    code: str
    #: Of ``schema``: ``errors``, with ``field`` and ``message`` for each that does not fit.
    details: dict[str, Any]

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or {}

    def to_logic_error(self) -> LogicError:
        """What the caller learns."""
        return LogicError(*_SAID.get(self.code, ("EVENT_INVALID", "the logic made a mistake with an event")))


class Within:
    """Publishing, alone or in a transaction."""

    def __init__(self, transaction: Transaction | None = None) -> None:
        self._within: Any = None if transaction is None else transaction._host

    def publish(self, topic: str, payload: Mapping[str, Any]) -> str:
        """Publishes an event; its id. It belongs to the invocation's own transaction where the manifest says ``transaction: required``;
        otherwise it is stored at once."""
        sent = encode(dict(payload))
        return cast(str, _host.calling(lambda: _host.call("events", "publish", topic, sent, self._within), _error))


def within(transaction: Transaction) -> Within:
    """Events that belong to a transaction of :mod:`santokit.sql`: they come when it is committed. While one is open on the event's
    database, publishing without it is an error."""
    return Within(transaction)


#: As that of :class:`Within`, in no transaction of the logic's own.
publish = Within().publish


def _error(_case: str, payload: Any) -> EventError:
    return EventError(payload.code, f"events {payload.code}: {payload.message}", _json.loads(payload.details))
