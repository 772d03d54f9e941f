"""Given an event it writes two rows, each once, and fails until its third attempt."""

from typing import Any

from santokit import Context, Event, LogicError, on_event, once, sql

INSERT = "INSERT INTO handled (id, event, logic, attempt, depth, said) VALUES (?, ?, ?, ?, 0, ?)"


@on_event
def handle_event(event: Event, work: dict[str, Any], context: Context) -> None:
    logic = context.invocation.logic

    def row(said: str) -> list[Any]:
        return [f"{event.id} {logic} {said}", event.id, logic, event.attempt, said]

    db = sql.open("main")
    with db.transaction() as tx:
        once(event.id, lambda: tx.execute(INSERT, row("within")), within=tx)
    once(f"{event.id} alone", lambda: db.execute(INSERT, row("alone")))
    if event.attempt < 3:
        raise LogicError("NOT_NOW", f"attempt {event.attempt}")
