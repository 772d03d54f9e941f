"""Calls other logics as its input says, step by step, and answers what each step came to."""

from dataclasses import dataclass, field
from typing import Any

from santokit import LogicError, logic, logics


@dataclass
class Step:
    op: str
    name: str = ""
    params: Any = field(default_factory=dict)
    #: Not to catch the error.
    giveUp: bool = False


@dataclass
class Input:
    steps: list[Step]


@logic
def handle(input: Input) -> list[Any]:
    return [run(step) for step in input.steps]


def run(step: Step) -> Any:
    if step.op == "refuse":
        raise LogicError("NO_MORE", "there is no more", {"left": 0})
    if step.op == "panic":
        raise RuntimeError("planted-panic")
    try:
        return {"data": logics.call(step.name, step.params)}
    except logics.CallError as error:
        if step.giveUp:
            raise
        if error.kind == "refused":
            return {"kind": error.kind, "code": error.code, "message": error.message}
        return {"code": error.to_logic_error().code, "message": f"logics {error.kind}: {error.message}"}
