"""Asks tables as its input says, step by step, and answers what each step came to."""

from dataclasses import dataclass, field
from typing import Any

from santokit import crud, logic, sql


@dataclass
class Step:
    op: str
    table: str = ""
    params: Any = field(default_factory=dict)
    within: bool = False


@dataclass
class Input:
    steps: list[Step]


@logic
def handle(input: Input) -> list[Any]:
    transactions: list[sql.Transaction] = []
    return [told(step, transactions) for step in input.steps]


def told(step: Step, transactions: list[sql.Transaction]) -> Any:
    try:
        return {"data": run(step, transactions)}
    except sql.SqlError as error:
        return {"error": "invalid", "message": str(error)}
    except crud.CrudError as error:
        # As any logic does: then the caller is told the limit.
        if error.kind == "limit" and step.params.get("giveUp"):
            raise
        code = error.code if error.kind == "refused" else None
        return {"error": error.kind, "code": code, "message": str(error), "hint": error.hint, "details": error.details}


def run(step: Step, transactions: list[sql.Transaction]) -> Any:
    table, params = step.table, step.params
    if isinstance(params, dict):
        params = {name: value for name, value in params.items() if name != "giveUp"}
    tables = crud.within(transactions[-1]) if step.within and transactions else crud
    match step.op:
        case "begin":
            transactions.append(sql.open("main").begin())
        case "commit":
            transactions.pop().commit()
        case "rollback":
            transactions.pop().rollback()
        case "sql":
            return len(sql.open("main").query(params))
        case "select":
            return tables.select(table, params)
        case "page":
            page = tables.page(table, params)
            return {"rows": page.rows, "nextCursor": page.next_cursor, "total": page.total}
        case "insert":
            return tables.insert(table, params)
        case "update":
            return tables.update(table, params)
        case "updateReturning":
            return tables.update_returning(table, params)
        case "delete":
            return tables.delete(table, params)
        case "deleteReturning":
            return tables.delete_returning(table, params)
        case "batch":
            return [answer.data for answer in tables.batch(params["calls"])]
        case other:
            raise crud.CrudError("invalid", other)
    return None
