//! Given an event it writes two rows, each once, and fails until its third attempt. Called it does something under a key, as often as it is told,
//! and says what became of it.

use santokit_guest::{once::Error as OnceError, prelude::*};

#[derive(Deserialize)]
struct Asked {
    key: String,
    /// Whether in a transaction of its own.
    #[serde(default)]
    within: bool,
    times: u32,
}

#[derive(Deserialize)]
struct Work {}

fn handle(Asked { key, within, times }: Asked) -> Result<Vec<String>, LogicError> {
    let db = sql::open("main")?;
    let transaction = if within { Some(db.begin()?) } else { None };
    let mut said = Vec::new();
    for _ in 0..times {
        let work = || Ok::<_, OnceError>(());
        let done = match &transaction {
            Some(transaction) => once::within(transaction).once(&key, work),
            None => once(&key, work),
        };
        said.push(match done {
            Ok(Some(())) => "done".to_owned(),
            Ok(None) => "before".to_owned(),
            Err(error) => error.code,
        });
    }
    if let Some(transaction) = transaction {
        said.push(transaction.commit().map_or_else(|_| "lost".to_owned(), |()| "committed".to_owned()));
    }
    Ok(said)
}

fn on_event(event: events::Event, _work: Work) -> Result<(), LogicError> {
    let db = sql::open("main")?;
    db.transaction(|tx| {
        once::within(tx).once(&event.id, || note(|text, row| tx.execute(text, row), &db.engine(), &event, "within"))?;
        Ok::<_, LogicError>(())
    })?;
    once(&format!("{} alone", event.id), || note(|text, row| db.execute(text, row), &db.engine(), &event, "alone"))?;
    match event.attempt {
        3.. => Ok(()),
        attempt => Err(LogicError::new("NOT_NOW", format!("attempt {attempt}"))),
    }
}

/// A row that can be there once.
fn note(
    write: impl FnOnce(&str, &[sql::Value]) -> Result<u64, sql::Error>,
    engine: &str,
    event: &events::Event,
    said: &str,
) -> Result<(), LogicError> {
    let places = if engine == "postgres" { "$1, $2, $3, $4, 0, $5" } else { "?, ?, ?, ?, 0, ?" };
    let text = format!("INSERT INTO handled (id, event, logic, attempt, depth, said) VALUES ({places})");
    let logic = context::invocation().logic;
    let id = format!("{} {logic} {said}", event.id);
    write(&text, params![id, &event.id, logic, i64::from(event.attempt), said])?;
    Ok(())
}

santokit_guest::logic!(handle);
santokit_guest::on_event!(on_event);
