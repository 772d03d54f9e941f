"""The packed form of rows, format 1 (described in sql.wit), as Python values."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from struct import Struct
from typing import Any

# The format this version can read.
_FORMAT = 1

_INT64 = Struct("<q")
_FLOAT64 = Struct("<d")
_LENGTH = Struct("<I")


def unpack(width: int, rows: int, format: int, data: bytes) -> list[list[Any]]:
    """The cells of each row."""
    if format != _FORMAT:
        raise RuntimeError(
            f"the host packs rows in format {format}, this santokit-guest reads format {_FORMAT}: build with a newer stk"
        )
    at = 0
    int64, float64, length = _INT64.unpack_from, _FLOAT64.unpack_from, _LENGTH.unpack_from
    all_rows = []
    for _ in range(rows):
        row: list[Any] = []
        for _ in range(width):
            tag = data[at]
            at += 1
            if tag == 5:
                end = at + 4 + length(data, at)[0]
                row.append(_part(data, at + 4, end).decode())
                at = end
            elif tag == 3:
                row.append(int64(data, at)[0])
                at += 8
            elif tag == 0:
                row.append(None)
            elif tag == 4:
                row.append(float64(data, at)[0])
                at += 8
            elif tag <= 2:
                row.append(tag == 2)
            elif tag == 6:
                end = at + 4 + length(data, at)[0]
                row.append(_part(data, at + 4, end))
                at = end
            elif tag == 7:
                middle = at + 4 + length(data, at)[0]
                end = middle + 4 + length(data, middle)[0]
                name = _part(data, at + 4, middle).decode()
                row.append(typed_value(name, _part(data, middle + 4, end).decode()))
                at = end
            else:
                raise ValueError(f"unknown tag {tag} in packed rows")
        all_rows.append(row)
    return all_rows


def _part(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise ValueError("packed rows are cut short")
    return data[start:end]


def typed_value(name: str, text: str) -> Any:
    """A value whose type is told by name. What Python has no type for stays text."""
    how = _TYPES.get(name)
    return text if how is None else how(text)


_TYPES: dict[str, Callable[[str], Any]] = {
    "bigint": int,
    "int": int,
    "float": float,
    "decimal": Decimal,
    "numeric": Decimal,
    "json": json.loads,
    "array": json.loads,
}
