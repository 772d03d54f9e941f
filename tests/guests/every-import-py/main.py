"""Calls every part of the SDK once, and so every interface that the world offers."""

from dataclasses import dataclass
from typing import Any

from santokit import clock, config, context, log, logic, random, secrets, sql


@dataclass
class Input:
    connection: str
    query: str
    statement: str
    config: str
    secret: str


@logic
def handle(input: Input) -> Any:
    log.trace("every import")
    answer = {
        "caller": context.caller().kind,
        "logic": context.invocation().logic,
        "now": len(clock.timestamp()),
        "elapsed": clock.elapsed() > 0,
        "remaining": clock.remaining() > 0,
        "random": len(random.bytes(8)),
        "config": config.get(input.config),
        "secret": len(secrets.get(input.secret)),
        "sql": database(input),
    }
    log.error("every import was called", interfaces=8)
    return answer


def database(input: Input) -> Any:
    db = sql.open(input.connection)
    rows = [len(db.query(input.query)), len(list(db.cursor(input.query)))]
    db.execute(input.statement)
    with db.transaction() as tx:
        rows += [len(tx.query(input.query)), len(list(tx.cursor(input.query)))]
        tx.execute(input.statement)
    taken_back = db.begin()
    taken_back.execute(input.statement)
    taken_back.rollback()
    return {"engine": db.engine, "rows": rows}
