"""What a Santokit logic written in Python imports.

::

    from dataclasses import dataclass

    from santokit import LogicError, logic, sql


    @dataclass
    class Input:
        itemId: str
        quantity: int = 1


    @logic
    def handle(input: Input) -> dict[str, int]:
        db = sql.open("main")
        with db.transaction() as tx:
            stock = tx.value("SELECT stock FROM items WHERE id = ?", [input.itemId])
            if stock < input.quantity:
                raise LogicError("OUT_OF_STOCK", "there is not enough of it", {"stock": stock})
            tx.execute("UPDATE items SET stock = stock - ? WHERE id = ?", [input.quantity, input.itemId])
        return {"left": stock - input.quantity}

Everything is synchronous: the host waits, the guest need not. The module is loaded when the logic is built, and what it
has become then is what every invocation starts from: there is no host to call at its top level.
"""

from . import clock, config, context, crud, events, http, log, logics, queries, random, secrets, sql, storage
from .context import Caller, Context, Invocation
from .errors import HostError, InputError, LogicError, NoHostError
from .handler import Event, Run, logic, on_cron, on_event
from .once import OnceError, once

__all__ = [
    "Caller",
    "Context",
    "Event",
    "HostError",
    "InputError",
    "Invocation",
    "LogicError",
    "NoHostError",
    "OnceError",
    "Run",
    "clock",
    "config",
    "context",
    "crud",
    "events",
    "http",
    "log",
    "logic",
    "logics",
    "on_cron",
    "on_event",
    "once",
    "queries",
    "random",
    "secrets",
    "sql",
    "storage",
]
