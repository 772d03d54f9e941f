//! Given an event it does what the payload says; called it publishes one. A component that exports both.

use santokit_guest::prelude::*;
use serde_json::Value as Json;

#[derive(Deserialize)]
struct Publish {
    topic: String,
    payload: Json,
}

#[derive(Deserialize)]
struct Work {
    /// `note`, `fail`, `failUntil`, `panic`, `spin`, `forge`, `chain`.
    action: String,
    /// Of `failUntil`, the attempt that succeeds; of `spin`, milliseconds.
    number: Option<u64>,
    /// Of `forge`.
    text: Option<String>,
}

fn handle(Publish { topic, payload }: Publish) -> Result<String, LogicError> {
    Ok(events::publish(&topic, payload)?)
}

fn on_event(event: events::Event, work: Work) -> Result<(), LogicError> {
    match work.action.as_str() {
        "fail" => return Err(refused(&event)),
        "failUntil" if u64::from(event.attempt) < work.number.unwrap_or(0) => return Err(refused(&event)),
        "panic" => panic!("as asked, in attempt {}", event.attempt),
        "spin" => {
            let until = clock::elapsed() + std::time::Duration::from_millis(work.number.unwrap_or(0));
            while clock::elapsed() < until {}
        }
        "forge" => {
            let said = sql::open("main")?.execute(work.text.as_deref().unwrap_or_default(), params![]);
            return note(&event, &format!("{said:?}"));
        }
        "chain" => {
            let said = events::publish("chain", json!({"action": "chain"}));
            return note(&event, &said.map_or_else(|error| error.to_string(), |id| id));
        }
        _ => {}
    }
    note(&event, "")
}

fn refused(event: &events::Event) -> LogicError {
    LogicError::new("NOT_NOW", format!("attempt {}", event.attempt)).details(json!({"event": event.id}))
}

/// A row that says who handled what.
fn note(event: &events::Event, said: &str) -> Result<(), LogicError> {
    let db = sql::open("main")?;
    let logic = context::invocation();
    let places = if db.engine() == "postgres" { "$1, $2, $3, $4, $5, $6, $7" } else { "?, ?, ?, ?, ?, ?, ?" };
    let text = format!("INSERT INTO handled (id, event, logic, attempt, depth, caused_by, said) VALUES ({places})");
    let id = format!("{} {} {}", event.id, logic.logic, event.attempt);
    let (attempt, depth) = (i64::from(event.attempt), i64::from(event.depth));
    db.execute(&text, params![id, &event.id, logic.logic, attempt, depth, &event.caused_by, said])?;
    Ok(())
}

santokit_guest::logic!(handle);
santokit_guest::on_event!(on_event);
