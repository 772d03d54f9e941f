"""Connections, transactions and cursors. Rows cross the border packed (see packed.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Generic, TypeVar, cast, overload

from .. import _host
from .._typed import PLAIN, Converter, converter
from ..errors import InputError
from .error import SqlError, from_host
from .packed import unpack
from .value import Param, to_wit

T = TypeVar("T")
Row = dict[str, Any]

# How much a cursor fetches at a time: enough to make the border cheap, little enough to stay small in memory.
_BATCH_ROWS = 500
_BATCH_BYTES = 256 * 1024


def open(name: str) -> Connection:
    """Opens a connection of the project by its name, for example ``main``."""
    return Connection(_calling(lambda: _host.call("connections", "open", name)))


class Statements:
    """Statements, on a connection or in a transaction."""

    def __init__(self, host: Any) -> None:
        self._host = host

    @overload
    def query(self, sql: str, params: Iterable[Param] = ()) -> list[Row]: ...
    @overload
    def query(self, sql: str, params: Iterable[Param], into: type[T]) -> list[T]: ...
    @overload
    def query(self, sql: str, params: Iterable[Param] = (), *, into: type[T]) -> list[T]: ...
    def query(self, sql: str, params: Iterable[Param] = (), into: Any = dict) -> list[Any]:
        """Reads all rows of a result."""
        values = to_wit(params)
        packed = _calling(lambda: self._host.query_packed(sql, values))
        return Reader([column.name for column in packed.columns], into).rows(packed.batch)

    @overload
    def one(self, sql: str, params: Iterable[Param] = ()) -> Row: ...
    @overload
    def one(self, sql: str, params: Iterable[Param], into: type[T]) -> T: ...
    @overload
    def one(self, sql: str, params: Iterable[Param] = (), *, into: type[T]) -> T: ...
    def one(self, sql: str, params: Iterable[Param] = (), into: Any = dict) -> Any:
        """Reads exactly one row; none or several are an error."""
        rows = self.query(sql, params, into)
        if not rows:
            raise SqlError("not_found", "one row was asked for, none came")
        return _only(rows)

    @overload
    def one_or_none(self, sql: str, params: Iterable[Param] = ()) -> Row | None: ...
    @overload
    def one_or_none(self, sql: str, params: Iterable[Param], into: type[T]) -> T | None: ...
    @overload
    def one_or_none(self, sql: str, params: Iterable[Param] = (), *, into: type[T]) -> T | None: ...
    def one_or_none(self, sql: str, params: Iterable[Param] = (), into: Any = dict) -> Any:
        """Reads one row or none; several are an error."""
        rows = self.query(sql, params, into)
        return _only(rows) if rows else None

    def value(self, sql: str, params: Iterable[Param] = ()) -> Any:
        """Reads the first column of exactly one row."""
        return next(iter(self.one(sql, params).values()))

    def execute(self, sql: str, params: Iterable[Param] = ()) -> int:
        """Runs a statement for its effect; the number of rows affected."""
        values = to_wit(params)
        return cast(int, _calling(lambda: self._host.execute(sql, values)))

    @overload
    def cursor(self, sql: str, params: Iterable[Param] = ()) -> Cursor[Row]: ...
    @overload
    def cursor(self, sql: str, params: Iterable[Param], into: type[T]) -> Cursor[T]: ...
    @overload
    def cursor(self, sql: str, params: Iterable[Param] = (), *, into: type[T]) -> Cursor[T]: ...
    def cursor(self, sql: str, params: Iterable[Param] = (), into: Any = dict) -> Cursor[Any]:
        """Reads a large result in parts: ``for row in db.cursor(…)``."""
        values = to_wit(params)
        return Cursor(_calling(lambda: self._host.open_cursor(sql, values)), into)


class Connection(Statements):
    """A database of the project. While a transaction is open on it, statements made through the connection belong to
    the innermost one."""

    @property
    def engine(self) -> str:
        """For example ``sqlite``, ``postgres``, ``mysql``."""
        return cast(str, self._host.engine())

    def begin(self) -> Transaction:
        """Begins a transaction. One begun inside another is a savepoint of it. Prefer :meth:`transaction`."""
        return Transaction(_calling(lambda: self._host.begin([])))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """``with db.transaction() as tx:`` commits at the end, and rolls back when an exception leaves the block."""
        with ended(self.begin()) as transaction:
            yield transaction


class Savepoint:
    """Something begun. Not committed, it is rolled back at the end of the invocation at the latest."""

    def __init__(self, host: Any) -> None:
        self._host = host
        #: Whether it was neither committed nor rolled back.
        self.is_open = True

    def commit(self) -> None:
        """Makes the changes last."""
        self._end(self._host.commit)

    def rollback(self) -> None:
        """Takes the changes back."""
        self._end(self._host.rollback)

    def _end(self, how: Callable[[], Any]) -> None:
        if not self.is_open:
            raise SqlError("invalid", "sql invalid: the transaction has ended already")
        _calling(how)
        self.is_open = False
        _release(self._host)


class Transaction(Savepoint, Statements):
    """An open transaction, with statements of its own."""


S = TypeVar("S", bound=Savepoint)


@contextmanager
def ended(begun: S) -> Iterator[S]:
    """Commits what was begun when the block ends, and rolls it back when an exception leaves the block."""
    try:
        yield begun
    except BaseException:
        # What was raised first tells what happened, and the end of the invocation rolls back as well.
        with suppress(SqlError):
            if begun.is_open:
                begun.rollback()
        raise
    if begun.is_open:
        begun.commit()


class Cursor(Generic[T]):
    """Reads rows one by one, fetching them in batches. Closed at its last row, or by ``with`` or :meth:`close`."""

    def __init__(self, host: Any, into: Any) -> None:
        self._host = host
        self._is_open = True
        found = host.columns()
        #: Names and types of the columns, in order.
        self.columns: list[tuple[str, str]] = [(column.name, column.type_name) for column in found]
        self._reader = Reader([column.name for column in found], into)

    def __iter__(self) -> Iterator[T]:
        try:
            while self._is_open:
                batch = _calling(lambda: self._host.next_batch(_BATCH_ROWS, _BATCH_BYTES))
                if batch is None:
                    return
                yield from self._reader.rows(batch)
        finally:
            self.close()

    def close(self) -> None:
        """Ends it before its last row."""
        if self._is_open:
            self._is_open = False
            _release(self._host)

    def __enter__(self) -> Cursor[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Reader:
    """Makes rows of one result what was asked for."""

    def __init__(self, names: list[str], into: Any) -> None:
        self._names = names
        self._into = into
        self._convert: Converter | None = None if into in (dict, tuple, list) else converter(into)
        self._is_sequence = into in (tuple, list) or getattr(into, "__origin__", None) in (tuple, list)
        # Not an object by column name: the only column.
        self._is_single = not self._is_sequence and into in PLAIN

    def rows(self, batch: Any) -> list[Any]:
        """The rows of a batch, each as what was asked for."""
        # A result without rows may come without columns: then there is nothing that could not fit.
        if batch.rows == 0:
            return []
        found: list[Any] = unpack(len(self._names), batch.rows, batch.format, batch.data)
        names, into, convert = self._names, self._into, self._convert
        if self._is_single:
            if len(names) != 1:
                raise SqlError("decode", f"a {into.__name__} was asked for, the row has {len(names)} columns")
            found = [row[0] for row in found]
        elif not self._is_sequence:
            found = [dict(zip(names, row)) for row in found]  # noqa: B905
        elif convert is None:
            return [into(row) for row in found]
        if convert is None:
            return found
        try:
            return [convert(row, "") for row in found]
        except InputError as error:
            raise SqlError("decode", f"a row is not what was asked for: {error.message}") from error


def _only(rows: list[Any]) -> Any:
    if len(rows) > 1:
        raise SqlError("several", "one row was asked for, several came")
    return rows[0]


def _calling(work: Callable[[], Any]) -> Any:
    return _host.calling(work, from_host)


def _release(host: Any) -> None:
    """Gives a resource back to the host now, not when it is collected."""
    host.__exit__(None, None, None)
