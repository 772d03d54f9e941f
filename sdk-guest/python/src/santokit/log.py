"""Structured log lines. They carry the request id and the logic's name; the operator sees them, the caller does not.

The standard library's ``logging`` comes out here as well, from level INFO on; ``extra`` becomes fields. What is printed
becomes lines too.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping
from typing import Any

from . import _host

_LEVELS = ("trace", "debug", "info", "warn", "error")


def log(level: str, message: str, /, fields: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Writes one line at ``trace``, ``debug``, ``info``, ``warn`` or ``error``.

    Fields are keywords, or a mapping for names that are no keywords. What is no string is written as JSON. Beyond the
    manifest's ``logBytes`` lines are dropped.
    """
    if level not in _LEVELS:
        raise ValueError(f"{level!r} is no level: {', '.join(_LEVELS)}")
    pairs = [(str(key), text(value)) for key, value in {**(fields or {}), **more}.items()]
    _host.call("log", "log", _host.call("log", "Level", _RANK[level]), message, pairs)


_RANK = {level: rank for rank, level in enumerate(_LEVELS)}


def trace(message: str, /, fields: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Writes a line at trace level."""
    log("trace", message, fields, **more)


def debug(message: str, /, fields: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Writes a line at debug level."""
    log("debug", message, fields, **more)


def info(message: str, /, fields: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Writes a line at info level."""
    log("info", message, fields, **more)


def warn(message: str, /, fields: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Writes a line at warn level."""
    log("warn", message, fields, **more)


def error(message: str, /, fields: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Writes a line at error level."""
    log("error", message, fields, **more)


def text(value: Any) -> str:
    """A value as it is best read in a log."""
    if isinstance(value, str):
        return value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return repr(value)


class Handler(logging.Handler):
    """Hands the records of ``logging`` to the host. The root logger has one in every logic."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record as a line."""
        if not _host.connected:
            # What a module says while it is loaded is said to nobody.
            return
        try:
            fields = {key: value for key, value in vars(record).items() if key not in _OF_A_RECORD}
            fields["logger"] = record.name
            if record.exc_info and record.exc_info[0] is not None:
                fields["stack"] = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            log(_level(record.levelno), record.getMessage(), fields)
        except Exception:
            self.handleError(record)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    if number >= logging.INFO:
        return "info"
    return "debug" if number >= logging.DEBUG else "trace"


# What every record has; the rest is the developer's `extra`.
_OF_A_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
