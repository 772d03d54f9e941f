"""SQL on the project's own databases. Needs ``grants.sql`` for the connection, the tables and the verbs used.

A statement is one SQL statement; placeholders are ``?`` on SQLite and MySQL and ``$1`` … on PostgreSQL, and values are
always bound::

    db = sql.open("main")
    rows = db.query("SELECT id, name FROM items WHERE price < ?", [Decimal("10")])
    item = db.one("SELECT id, name, price FROM items WHERE id = ?", [item_id], Item)
    with db.transaction() as tx:
        tx.execute("UPDATE items SET stock = stock - 1 WHERE id = ?", [item_id])
    for row in db.cursor("SELECT * FROM orders ORDER BY id"):
        ...

Rows are dicts by column name, or what the last argument names: a dataclass, a ``TypedDict``, a tuple, a single type for
the only column. Integers are exact, decimals are ``Decimal``, bytes are ``bytes``, JSON columns are parsed, timestamps
are text in RFC 3339 unless a ``datetime`` is asked for.
"""

from .connection import Connection, Cursor, Statements, Transaction, open
from .error import SqlError
from .value import Param, Typed, json, typed

__all__ = [
    "Connection",
    "Cursor",
    "Param",
    "SqlError",
    "Statements",
    "Transaction",
    "Typed",
    "json",
    "open",
    "typed",
]
