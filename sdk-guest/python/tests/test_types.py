"""Values between JSON, rows and Python. The project's tests run these inside the sandbox (tests/guests/sdk-py)."""

import enum
import json
import struct
import unittest
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

from santokit._json import encode
from santokit._reach import reachable
from santokit._typed import converter
from santokit.errors import InputError
from santokit.sql.packed import unpack


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Price:
    amount: Decimal
    currency: Literal["EUR", "CHF"] = "EUR"


class Line(TypedDict):
    id: str
    count: NotRequired[int]


@dataclass
class Tree:
    name: str
    under: list["Tree"] = field(default_factory=list)


@dataclass
class Order:
    productId: str
    price: Price
    lines: list[Line]
    placed_at: datetime | None = field(default=None, metadata={"name": "placedAt"})


def read(wanted: Any, value: Any) -> Any:
    convert = converter(wanted)
    return value if convert is None else convert(value, "")


class Reading(unittest.TestCase):
    def test_every_type_is_read(self) -> None:
        for wanted, value, expected in [
            (Any, {"a": 1}, {"a": 1}),
            (bool, 1, True),
            (int, "9007199254740993", 9007199254740993),
            (int, 3.0, 3),
            (float, 3, 3.0),
            (Decimal, "19.90", Decimal("19.90")),
            (Decimal, 0.1, Decimal("0.1")),
            (bytes, "AP8=", b"\x00\xff"),
            (datetime, "2026-01-31T08:00:00Z", datetime(2026, 1, 31, 8, tzinfo=timezone.utc)),
            (date, "2026-01-31", date(2026, 1, 31)),
            (UUID, "12345678-1234-5678-1234-567812345678", UUID(int=0x12345678123456781234567812345678)),
            (Colour, "red", Colour.RED),
            (str | None, None, None),
            (int | str, "7", "7"),
            (int | str, 7, 7),
            (list[int], [1, "2"], [1, 2]),
            (tuple[str, int], ["a", 1], ("a", 1)),
            (set[str], ["a", "a"], {"a"}),
            (dict[str, Decimal], {"a": "1"}, {"a": Decimal(1)}),
            (Annotated[int, "count"], 1, 1),
            (Price, {"amount": "1.5", "more": 1}, Price(Decimal("1.5"))),
            (Line, {"id": "a", "more": True}, {"id": "a", "more": True}),
            (Tree, {"name": "a", "under": [{"name": "b"}]}, Tree("a", [Tree("b")])),
        ]:
            with self.subTest(wanted=wanted):
                found = read(wanted, value)
                self.assertEqual(found, expected)
                self.assertIs(type(found), type(expected))

    def test_what_does_not_fit_is_told_with_its_place(self) -> None:
        order: dict[str, Any] = {"productId": "p", "price": {"amount": "1"}, "lines": [{"id": "a"}]}
        self.assertEqual(read(Order, {**order, "placedAt": None}).lines, [{"id": "a"}])
        for change, said in [
            ({"productId": 7}, "productId: a text is expected, a number came"),
            ({"price": {"amount": "x"}}, "price.amount: a decimal number is expected, a text came"),
            ({"price": {"amount": 1, "currency": "USD"}}, "price.currency: one of 'EUR', 'CHF' is expected"),
            ({"lines": [{"id": "a"}, {"count": 1}]}, "lines[1].id: this is missing"),
            ({"lines": [{"id": "a", "count": True}]}, "lines[0].count: a whole number is expected, true or false came"),
            ({"placedAt": "yesterday"}, "placedAt: a timestamp (RFC 3339) is expected, a text came"),
        ]:
            with self.subTest(said=said), self.assertRaises(InputError) as refused:
                read(Order, {**order, **change})
            self.assertEqual(refused.exception.message, said)
        for wanted, value in [(int, True), (int, 1.5), (int, "1e3"), (bool, 2), (float, "1"), (str, None), (Decimal, "NaN")]:
            with self.subTest(wanted=wanted, value=value), self.assertRaises(InputError):
                read(wanted, value)


class Writing(unittest.TestCase):
    def test_every_type_has_its_form(self) -> None:
        placed = datetime(2026, 1, 31, 8, 0, 0, 1, tzinfo=timezone.utc)
        order = Order("p", Price(Decimal("1.50")), [{"id": "ä"}], placed)
        self.assertEqual(
            json.loads(encode(order)),
            {
                "productId": "p",
                "price": {"amount": "1.50", "currency": "EUR"},
                "lines": [{"id": "ä"}],
                "placedAt": "2026-01-31T08:00:00.000001Z",
            },
        )
        self.assertEqual(encode([Colour.RED, b"\x00\xff", date(2026, 1, 31), (1,), {"b", "a"}]), b'["red","AP8=","2026-01-31",[1],["a","b"]]')
        self.assertEqual(encode({"n": [2**53 - 1, 2**53, -(2**63)]}), b'{"n":[9007199254740991,"9007199254740992","-9223372036854775808"]}')
        for value in [float("nan"), Decimal("Infinity"), object(), datetime(2026, 1, 31)]:
            with self.subTest(value=value), self.assertRaises((TypeError, ValueError)):
                encode(value)


class Packed(unittest.TestCase):
    def test_every_cell_is_read(self) -> None:
        def text(value: str) -> bytes:
            return struct.pack("<I", len(value.encode())) + value.encode()

        data = b"\x00\x01\x02\x03" + struct.pack("<q", -(2**63)) + b"\x04" + struct.pack("<d", 0.5) + b"\x05" + text("ä")
        data += b"\x06" + struct.pack("<I", 2) + b"\x00\xff" + b"\x07" + text("decimal") + text("1.20")
        data += b"\x07" + text("json") + text('{"a":[1]}') + b"\x07" + text("timestamp") + text("2026-01-31T08:00:00Z")
        expected = [None, False, True, -(2**63), 0.5, "ä", b"\x00\xff", Decimal("1.20"), {"a": [1]}, "2026-01-31T08:00:00Z"]
        self.assertEqual(unpack(10, 1, 1, data), [expected])
        self.assertEqual(unpack(5, 2, 1, data), [expected[:5], expected[5:]])
        for end in range(len(data)):
            with self.subTest(end=end), self.assertRaises((ValueError, IndexError, struct.error)):
                unpack(10, 1, 1, data[:end])
        with self.assertRaisesRegex(RuntimeError, "format 2"):
            unpack(10, 1, 2, data)


class Reach(unittest.TestCase):
    def test_what_the_source_names_is_reachable(self) -> None:
        for source, expected in [
            ("x = 1", []),
            ("from santokit import logic, log", []),
            ("from santokit import sql, logic", ["santokit:sql/connections"]),
            ("from santokit.secrets import get", ["santokit:runtime/secrets"]),
            ("import santokit.config as c", ["santokit:runtime/config"]),
            ("import santokit as s\ns.sql.open('main')", ["santokit:sql/connections"]),
            ("def f():\n    from santokit import queries", ["santokit:queries/queries"]),
            ("from santokit import crud", ["santokit:crud/crud"]),
            ("from santokit import events", ["santokit:events/events"]),
            ("from santokit import once", ["santokit:events/once"]),
        ]:
            with self.subTest(source=source):
                self.assertEqual(reachable({"main.py": source.encode()}), expected)
        self.assertEqual(len(reachable({"main.py": b"from santokit import *"})), 10)
