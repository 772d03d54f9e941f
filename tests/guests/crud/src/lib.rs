//! Asks tables as its input says, step by step, and answers what each step came to.

use santokit_guest::crud::{Error, Within};
use santokit_guest::prelude::*;
use santokit_guest::sql::Transaction;
use serde_json::Value as AnyJson;

#[derive(Deserialize)]
struct Input {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    op: String,
    #[serde(default)]
    table: String,
    #[serde(default = "empty")]
    params: AnyJson,
    /// Whether it belongs to the transaction that is open.
    #[serde(default)]
    within: bool,
}

fn empty() -> AnyJson {
    json!({})
}

/// What stays from step to step.
#[derive(Default)]
struct Open {
    transactions: Vec<Transaction>,
}

fn handle(input: Input) -> Result<Vec<AnyJson>, LogicError> {
    let mut open = Open::default();
    let mut told = Vec::new();
    for step in &input.steps {
        told.push(match open.run(step) {
            Ok(done) => json!({"data": done}),
            // As any logic does: then the caller is told the limit.
            Err(error @ Error::Limit(_)) if step.params["giveUp"] == true => return Err(error.into()),
            Err(error) => failed(&error),
        });
    }
    Ok(told)
}

impl Open {
    fn run(&mut self, Step { op, table, params, within }: &Step) -> Result<AnyJson, Error> {
        let own = |error: sql::Error| Error::Invalid(error.to_string());
        match op.as_str() {
            "begin" => {
                let db = sql::open("main").map_err(own)?;
                self.transactions.push(db.begin().map_err(own)?);
            }
            "commit" => self.transactions.pop().map_or(Ok(()), Transaction::commit).map_err(own)?,
            "rollback" => self.transactions.pop().map_or(Ok(()), Transaction::rollback).map_err(own)?,
            "sql" => {
                let db = sql::open("main").map_err(own)?;
                let text = params.as_str().unwrap_or_default();
                return db.query(text, params![]).map(|rows| json!(rows.count())).map_err(own);
            }
            _ => return self.ask(op, table, params, *within),
        }
        Ok(AnyJson::Null)
    }

    fn ask(&self, op: &str, table: &str, params: &AnyJson, within: bool) -> Result<AnyJson, Error> {
        let mut params = params.clone();
        if let Some(fields) = params.as_object_mut() {
            fields.remove("giveUp");
        }
        let rows = |rows: Vec<AnyJson>| json!(rows);
        if let (true, Some(transaction)) = (within, self.transactions.last()) {
            let tables: Within<'_> = crud::within(transaction);
            return match op {
                "select" => tables.select(table, &params).map(rows),
                "insert" => tables.insert(table, &params).map(rows),
                "update" => tables.update(table, &params).map(|count| json!(count)),
                "delete" => tables.delete(table, &params).map(|count| json!(count)),
                other => Err(Error::Invalid(other.to_owned())),
            };
        }
        match op {
            "select" => crud::select(table, &params).map(rows),
            "page" => crud::page::<AnyJson>(table, &params)
                .map(|page| json!({"rows": page.rows, "nextCursor": page.next_cursor, "total": page.total})),
            "insert" => crud::insert(table, &params).map(rows),
            "update" => crud::update(table, &params).map(|count| json!(count)),
            "updateReturning" => crud::update_returning(table, &params).map(rows),
            "delete" => crud::delete(table, &params).map(|count| json!(count)),
            "deleteReturning" => crud::delete_returning(table, &params).map(rows),
            "batch" => {
                crud::batch(&params["calls"]).map(|answers| answers.into_iter().map(|answer| answer.data).collect())
            }
            other => Err(Error::Invalid(other.to_owned())),
        }
    }
}

fn failed(error: &Error) -> AnyJson {
    let kind = match error {
        Error::Denied(_) => "denied",
        Error::Invalid(_) => "invalid",
        Error::Limit(_) => "limit",
        Error::Timeout(_) => "timeout",
        Error::Refused(_) => "refused",
        Error::Decode(_) => "decode",
        _ => "other",
    };
    let (hint, details) = match error {
        Error::Refused(problem) => (problem.hint.clone(), json!(problem.details)),
        _ => (None, AnyJson::Null),
    };
    json!({"error": kind, "code": error.code(), "message": error.to_string(), "hint": hint, "details": details})
}

santokit_guest::logic!(handle);
