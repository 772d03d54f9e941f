"""Calls declared queries as its input says, and answers errors as values."""

from dataclasses import dataclass
from typing import Any

from santokit import logic, queries


@dataclass
class Input:
    op: str
    query: str | None = None
    params: Any = None
    fail: bool = False


@logic
def handle(input: Input) -> Any:
    try:
        return call(input)
    except queries.SqlError as error:
        # As any logic does: then the caller is told the limit.
        if error.kind == "limit":
            raise
        kind = "rowCount" if error.kind in ("not_found", "several") else error.kind
        return {"error": kind, "message": str(error)}


def call(input: Input) -> Any:
    query, params = input.query or "", input.params or {}
    match input.op:
        case "many":
            return queries.many(query, params)
        case "one":
            return queries.one(query, params)
        case "execute":
            return queries.execute(query, params)
        case "cursor":
            return {"rows": sum(1 for _ in queries.cursor(query, params))}
        case "transaction":
            return transaction(input.fail)
        case "handles":
            return handles()


def transaction(fail: bool) -> Any:
    with queries.transaction():
        for id in ("t1", "t2"):
            queries.execute("add", {"id": id, "customerId": "c1", "total": "1.50"})
        if fail:
            raise queries.SqlError("other", "as asked")
        return orders()


def handles() -> Any:
    with queries.transaction() as open:
        queries.execute("add", {"id": "h1", "customerId": "c1", "total": "1"})
        open.rollback()
    return {"left": orders()}


def orders() -> int:
    return len(queries.many("by_customer", {"customerId": "c1"}))
