"""What is done once, whatever is tried again. Needs ``grants.once``.

::

    with sql.open("main").transaction() as tx:
        once(event.id, lambda: tx.execute("UPDATE stock SET reserved = reserved + 1"), within=tx)

A mark is kept beside the rows, and is of this logic alone. In a transaction it comes with the commit: what is written there and the mark
are both stored, or neither is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _host
from .errors import HostError, LogicError

if TYPE_CHECKING:
    from .sql import Transaction

__all__ = ["OnceError", "once"]

_SAID = {
    "denied": ("ONCE_DENIED", "the logic may not remember what it has done"),
    "conflict": ("ONCE_CONFLICT", "somebody does the same at this moment"),
    "rate": ("ONCE_RATE", "too much is done once in a short time"),
    "timeout": ("ONCE_TIMEOUT", "the database took too long"),
    "unavailable": ("ONCE_UNAVAILABLE", "what is done cannot be kept now"),
}


class OnceError(HostError):
    """It is not known whether something was done, or not kept that it is. Not caught, it becomes a ``LogicError`` that tells the caller a
    code.

    ``code`` is ``denied`` (not granted), ``invalid`` (the key, or the transaction), ``conflict`` (somebody did it at the same time; a
    transaction is lost with it), ``rate`` (more marks than a logic may make), ``timeout`` or ``unavailable``. Others may come."""

    code: str

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def to_logic_error(self) -> LogicError:
        """What the caller learns."""
        return LogicError(*_SAID.get(self.code, ("ONCE_INVALID", "the logic made a mistake with what is done once")))


def once(key: str, work: Callable[[], Any], *, within: Transaction | None = None) -> bool:
    """Does the work where the key is not marked, and marks it then; whether it did. What raises is not marked. A mark is stored for 90
    days.

    ``within`` is a transaction of :mod:`santokit.sql`: work and mark are stored together. Without it the mark is of the invocation's own
    transaction where the manifest says ``transaction: required``; otherwise it is stored when the work is done: who is stopped between
    the two does the work again."""
    transaction: Any = None if within is None else within._host
    if _host.calling(lambda: _host.call("once", "is_done", key, transaction), _error):
        return False
    work()
    _host.calling(lambda: _host.call("once", "mark_done", key, transaction), _error)
    return True


def _error(_case: str, payload: Any) -> OnceError:
    return OnceError(payload.code, f"once {payload.code}: {payload.message}")
