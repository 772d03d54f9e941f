"""Reads rows by key or by cursor, into typed rows."""

from dataclasses import dataclass

from santokit import logic, sql


@dataclass
class Input:
    op: str
    count: int


@dataclass
class Item:
    id: str
    text: str
    number: int


def whole(item: Item) -> bool:
    return bool(item.id) and bool(item.text) and item.number >= 0


@logic
def handle(input: Input) -> int:
    db = sql.open("main")
    seen = 0
    if input.op == "one":
        for number in range(input.count):
            id = f"i-{number % 10_000:05}"
            seen += whole(db.one("SELECT id, text, number FROM items WHERE id = ?", [id], Item))
    if input.op == "many":
        for item in db.cursor("SELECT id, text, number FROM items ORDER BY id", into=Item):
            seen += whole(item)
    return seen
