"""Publishes events as its input says, one step after the other, and answers what each came to."""

from dataclasses import dataclass
from typing import Any, Callable

from santokit import LogicError, events, logic, sql


@dataclass
class Input:
    steps: list[dict[str, Any]]


@logic
def handle(input: Input) -> list[Any]:
    return [run(step) for step in input.steps]


def run(step: dict[str, Any]) -> Any:
    op = step["op"]
    if op == "publish":
        return told(lambda: events.publish(step["topic"], step["payload"]))
    if op == "large":
        return told(lambda: events.publish(step["topic"], {"note": "x" * step["bytes"]}))
    if op == "refuse":
        raise LogicError("REFUSED", "as asked")
    tx = sql.open("main").begin()
    if op == "beside":
        said = told(lambda: events.publish(step["topic"], step["payload"]))
        tx.commit()
        return said
    tx.execute("INSERT INTO items (id) VALUES (?)", [step["id"]])
    said = told(lambda: events.within(tx).publish(step["topic"], step["payload"]))
    if step["keep"]:
        tx.commit()
    else:
        tx.rollback()
    return said


def told(publish: Callable[[], str]) -> Any:
    try:
        return {"id": publish()}
    except events.EventError as error:
        return {"error": error.code, "message": str(error), "details": error.details}
