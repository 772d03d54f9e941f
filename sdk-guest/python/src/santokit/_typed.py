"""From JSON and from rows to the types that a handler or a query names.

A type is looked at once and becomes a function. Dataclasses and ``TypedDict`` are filled by name; a dataclass field
may have another name outside: ``field(metadata={"name": "productId"})``. What the outside cannot tell apart is decided
by the type that is asked for: 0 and 1 for a ``bool`` (SQLite), digits for an ``int`` (``bigint`` in JSON is a string).
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NoReturn, Union
from uuid import UUID

from .errors import InputError

#: A value and where it stands ("items[2].price") to the value as its type.
Converter = Callable[[Any, str], Any]

_known: dict[Any, Converter | None] = {}


def converter(wanted: Any) -> Converter | None:
    """The conversion to a type; None where values stay as they are."""
    try:
        return _known[wanted]
    except KeyError:
        pass
    except TypeError:
        return _make(wanted)
    # A type may contain itself: until it is made, it is looked up when it is used.
    _known[wanted] = lambda value, path: _converted(value, path, wanted)
    made = _known[wanted] = _make(wanted)
    return made


def field_names(wanted: type) -> list[tuple[str, str]]:
    """A dataclass's fields: the name inside and the name outside."""
    return [(field.name, field.metadata.get("name", field.name)) for field in dataclasses.fields(wanted) if field.init]


def _converted(value: Any, path: str, wanted: Any) -> Any:
    made = _known[wanted]
    return value if made is None else made(value, path)


def _make(wanted: Any) -> Converter | None:
    if wanted is Any or wanted is object or isinstance(wanted, typing.TypeVar):
        return None
    if wanted is None or wanted is types.NoneType:
        return _none
    if (plain := PLAIN.get(wanted)) is not None:
        return plain
    if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
        return _dataclass(wanted)
    if typing.is_typeddict(wanted):
        return _typed_dict(wanted)
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        return _enum(wanted)
    if isinstance(wanted, typing.NewType):
        return converter(wanted.__supertype__)
    if isinstance(wanted, typing.TypeAliasType):
        return converter(wanted.__value__)
    return _generic(wanted)


def _generic(wanted: Any) -> Converter | None:
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired, typing.ReadOnly, typing.Final):
        return converter(arguments[0])
    if origin is Union or origin is types.UnionType:
        return _union(arguments)
    if origin is Literal:
        return _literal(arguments)
    base = origin or wanted
    if base in (list, Sequence, tuple, set, frozenset):
        return _sequence(base, arguments)
    if base in (dict, Mapping):
        return _mapping(arguments)
    if isinstance(base, type):
        return _instance(base)
    raise TypeError(f"{wanted!r} is no type that values can be read as; use dataclasses, TypedDict, dict or Any")


def _refuse(path: str, expected: str, value: Any) -> NoReturn:
    raise InputError(path, f"{expected} is expected, {_shown(value)} came")


def _shown(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, (int, float)) else f"a {type(value).__name__}")


def _none(value: Any, path: str) -> None:
    if value is not None:
        _refuse(path, "null", value)


def _str(value: Any, path: str) -> str:
    if type(value) is str:
        return value
    _refuse(path, "a text", value)


def _bool(value: Any, path: str) -> bool:
    if type(value) is bool:
        return value
    if type(value) is int and value in (0, 1):
        return value == 1
    _refuse(path, "true or false", value)


def _int(value: Any, path: str) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    if type(value) is str and 0 < len(value) <= 40 and value.removeprefix("-").isdecimal():
        return int(value)
    _refuse(path, "a whole number", value)


def _float(value: Any, path: str) -> float:
    if type(value) is float:
        return value
    if (type(value) is int) or isinstance(value, Decimal):
        return float(value)
    _refuse(path, "a number", value)


def _decimal(value: Any, path: str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if type(value) is int:
        return Decimal(value)
    if type(value) in (str, float):
        try:
            # A float's shortest text, not its binary digits.
            number = Decimal(str(value))
        except InvalidOperation:
            pass
        else:
            if number.is_finite():
                return number
    _refuse(path, "a decimal number", value)


def _bytes(value: Any, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if type(value) is str:
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:
            pass
    _refuse(path, "bytes (in base64)", value)


def _datetime(value: Any, path: str) -> datetime:
    if isinstance(value, datetime):
        return value
    if type(value) is str:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    _refuse(path, "a timestamp (RFC 3339)", value)


def _date(value: Any, path: str) -> date:
    if type(value) is str:
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    _refuse(path, "a date (2026-01-31)", value)


def _uuid(value: Any, path: str) -> UUID:
    if type(value) is str:
        try:
            return UUID(value)
        except ValueError:
            pass
    _refuse(path, "a UUID", value)


PLAIN: dict[Any, Converter] = {
    str: _str,
    bool: _bool,
    int: _int,
    float: _float,
    Decimal: _decimal,
    bytes: _bytes,
    datetime: _datetime,
    date: _date,
    UUID: _uuid,
}


def _dataclass(wanted: type) -> Converter:
    hints = typing.get_type_hints(wanted, include_extras=True)
    fields = [(inner, outer, converter(hints[inner])) for inner, outer in field_names(wanted)]
    needed = {
        field.name
        for field in dataclasses.fields(wanted)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def convert(value: Any, path: str) -> Any:
        if isinstance(value, wanted):
            return value
        if not isinstance(value, dict):
            _refuse(path, "an object", value)
        made = {}
        for inner, outer, convert_field in fields:
            if outer in value:
                found = value[outer]
                made[inner] = found if convert_field is None else convert_field(found, _below(path, outer))
            elif inner in needed:
                raise InputError(_below(path, outer), "this is missing")
        return wanted(**made)

    return convert


def _typed_dict(wanted: Any) -> Converter:
    hints = typing.get_type_hints(wanted, include_extras=True)
    fields = {name: converter(hint) for name, hint in hints.items()}
    needed = sorted(wanted.__required_keys__)

    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            _refuse(path, "an object", value)
        for name in needed:
            if name not in value:
                raise InputError(_below(path, name), "this is missing")
        made = dict(value)
        for name, convert_field in fields.items():
            if convert_field is not None and name in made:
                made[name] = convert_field(made[name], _below(path, name))
        return made

    return convert


def _enum(wanted: type[enum.Enum]) -> Converter:
    def convert(value: Any, path: str) -> Any:
        try:
            return wanted(value)
        except ValueError:
            _refuse(path, "one of " + ", ".join(str(member.value) for member in wanted), value)

    return convert


def _union(members: tuple[Any, ...]) -> Converter | None:
    converters = [converter(member) for member in members if member is not types.NoneType]
    if None in converters:
        return None
    may_be_none = types.NoneType in members

    def convert(value: Any, path: str) -> Any:
        if value is None and may_be_none:
            return None
        refused: InputError | None = None
        # A value that is of a member's own type already is not read as another one.
        for convert_member in sorted(converters, key=lambda made: made is not PLAIN.get(type(value))):
            try:
                return convert_member(value, path) if convert_member else value
            except InputError as error:
                refused = refused or error
        raise refused or InputError(path, "this fits none of the types")

    return convert


def _literal(values: tuple[Any, ...]) -> Converter:
    def convert(value: Any, path: str) -> Any:
        if any(value == one and type(value) is type(one) for one in values):
            return value
        raise InputError(path, "one of " + ", ".join(map(repr, values)) + " is expected")

    return convert


def _sequence(base: Any, arguments: tuple[Any, ...]) -> Converter:
    build = list if base is Sequence else base
    if base is tuple and arguments and arguments[-1] is not Ellipsis:
        members = [converter(argument) for argument in arguments]

        def convert_tuple(value: Any, path: str) -> Any:
            if not isinstance(value, (list, tuple)) or len(value) != len(members):
                _refuse(path, f"a list of {len(members)}", value)
            pairs = enumerate(zip(value, members, strict=True))
            return tuple(one if how is None else how(one, f"{path}[{index}]") for index, (one, how) in pairs)

        return convert_tuple
    member = converter(arguments[0]) if arguments else None

    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, (list, tuple)):
            _refuse(path, "a list", value)
        if member is None:
            return build(value)
        return build([member(one, f"{path}[{index}]") for index, one in enumerate(value)])

    return convert


def _mapping(arguments: tuple[Any, ...]) -> Converter:
    member = converter(arguments[1]) if len(arguments) == 2 else None

    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            _refuse(path, "an object", value)
        if member is None:
            return value
        return {key: member(one, _below(path, str(key))) for key, one in value.items()}

    return convert


def _instance(base: type) -> Converter:
    def convert(value: Any, path: str) -> Any:
        if isinstance(value, base):
            return value
        _refuse(path, f"a {base.__name__}", value)

    return convert


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
