//! A declared schema against the customer's database: what is there, the steps to what is declared, and taking them. The only
//! place where the Hub opens a database that is not its own.
//!
//! SQLite and PostgreSQL take all steps or none, in one transaction. MySQL commits every step; what was taken stands, and the
//! next plan begins from there.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    schema::Schema,
};
use santokit_sql::schema::{
    CurrentSchema, Engine, Refusal, Step, bookkeeping,
    pull::{self, Pulled},
};
use serde_json::{Value as Json, json};

pub mod address;
mod database;
pub mod diagnosis;

pub use address::Address;

use database::Opened;

/// What a database needs, or why it cannot have it.
pub type Planned = Result<Vec<Step>, Vec<Refusal>>;

/// What is declared beside what is there.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The steps that the database needs, the platform's own tables among them.
    pub planned: Planned,
    /// Tables that nobody declared. They are left alone.
    pub undeclared: Vec<String>,
}

/// Compares. Changes nothing; a database that is not there yet is not made.
pub async fn compare(address: &Address, schema: &Schema) -> Outcome<Compared> {
    let (engine, current) = read(address).await?;
    let declared = bookkeeping::beside(schema);
    let planned = santokit_sql::schema::plan(engine, &current, &declared);
    let others = current.tables.into_keys().filter(|name| !declared.tables.contains_key(name));
    let undeclared = others.filter(|name| !bookkeeping::TABLES.contains(&name.as_str())).collect();
    Ok(Compared { planned, undeclared })
}

/// Takes the steps that are needed now. What was planned before may have been done since.
pub async fn apply(address: &Address, schema: &Schema) -> Outcome<Planned> {
    let mut opened = Opened::open(address, true).await.map_err(|error| cannot(address, "cannot be opened", error))?;
    let done = opened.apply(&bookkeeping::beside(schema)).await;
    opened.close().await;
    done.map_err(|stopped| stopped.problem(address))
}

/// What is there, as a declaration.
pub async fn pull(address: &Address) -> Outcome<Pulled> {
    let (engine, current) = read(address).await?;
    Ok(pull::pull(engine, &current))
}

async fn read(address: &Address) -> Outcome<(Engine, CurrentSchema)> {
    if address.is_absent().await {
        return Ok((Engine::Sqlite, CurrentSchema::default()));
    }
    let mut opened = Opened::open(address, false).await.map_err(|error| cannot(address, "cannot be opened", error))?;
    let current = opened.read().await.map_err(|error| cannot(address, "cannot be read", error));
    let engine = opened.engine();
    opened.close().await;
    Ok((engine, current?))
}

impl Compared {
    /// As the API tells it.
    pub fn to_json(&self, name: &str, engine: &str) -> Json {
        let (steps, refusals) = match &self.planned {
            Ok(steps) => (steps.as_slice(), [].as_slice()),
            Err(refusals) => ([].as_slice(), refusals.as_slice()),
        };
        let step = |step: &Step| json!({"description": step.change.to_string(), "table": step.change.table(), "sql": step.sql});
        let steps: Vec<Json> = steps.iter().map(step).collect();
        let refusals: Vec<Json> = refusals
            .iter()
            .map(|refusal| json!({"description": refusal.description, "reason": refusal.reason}))
            .collect();
        json!({"name": name, "engine": engine, "steps": steps, "refusals": refusals, "undeclared": self.undeclared})
    }
}

/// Where the steps of an apply ended.
#[derive(Debug)]
pub(super) struct Stopped {
    /// What was taken, and stands.
    done: Vec<Step>,
    /// What failed; none where it was not a step.
    failed: Option<Step>,
    error: sqlx::Error,
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self { done: Vec::new(), failed: None, error }
    }
}

impl Stopped {
    fn problem(self, address: &Address) -> Box<Problem> {
        let Some(failed) = self.failed else {
            return cannot(address, "could not be changed and is as it was", self.error);
        };
        let message = format!("the database of connection {:?} did not take a step: {}", address.name, failed.change);
        let done: Vec<String> = self.done.iter().map(|step| step.change.to_string()).collect();
        let hint = if done.is_empty() {
            "the database is as it was, and nothing was released; rows that are there may not fit; the Hub's log has the \
             cause under the request id"
        } else {
            "the steps before it stand, and nothing was released; apply again to go on from there; the Hub's log has the cause \
             under the request id"
        };
        // The database said no: it is there. Who asked has to change something.
        let code = match &self.error {
            sqlx::Error::Database(_) => Code::Conflict,
            _ => Code::ServiceUnavailable,
        };
        let state =
            self.error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(std::borrow::Cow::into_owned);
        Problem::new(code, message)
            .hint(hint)
            .detail("connection", address.name.clone())
            .detail("step", failed.change.to_string())
            .detail("done", done)
            .detail("engineCode", json!(state))
            .because(self.error)
    }
}

fn cannot(address: &Address, how: &str, error: sqlx::Error) -> Box<Problem> {
    let hint = match address.engine() {
        Some(Engine::Sqlite) | None => {
            "nothing was released; the Hub's log has the cause under the request id".to_owned()
        }
        Some(_) => format!("nothing was released; `stk connections test {}` says what is wrong", address.name),
    };
    Problem::new(Code::ServiceUnavailable, format!("the database of connection {:?} {how}", address.name))
        .hint(hint)
        .because(error)
}
