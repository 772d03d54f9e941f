"""Why a statement failed, and what of it the caller may learn."""

from __future__ import annotations

from typing import Any

from ..errors import HostError, LogicError

_SAID = {
    "denied": ("SQL_DENIED", "the logic may not do this in the database"),
    "invalid": ("SQL_INVALID", "the logic made a mistake with the database"),
    "limit": ("SQL_LIMIT", "the logic asked for more data than it may read"),
    "timeout": ("SQL_TIMEOUT", "the database took too long"),
    "unavailable": ("SQL_UNAVAILABLE", "the database cannot be reached now"),
    "not_found": ("NOT_FOUND", "there is no such row"),
    "several": ("SQL_INVALID", "the logic made a mistake with the database"),
    "decode": ("SQL_INVALID", "the logic made a mistake with the database"),
    "other": ("SQL_ERROR", "the database refused"),
}

_CONSTRAINTS = {
    "unique": ("UNIQUE_VIOLATION", "a value that must be unique is already taken"),
    "foreign_key": ("FOREIGN_KEY_VIOLATION", "a referenced row is missing or still in use"),
    "not_null": ("NOT_NULL_VIOLATION", "a required value is missing"),
    "check": ("CHECK_VIOLATION", "a value is not acceptable"),
}


class SqlError(HostError):
    """A statement failed. Not caught, it becomes a ``LogicError`` that tells the caller no word of the database's."""

    #: ``denied``, ``invalid``, ``limit``, ``timeout``, ``unavailable``, ``database``, ``not_found`` and ``several`` (rows
    #: where one was asked for), ``decode`` (a row does not fit its type) or ``other``.
    kind: str
    #: SQLSTATE on PostgreSQL and MySQL, ``sqlite:<extended result code>`` on SQLite; the limit's name with ``limit``.
    code: str | None
    #: ``unique``, ``foreign_key``, ``not_null``, ``check`` where a constraint was violated. New kinds may appear.
    constraint: str | None
    #: True where the same call may succeed when made again.
    retryable: bool
    #: What else the database told.
    extras: dict[str, str]

    def __init__(
        self,
        kind: str,
        message: str,
        code: str | None = None,
        constraint: str | None = None,
        retryable: bool | None = None,
        extras: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.constraint = constraint
        self.retryable = kind == "unavailable" if retryable is None else retryable
        self.extras = extras or {}

    def to_logic_error(self) -> LogicError:
        """What the caller learns: no word of the database's."""
        if self.kind != "database":
            return LogicError(*_SAID.get(self.kind, _SAID["other"]))
        if self.constraint in _CONSTRAINTS:
            return LogicError(*_CONSTRAINTS[self.constraint])
        if self.retryable:
            return LogicError("SQL_CONFLICT", "another call got in the way; try again")
        return LogicError("SQL_ERROR", "the database refused")


def from_host(case: str, payload: Any) -> SqlError:
    """The error as the host gave it."""
    if case == "limit":
        return SqlError("limit", f"sql limit reached: {payload}", str(payload))
    if case == "database":
        return SqlError(
            "database",
            f"database error {payload.code}: {payload.message}",
            payload.code,
            payload.constraint_kind,
            payload.retryable,
            dict(payload.extras),
        )
    if case == "other":
        code, message = payload
        return SqlError("other", f"sql: {code}: {message}", code)
    return SqlError(case, f"sql {case}: {payload}")
