"""Sends requests as its input says, one after the other, and answers what each came to."""

from dataclasses import dataclass, field
from typing import Any

from santokit import http, logic, sql


@dataclass
class Step:
    url: str
    method: str = "GET"
    headers: list[list[str]] = field(default_factory=list)
    json: Any = None
    manual: bool = False
    #: While a transaction on SQLite is open.
    within: bool = False
    #: Not to catch the error of a limit.
    giveUp: bool = False


@dataclass
class Input:
    steps: list[Step]


@logic
def handle(input: Input) -> list[Any]:
    return [within(step) if step.within else told(step) for step in input.steps]


def within(step: Step) -> Any:
    with sql.open("main").transaction() as tx:
        tx.execute("INSERT INTO notes (id) VALUES (?)", ["within-py"])
        return told(step)


def told(step: Step) -> Any:
    headers = [(name, value) for name, value in step.headers]
    try:
        answer = http.request(step.method, step.url, headers=headers, json=step.json, redirects=not step.manual)
    except http.HttpError as error:
        # As any logic does: then the caller is told the limit.
        if error.code == "limit" and step.giveUp:
            raise
        return {"code": error.to_logic_error().code, "message": str(error)}
    return {"status": answer.status, "type": answer.header("Content-Type"), "body": answer.text(), "url": answer.url}
