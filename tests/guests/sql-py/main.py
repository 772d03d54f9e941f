"""Runs SQL as its input says."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict

from santokit import LogicError, logic, sql


@dataclass
class Item:
    """A row of `items`, in the types of Python."""

    id: str
    name: str
    stock: int
    price: Decimal | None
    total: int | None
    share: float | None
    isOpen: bool | None
    extra: Any
    raw: bytes | None
    at: datetime | None


class Number(TypedDict):
    id: str
    n: int


@logic
def handle(input: dict[str, Any]) -> Any:
    return run(sql.open(input["connection"]), input)


def run(db: sql.Connection, step: dict[str, Any]) -> Any:
    text, params = step.get("sql", ""), [param(value) for value in step.get("params", [])]
    match step["op"]:
        case "engine":
            return db.engine
        case "query":
            return db.query(text, params)
        case "kinds":
            # What the values are in Python, which JSON does not show.
            return [{name: f"{type(cell).__name__} {cell}" for name, cell in row.items()} for row in db.query(text, params)]
        case "items":
            item = db.one(text, params, Item)
            return {name: f"{type(cell).__name__} {cell}" for name, cell in vars(item).items()}
        case "shapes":
            return [
                db.query(text, params, Number),
                db.query(text, params, tuple[str, int]),
                db.query("SELECT n FROM numbers WHERE n <= 2 ORDER BY n", into=int),
                db.one_or_none("SELECT n FROM numbers WHERE n = 0", into=int),
                db.value("SELECT count(*) FROM numbers"),
            ]
        case "execute":
            return db.execute(text, params)
        case "cursor":
            numbers = [number for number in db.cursor(text, params, int)]
            return {"sum": sum(numbers), "rows": len(numbers)}
        case "first":
            with db.cursor(text, params) as cursor:
                return {"row": next(iter(cursor)), "columns": cursor.columns}
        case "transaction":
            return transaction(db, step)
        case "failure":
            return failure(db, step["step"])
    raise ValueError(step["op"])


def transaction(db: sql.Connection, step: dict[str, Any]) -> Any:
    with db.transaction() as tx:
        done = [run(db, inner) for inner in step["steps"]]
        match step.get("end"):
            case "refuse":
                raise LogicError("REFUSED", "asked to refuse")
            case "raise":
                raise RuntimeError("asked to raise in a transaction")
            case "rollback":
                tx.rollback()
            case "twice":
                tx.commit()
                tx.commit()
    return done


def failure(db: sql.Connection, step: dict[str, Any]) -> Any:
    try:
        return {"ok": run(sql.open(step["connection"]) if "connection" in step else db, step)}
    except sql.SqlError as error:
        return {"kind": error.kind, "constraint": error.constraint, "retryable": error.retryable, "said": str(error)}


def param(value: Any) -> Any:
    match value:
        case {"int": digits}:
            return int(digits)
        case {"decimal": digits}:
            return Decimal(digits)
        case {"bytes": numbers}:
            return bytes(numbers)
        case {"at": moment}:
            return datetime.fromisoformat(moment)
        case {"json": document}:
            return sql.json(document)
    return value
