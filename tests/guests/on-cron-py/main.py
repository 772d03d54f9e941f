"""Notes what it is told of a run; fails in the job that is called so."""

from santokit import Context, LogicError, Run, on_cron, sql


@on_cron
def handle_run(run: Run, context: Context) -> None:
    said = f"{context.invocation.trigger} {context.caller.kind}"
    sql.open("main").execute(
        "INSERT INTO noted (id, logic, job, due, cause, said) VALUES (?, ?, ?, ?, ?, ?)",
        [run.id, context.invocation.logic, run.job, run.due_at, run.cause, said],
    )
    if run.job == "py-fails":
        raise LogicError("NO_RATES", "there are no rates today")
