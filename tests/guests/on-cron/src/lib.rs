//! Notes what it is told of a run; fails in the job that is called so.

use santokit_guest::prelude::*;

fn on_cron(run: cron::Run) -> Result<(), LogicError> {
    let invocation = context::invocation();
    let db = sql::open("main")?;
    let text = "INSERT INTO noted (id, logic, job, due, cause, said) VALUES (?, ?, ?, ?, ?, ?)";
    let said = format!("{} {}", invocation.trigger, context::caller().kind);
    db.execute(text, params![&run.id, &invocation.logic, &run.job, &run.due_at, &run.cause, said])?;
    match run.job.as_str() {
        "fails" => Err(LogicError::new("NO_RATES", "there are no rates today")),
        "panics" => panic!("as asked"),
        _ => Ok(()),
    }
}

santokit_guest::on_cron!(on_cron);
