"""The logic `{{name}}`: called at `POST /logics/{{name}}`."""

from dataclasses import dataclass

from santokit import LogicError, log, logic


@dataclass
class Input:
    who: str


@dataclass
class Output:
    greeting: str


@logic
def handle(input: Input) -> Output:
    if not input.who:
        raise LogicError("NOBODY", "say whom to greet")
    log.info("greeting", who=input.who)
    return Output(greeting=f"Hello, {input.who}!")
