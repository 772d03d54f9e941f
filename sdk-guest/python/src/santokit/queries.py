"""Declared queries of the project (``queries/*.sql``), called by name. Each name needs ``grants.queries``.

::

    rows = queries.many("stock/low", {"below": 10})
    item = queries.one("stock/item", {"id": item_id}, Item)
    with queries.transaction("main"):
        queries.execute("stock/take", {"id": item_id, "count": 1})

Rows are as those of :mod:`santokit.sql`, and so are errors: ``queries.SqlError`` is the same, and asks for no grant of SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast, overload

from . import _host
from .sql.connection import Cursor, Reader, Row, Savepoint, ended
from .sql.error import SqlError, from_host
from .sql.value import Param, Typed, json, to_wit, typed

__all__ = [
    "Cursor",
    "Param",
    "SqlError",
    "Typed",
    "cursor",
    "execute",
    "json",
    "many",
    "one",
    "transaction",
    "typed",
]

T = TypeVar("T")


@overload
def many(name: str, params: Mapping[str, object] = {}) -> list[Row]: ...
@overload
def many(name: str, params: Mapping[str, object], into: type[T]) -> list[T]: ...
def many(name: str, params: Mapping[str, object] = {}, into: Any = dict) -> list[Any]:
    """All rows of a query that returns ``many``."""
    packed = _call("many", name, _named(params))
    return Reader([column.name for column in packed.columns], into).rows(packed.batch)


@overload
def one(name: str, params: Mapping[str, object] = {}) -> Row: ...
@overload
def one(name: str, params: Mapping[str, object], into: type[T]) -> T: ...
def one(name: str, params: Mapping[str, object] = {}, into: Any = dict) -> Any:
    """The row of a query that returns ``one``; none or several are an error, and then nothing was changed."""
    packed = _call("one", name, _named(params))
    return Reader([column.name for column in packed.columns], into).rows(packed.batch)[0]


def execute(name: str, params: Mapping[str, object] = {}) -> int:
    """Runs a query that returns ``exec``; the number of rows affected."""
    return cast(int, _call("execute", name, _named(params)))


@overload
def cursor(name: str, params: Mapping[str, object] = {}) -> Cursor[Row]: ...
@overload
def cursor(name: str, params: Mapping[str, object], into: type[T]) -> Cursor[T]: ...
def cursor(name: str, params: Mapping[str, object] = {}, into: Any = dict) -> Cursor[Any]:
    """Reads a large result in parts: ``for row in queries.cursor(…)``."""
    return Cursor(_call("open_cursor", name, _named(params)), into)


@contextmanager
def transaction(connection: str = "main") -> Iterator[Savepoint]:
    """``with queries.transaction():`` commits at the end, and rolls back when an exception leaves the block. Every query of
    that connection belongs to the innermost open transaction."""
    with ended(Savepoint(_call("begin", connection, []))) as begun:
        yield begun


def _named(params: Mapping[str, object]) -> list[tuple[str, Any]]:
    return list(zip(params, to_wit(cast("list[Param]", list(params.values()))), strict=True))


def _call(function: str, name: str, rest: Any) -> Any:
    return _host.calling(lambda: _host.call("queries", function, name, rest), _error)


def _error(case: str, payload: Any) -> SqlError:
    error = from_host(case, payload)
    if error.kind == "other" and error.code in _KINDS:
        error.kind = _KINDS[error.code]
    return error


_KINDS = {"NO_ROW": "not_found", "SEVERAL_ROWS": "several"}
