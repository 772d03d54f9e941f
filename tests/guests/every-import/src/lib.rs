//! Calls every function that the world offers, once. Its compiled form is kept for each published version of the WIT
//! packages, so that a host that no longer links it is found out (see `kept/README.md`).

use santokit_guest::bindings::santokit::sql::connections;
use santokit_guest::prelude::*;
use santokit_guest::sql::Value;
use serde_json::Value as AnyJson;

#[derive(Deserialize)]
struct Input {
    connection: String,
    /// A query; both its forms and a cursor are tried on it.
    query: String,
    /// A statement that may be run three times.
    statement: String,
    config: String,
    secret: String,
}

fn handle(input: Input) -> Result<AnyJson, LogicError> {
    log::trace("every import", &[]);
    let answer = json!({
        "caller": context::caller().kind,
        "logic": context::invocation().logic,
        "now": clock::now(),
        "elapsed": clock::elapsed().as_nanos() > 0,
        "remaining": clock::remaining().as_millis() > 0,
        "random": random::bytes(8).len(),
        "config": config::get(&input.config)?,
        "secret": secrets::get(&input.secret)?.len(),
        "sql": database(&input)?,
    });
    log::error("every import was called", &[("interfaces", "8")]);
    Ok(answer)
}

/// Straight on the bindings: the SDK does not use every function.
fn database(input: &Input) -> Result<AnyJson, sql::Error> {
    let db = connections::open(&input.connection)?;
    let mut rows = [
        db.query(&input.query, &[])?.rows.len(),
        db.query_packed(&input.query, &[])?.batch.rows as usize,
        cursor_rows(&db.open_cursor(&input.query, &[])?)?,
    ]
    .to_vec();
    db.execute(&input.statement, &[])?;

    let kept = db.begin(&[])?;
    rows.push(kept.query(&input.query, &[])?.rows.len());
    rows.push(kept.query_packed(&input.query, &[])?.batch.rows as usize);
    rows.push(cursor_rows(&kept.open_cursor(&input.query, &[])?)?);
    kept.execute(&input.statement, &[])?;
    kept.commit()?;

    let taken_back = db.begin(&[])?;
    taken_back.execute(&input.statement, &[])?;
    taken_back.rollback()?;
    Ok(json!({"engine": db.engine(), "rows": rows, "null": format!("{:?}", Value::Null)}))
}

fn cursor_rows(cursor: &connections::Cursor) -> Result<usize, sql::Error> {
    let mut rows = 0;
    while let Some(batch) = cursor.next_batch(100, 65_536)? {
        rows += batch.rows as usize;
    }
    Ok(rows + cursor.columns().len())
}

santokit_guest::logic!(handle);
