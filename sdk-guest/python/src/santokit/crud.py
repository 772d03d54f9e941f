"""Requests to the project's tables: the params, rules and answers of ``POST /db/{table}/{verb}``. Needs ``grants.crud``, which
says for whom the tables are asked: ``as: caller``, or ``as: service`` with roles of its own.

::

    open_orders = crud.select("orders", {"where": {"status": "open"}}, Order)
    crud.update("orders", {"where": {"id": order_id}, "data": {"status": "paid"}})
    with sql.open("main").transaction() as tx:
        crud.within(tx).insert("payments", {"data": {"orderId": order_id}})

What a rule does not give is as if it were not there. Values are those of JSON: ``bigint`` and ``decimal`` are text.
"""

from __future__ import annotations

import json as _json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from . import _host
from ._json import encode
from ._typed import converter
from .errors import HostError, InputError, LogicError

if TYPE_CHECKING:
    from .sql import Transaction

__all__ = [
    "Answer",
    "CrudError",
    "Page",
    "Tables",
    "batch",
    "delete",
    "delete_returning",
    "insert",
    "page",
    "select",
    "update",
    "update_returning",
    "within",
]

T = TypeVar("T")
Row = dict[str, Any]
Params = Mapping[str, Any]

_DENIED = ("CRUD_DENIED", "the logic may not do this with a table")
_REFUSED = ("CRUD_ERROR", "the database refused")
_SAID = {
    "denied": _DENIED,
    "invalid": ("CRUD_INVALID", "the logic made a mistake with a table"),
    "decode": ("CRUD_INVALID", "the logic made a mistake with a table"),
    "limit": ("SQL_LIMIT", "the logic asked for more data than it may read"),
    "timeout": ("CRUD_TIMEOUT", "the database took too long"),
}
_CODES = {
    "UNAUTHORIZED": _DENIED,
    "FORBIDDEN": _DENIED,
    "NOT_FOUND": _DENIED,
    "BAD_REQUEST": ("CRUD_INVALID", "a table does not take this"),
    "SCHEMA_VALIDATION_FAILED": ("CRUD_INVALID", "a table does not take this"),
    "CONFLICT": ("CRUD_CONFLICT", "the change contradicts what is stored"),
    "SERVICE_UNAVAILABLE": ("CRUD_UNAVAILABLE", "the database cannot be reached now"),
}


class CrudError(HostError):
    """A request to a table was not done. Not caught, it becomes a ``LogicError`` that tells the caller a code, and no word of the
    tables'."""

    #: ``denied``, ``invalid``, ``limit``, ``timeout``, ``refused``, ``decode`` (a row does not fit its type) or ``other``.
    kind: str
    #: With ``refused`` what a caller of the Bridge would be told: ``NOT_FOUND``, ``CONFLICT``, …; with ``limit`` its name.
    code: str | None
    #: What to do next.
    hint: str | None
    #: For programs: ``errors``, ``limit``.
    details: dict[str, Any]

    def __init__(
        self,
        kind: str,
        message: str,
        code: str | None = None,
        hint: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.hint = hint
        self.details = details or {}

    def to_logic_error(self) -> LogicError:
        """What the caller learns."""
        if self.kind == "refused":
            return LogicError(*_CODES.get(self.code or "", _REFUSED))
        return LogicError(*_SAID.get(self.kind, _REFUSED))


@dataclass
class Page(Generic[T]):
    """Rows, and how they go on."""

    rows: list[T]
    #: For the param ``cursor`` of the next request; None at the end.
    next_cursor: str | None
    #: How many there are in all, where ``"count": True`` asks for it.
    total: int | None


@dataclass
class Answer:
    """What one call of a batch answers."""

    data: Any
    meta: dict[str, Any]


class Tables:
    """Requests, alone or in a transaction."""

    def __init__(self, transaction: Transaction | None = None) -> None:
        self._within: Any = None if transaction is None else transaction._host

    @overload
    def select(self, table: str, params: Params = {}) -> list[Row]: ...
    @overload
    def select(self, table: str, params: Params, into: type[T]) -> list[T]: ...
    def select(self, table: str, params: Params = {}, into: Any = dict) -> list[Any]:
        """Reads rows."""
        return _rows(self._ask("select", table, params), into)

    @overload
    def page(self, table: str, params: Params = {}) -> Page[Row]: ...
    @overload
    def page(self, table: str, params: Params, into: type[T]) -> Page[T]: ...
    def page(self, table: str, params: Params = {}, into: Any = dict) -> Page[Any]:
        """Reads rows, with the cursor for those that follow and the total."""
        answer = self._ask("select", table, params)
        meta = _json.loads(answer.meta)
        return Page(_rows(answer, into), meta.get("nextCursor"), meta.get("total"))

    @overload
    def insert(self, table: str, params: Params) -> list[Row]: ...
    @overload
    def insert(self, table: str, params: Params, into: type[T]) -> list[T]: ...
    def insert(self, table: str, params: Params, into: Any = dict) -> list[Any]:
        """Adds rows: ``{"data": {…}}``, or a list. The rows as they are now, as far as they may be read: none of a table that may not be read, or with ``"returning": False``."""
        return _added(self._ask("insert", table, params), into)

    def update(self, table: str, params: Params) -> int:
        """Changes rows: ``{"where": {…}, "data": {…}}``. How many."""
        return _affected(self._ask("update", table, params))

    @overload
    def update_returning(self, table: str, params: Params) -> list[Row]: ...
    @overload
    def update_returning(self, table: str, params: Params, into: type[T]) -> list[T]: ...
    def update_returning(self, table: str, params: Params, into: Any = dict) -> list[Any]:
        """The same; the rows as they are now."""
        return _rows(self._ask("update", table, {**params, "returning": True}), into)

    def delete(self, table: str, params: Params) -> int:
        """Removes rows: ``{"where": {…}}``. How many."""
        return _affected(self._ask("delete", table, params))

    @overload
    def delete_returning(self, table: str, params: Params) -> list[Row]: ...
    @overload
    def delete_returning(self, table: str, params: Params, into: type[T]) -> list[T]: ...
    def delete_returning(self, table: str, params: Params, into: Any = dict) -> list[Any]:
        """The same; the rows as they were."""
        return _rows(self._ask("delete", table, {**params, "returning": True}), into)

    def batch(self, calls: Iterable[Params]) -> list[Answer]:
        """Several calls, all or nothing: ``[{"path": "db/orders/insert", "params": {…}}]``."""
        params = encode({"calls": list(calls)})
        answer = _host.calling(lambda: _host.call("crud", "batch", params, self._within), _error)
        return [Answer(one["data"], one["meta"]) for one in _json.loads(answer.data)]

    def _ask(self, verb: str, table: str, params: Params) -> Any:
        sent = encode(dict(params))
        return _host.calling(lambda: _host.call("crud", verb, table, sent, self._within), _error)


def within(transaction: Transaction) -> Tables:
    """Requests that belong to a transaction of :mod:`santokit.sql`: they see what it has done, and are undone with it. One that
    fails has done nothing, and the transaction goes on. While one is open on a table's database, a request without it is an error."""
    return Tables(transaction)


_alone = Tables()
#: As those of :class:`Tables`, each on its own.
select = _alone.select
page = _alone.page
insert = _alone.insert
update = _alone.update
update_returning = _alone.update_returning
delete = _alone.delete
delete_returning = _alone.delete_returning
batch = _alone.batch


def _added(answer: Any, into: Any) -> list[Any]:
    """Rows that were added and may not be read are answered as a number; they are there, so that this is no error."""
    return [] if isinstance(_json.loads(answer.data), dict) else _rows(answer, into)


def _rows(answer: Any, into: Any) -> list[Any]:
    found = _json.loads(answer.data)
    if not isinstance(found, list):
        raise CrudError("decode", "the answer has no rows: leave returning: False out")
    convert = None if into is dict else converter(into)
    if convert is None:
        return found
    try:
        return [convert(row, "") for row in found]
    except InputError as error:
        raise CrudError("decode", f"a row is not what was asked for: {error.message}") from error


def _affected(answer: Any) -> int:
    found = _json.loads(answer.data)
    if not isinstance(found, dict):
        raise CrudError("decode", "the answer has rows: take update_returning or delete_returning")
    return cast(int, found["affected"])


def _error(case: str, payload: Any) -> CrudError:
    if case == "limit":
        return CrudError("limit", f"crud limit reached: {payload}", str(payload))
    if case == "refused":
        details = _json.loads(payload.details)
        return CrudError("refused", f"crud refused, {payload.code}: {payload.message}", payload.code, payload.hint, details)
    if case == "other":
        code, message = payload
        return CrudError("other", f"crud: {code}: {message}", code)
    return CrudError(case, f"crud {case}: {payload}")
