//! Calls other logics as its input says, step by step, and answers what each step came to.

use santokit_guest::logics::Error;
use santokit_guest::prelude::*;
use santokit_guest::sql::Transaction;
use serde_json::Value as Json;

#[derive(Deserialize)]
struct Input {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    op: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    params: Json,
    /// Not to catch the error.
    #[serde(default)]
    give_up: bool,
}

fn handle(Input { steps }: Input) -> Result<Vec<Json>, LogicError> {
    let mut transactions = Vec::new();
    steps.iter().map(|step| run(step, &mut transactions)).collect()
}

fn run(step: &Step, transactions: &mut Vec<Transaction>) -> Result<Json, LogicError> {
    match step.op.as_str() {
        "call" => called(step),
        "begin" => {
            transactions.push(sql::open("main")?.begin()?);
            Ok(Json::Null)
        }
        "commit" => {
            transactions.pop().map(Transaction::commit).transpose()?;
            Ok(Json::Null)
        }
        "rollback" => {
            transactions.pop().map(Transaction::rollback).transpose()?;
            Ok(Json::Null)
        }
        "insert" => {
            let db = sql::open("main")?;
            let place = if db.engine() == "postgres" { "$1" } else { "?" };
            Ok(json!(db.execute(&format!("INSERT INTO notes (id) VALUES ({place})"), params![&step.name])?))
        }
        "trigger" => Ok(json!(context::invocation().trigger)),
        "refuse" => Err(LogicError::new("NO_MORE", "there is no more").details(json!({"left": 0}))),
        "panic" => panic!("planted-panic"),
        "spin" => loop {
            std::hint::black_box(step);
        },
        other => Err(LogicError::new("UNKNOWN_OP", other)),
    }
}

fn called(step: &Step) -> Result<Json, LogicError> {
    match logics::call::<Json>(&step.name, &step.params) {
        Ok(answer) => Ok(json!({"data": answer})),
        Err(error) if step.give_up => Err(error.into()),
        Err(Error::Refused(refusal)) => {
            Ok(json!({"kind": "refused", "code": refusal.code(), "message": refusal.message()}))
        }
        Err(error) => {
            let said = error.to_string();
            Ok(json!({"code": LogicError::from(error).code(), "message": said}))
        }
    }
}

santokit_guest::logic!(handle);
