"""Answers as JSON, in the form in which the Bridge writes them."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ._typed import field_names
from .clock import rfc3339

_LONG_NUMBER = re.compile(r"\d{16}")
# Beyond it a number of JSON is not exact for everybody.
_SAFE = (1 << 53) - 1


def encode(value: Any) -> bytes:
    """UTF-8 JSON: decimals and integers beyond 2^53 as strings, bytes as base64, timestamps as RFC 3339."""
    text = _dumps(value)
    if _LONG_NUMBER.search(text):
        # Seldom, so that the fast path above need not look at every value.
        text = _dumps(_with_long_integers_as_text(value))
    return text.encode("utf-8", "replace")


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {outer: getattr(value, inner) for inner, outer in field_names(type(value))}
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} has no form in JSON")
        return format(value, "f")
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "__iter__"):
        return list(value)
    raise TypeError(f"a {type(value).__name__} has no form in JSON: {value!r}")


def _with_long_integers_as_text(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int) and not isinstance(value, enum.Enum):
        return value if -_SAFE <= value <= _SAFE else str(int(value))
    if isinstance(value, dict):
        return {key: _with_long_integers_as_text(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_long_integers_as_text(one) for one in value]
    return _with_long_integers_as_text(_plain(value))
