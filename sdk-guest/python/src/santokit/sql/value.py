"""Values that are bound to placeholders, and the form in which the border takes them."""

from __future__ import annotations

import enum
import json as _json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Union
from uuid import UUID

from ..clock import rfc3339


@dataclass(frozen=True, slots=True)
class Typed:
    """A value of a type that Python has no word for: made by :func:`json` and :func:`typed`."""

    type: str
    text: str


#: What can be bound. An ``int`` of any size is exact; a ``datetime`` must say its time zone; an enum is bound by its
#: value. Lists and dicts are not taken as JSON by themselves: say ``sql.json(value)``.
Param = Union[
    None, bool, int, float, str, bytes, bytearray, memoryview, Decimal, datetime, date, UUID, enum.Enum, Typed
]


def json(value: Any) -> Typed:
    """Any value, bound as JSON."""
    return Typed("json", _json.dumps(value, ensure_ascii=False, allow_nan=False))


def typed(type: str, text: str) -> Typed:
    """Any type of the project's schema, as text."""
    return Typed(type, text)


def to_wit(params: Iterable[Param]) -> list[Any]:
    """The border's form of the params."""
    if isinstance(params, (str, bytes, dict)):
        raise TypeError("params are a list or tuple of values, one for each placeholder")
    wit = sys.modules.get("wit_world.imports.types")
    return [_one(wit, index, param) for index, param in enumerate(params)]


def _one(wit: Any, index: int, param: Param) -> Any:
    if param is None:
        return wit.Value_Null()
    if isinstance(param, enum.Enum):
        return _one(wit, index, param.value)
    if isinstance(param, bool):
        return wit.Value_Boolean(param)
    if isinstance(param, int):
        if -(1 << 63) <= param < 1 << 63:
            return wit.Value_Int64(param)
        return wit.Value_Typed(("bigint", str(param)))
    if isinstance(param, float):
        return wit.Value_Float64(param)
    if isinstance(param, str):
        return wit.Value_Text(param)
    if isinstance(param, (bytes, bytearray, memoryview)):
        return wit.Value_Bytes(bytes(param))
    if isinstance(param, Typed):
        return wit.Value_Typed((param.type, param.text))
    if isinstance(param, Decimal):
        return wit.Value_Typed(("decimal", format(param, "f")))
    if isinstance(param, datetime):
        return wit.Value_Typed(("timestamp", rfc3339(param)))
    if isinstance(param, date):
        return wit.Value_Text(param.isoformat())
    if isinstance(param, UUID):
        return wit.Value_Text(str(param))
    raise TypeError(f"param {index + 1} cannot be bound: it is a {type(param).__name__}; for JSON say sql.json(value)")
