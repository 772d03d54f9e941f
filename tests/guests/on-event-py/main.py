"""Given an event it does what the payload says; called it says so."""

from dataclasses import dataclass
from typing import Any

from santokit import Context, Event, LogicError, logic, on_event, sql


@dataclass
class Work:
    action: str
    number: int | None = None


@logic
def handle(input: dict[str, Any]) -> str:
    return "called"


@on_event
def handle_event(event: Event, work: Work, context: Context) -> None:
    if work.action == "panic":
        raise TypeError("as asked")
    if work.action == "fail" or event.attempt < (work.number or 0):
        raise LogicError("NOT_NOW", f"attempt {event.attempt}", {"event": event.id})
    name, trigger = context.invocation.logic, context.invocation.trigger
    sql.open("main").execute(
        "INSERT INTO handled (id, event, logic, attempt, depth, caused_by, said) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            f"{event.id} {name}",
            event.id,
            name,
            event.attempt,
            event.depth,
            event.caused_by,
            f"{trigger} {context.caller.kind} {event.topic} {len(event.published_at)}",
        ],
    )
