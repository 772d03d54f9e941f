//! Publishes events as its input says, one step after the other, and answers what each came to.

use santokit_guest::events::Error;
use santokit_guest::prelude::*;
use santokit_guest::sql::{Connection, Transaction};
use serde_json::Value as Json;

#[derive(Deserialize)]
struct Input {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "camelCase")]
enum Step {
    /// In no transaction of its own.
    Publish { topic: String, payload: Json },
    /// As many bytes of payload.
    Large { topic: String, bytes: usize },
    /// A row, and what is said of it, in one transaction.
    Together { id: String, topic: String, payload: Json, keep: bool },
    /// Beside a transaction that is open, which is then committed.
    Beside { topic: String, payload: Json },
    /// A row of the logic's own SQL.
    Insert { id: String },
    /// What guests say who would like to publish in somebody's name.
    Forge { sql: String },
    /// The end.
    Refuse {},
}

fn handle(Input { steps }: Input) -> Result<Vec<Json>, LogicError> {
    steps.into_iter().map(step).collect()
}

fn step(step: Step) -> Result<Json, LogicError> {
    let main = || sql::open("main");
    match step {
        Step::Publish { topic, payload } => Ok(told(events::publish(&topic, payload))),
        Step::Large { topic, bytes } => Ok(told(events::publish(&topic, json!({"note": "x".repeat(bytes)})))),
        Step::Together { id, topic, payload, keep } => {
            let tx = main()?.begin()?;
            insert(&main()?, &tx, &id)?;
            let said = told(events::within(&tx).publish(&topic, payload));
            if keep {
                tx.commit()?
            } else {
                tx.rollback()?
            }
            Ok(said)
        }
        Step::Beside { topic, payload } => {
            let tx = main()?.begin()?;
            let said = told(events::publish(&topic, payload));
            tx.commit()?;
            Ok(said)
        }
        Step::Insert { id } => {
            let db = main()?;
            Ok(json!(db.execute(&text(&db), params![id])?))
        }
        Step::Forge { sql } => Ok(match main()?.execute(&sql, params![]) {
            Ok(rows) => json!({"rows": rows}),
            Err(error) => json!({"error": error.to_string()}),
        }),
        Step::Refuse {} => Err(LogicError::new("REFUSED", "as asked")),
    }
}

fn insert(db: &Connection, tx: &Transaction, id: &str) -> Result<(), LogicError> {
    tx.execute(&text(db), params![id])?;
    Ok(())
}

fn text(db: &Connection) -> String {
    let place = if db.engine() == "postgres" { "$1" } else { "?" };
    format!("INSERT INTO items (id) VALUES ({place})")
}

fn told(published: Result<String, Error>) -> Json {
    match published {
        Ok(id) => json!({ "id": id }),
        Err(Error::Schema { message, details }) => json!({"error": "schema", "message": message, "details": details}),
        Err(Error::Denied(message)) => json!({"error": "denied", "message": message}),
        Err(Error::Invalid(message)) => json!({"error": "invalid", "message": message}),
        Err(Error::TooLarge(message)) => json!({"error": "too-large", "message": message}),
        Err(other) => json!({"error": other.to_string()}),
    }
}

santokit_guest::logic!(handle);
