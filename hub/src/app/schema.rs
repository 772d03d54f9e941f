//! A declared schema against the customer's database: what is there, the steps to what is declared, and taking them. The only
//! place where the Hub opens a database that is not its own.
//!
//! SQLite takes all steps or none, in one transaction; so does PostgreSQL, but for those that are taken after the others so that
//! they hold nobody up. MySQL commits every step. What was taken stands, and the next plan begins from there.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    schema::Schema,
};
use santokit_sql::schema::{
    Class, CurrentSchema, Engine, Refusal, Step, bookkeeping,
    pull::{self, Pulled},
};
use serde_json::{Value as Json, json};

pub mod address;
mod database;
pub mod diagnosis;
pub mod logins;

pub use address::Address;

use super::answers::projects::{Plan, PlanRefusal, PlanStep};
use database::Opened;

/// Where no release was before.
pub static EMPTY: Schema = Schema { tables: BTreeMap::new() };

/// What a database needs, or why it cannot have it.
pub type Planned = Result<Vec<Step>, Vec<Refusal>>;

/// What is declared beside what is there.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Which it is.
    pub engine: Engine,
    /// The steps that the database needs, the platform's own tables among them.
    pub planned: Planned,
    /// Tables that nobody declared. They are left alone.
    pub undeclared: Vec<String>,
    /// About how many rows a step meets, by table; those that are not there yet are not here.
    pub rows: BTreeMap<String, u64>,
}

/// What is declared now and what was before, and what may be done about it.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// As the release has it, without the platform's own tables.
    pub declared: &'a Schema,
    /// That of the release before; empty where there is none.
    pub before: &'a Schema,
    /// What whoever asks has agreed to.
    pub consent: Consent,
}

/// What may be done that is not safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// Steps that take away, or allow less than before.
    pub force: bool,
    /// Steps after which the release before would meet a database that it does not know.
    pub migration_window: bool,
}

impl Wanted<'_> {
    fn plan(&self, engine: Engine, current: &CurrentSchema) -> Planned {
        let steps = santokit_sql::schema::plan(engine, current, &bookkeeping::beside(self.declared), self.before)?;
        let unconsented: Vec<Refusal> = steps.iter().filter_map(|step| self.consent.lacks(step)).collect();
        if unconsented.is_empty() { Ok(steps) } else { Err(unconsented) }
    }
}

impl Consent {
    /// To everything that a plan can have.
    pub const ALL: Self = Self { force: true, migration_window: true };

    fn lacks(self, step: &Step) -> Option<Refusal> {
        let reason = if step.change.class() > Class::Safe && !self.force {
            "it takes away, or allows less than before; read it, and apply again with --force if it is meant"
        } else if step.change.is_breaking() && !self.force && !self.migration_window {
            "the release before cannot work with it; apply again with --migration-window when nobody needs that one"
        } else {
            return None;
        };
        Some(Refusal { description: step.change.to_string(), reason: reason.to_owned() })
    }
}

/// Compares. Changes nothing; a database that is not there yet is not made.
pub async fn compare(address: &Address, wanted: &Wanted<'_>) -> Outcome<Compared> {
    if address.is_absent().await {
        return Ok(Compared::of(Engine::Sqlite, CurrentSchema::default(), wanted));
    }
    let mut opened = Opened::open(address, false).await.map_err(|error| cannot(address, "cannot be opened", error))?;
    let compared = async {
        let current = opened.read().await?;
        let is_there: BTreeSet<String> = current.tables.keys().cloned().collect();
        let mut compared = Compared::of(opened.engine(), current, wanted);
        let steps = compared.planned.as_deref().unwrap_or_default();
        let touched: BTreeSet<&str> = steps.iter().map(|step| step.change.table()).collect();
        for table in touched.into_iter().filter(|table| is_there.contains(*table)) {
            compared.rows.extend(opened.rows(table).await?.map(|rows| (table.to_owned(), rows)));
        }
        Ok(compared)
    };
    let compared = compared.await.map_err(|error: sqlx::Error| cannot(address, "cannot be read", error));
    opened.close().await;
    compared
}

/// Takes the steps that are needed now. What was planned before may have been done since.
pub async fn apply(address: &Address, wanted: &Wanted<'_>) -> Outcome<Planned> {
    let mut opened = Opened::open(address, true).await.map_err(|error| cannot(address, "cannot be opened", error))?;
    let done = opened.apply(wanted).await;
    opened.close().await;
    done.map_err(|stopped| stopped.problem(address))
}

/// What the database lacks for a release that it may have outgrown; see [`santokit_sql::schema::misfits`].
pub async fn misfits(address: &Address, declared: &Schema) -> Outcome<Vec<String>> {
    let (engine, current) = read(address).await?;
    Ok(santokit_sql::schema::misfits(engine, &current, &bookkeeping::beside(declared)))
}

/// What the database lacks of a release's tables, those of the platform left aside: they come with its versions.
pub async fn lacking(address: &Address, declared: &Schema) -> Outcome<Vec<String>> {
    let (engine, current) = read(address).await?;
    Ok(santokit_sql::schema::misfits(engine, &current, declared))
}

/// What is there.
pub async fn live(address: &Address) -> Outcome<(Engine, CurrentSchema)> {
    read(address).await
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
    fn of(engine: Engine, current: CurrentSchema, wanted: &Wanted<'_>) -> Self {
        let planned = wanted.plan(engine, &current);
        let declared = bookkeeping::beside(wanted.declared);
        let others = current.tables.into_keys().filter(|name| !declared.tables.contains_key(name));
        let undeclared = others.filter(|name| !bookkeeping::TABLES.contains(&name.as_str())).collect();
        Self { engine, planned, undeclared, rows: BTreeMap::new() }
    }

    /// As the API tells it.
    pub fn plan(&self, name: &str, engine: &str) -> Plan {
        let (steps, refusals) = match &self.planned {
            Ok(steps) => (steps.as_slice(), [].as_slice()),
            Err(refusals) => ([].as_slice(), refusals.as_slice()),
        };
        let step = |step: &Step| PlanStep {
            description: step.change.to_string(),
            table: step.change.table().to_owned(),
            sql: step.sql(),
            class: step.change.class().as_str().to_owned(),
            breaking: step.change.is_breaking(),
            holds_up: step.lock(self.engine).to_owned(),
            estimated_rows: self.rows.get(step.change.table()).copied(),
        };
        let refusal = |refusal: &Refusal| PlanRefusal {
            description: refusal.description.clone(),
            reason: refusal.reason.clone(),
        };
        Plan {
            name: name.to_owned(),
            engine: engine.to_owned(),
            steps: steps.iter().map(step).collect(),
            refusals: refusals.iter().map(refusal).collect(),
            undeclared: self.undeclared.clone(),
        }
    }
}

/// Where the steps of an apply ended.
#[derive(Debug)]
pub(super) struct Stopped {
    /// What was taken, and stands.
    done: Vec<Step>,
    /// What failed; none where it was not a step.
    failed: Option<Step>,
    error: Cause,
}

/// Why they ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("rows would refer to nothing")]
    Dangling,
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Self {
        Self { done: Vec::new(), failed: None, error: error.into() }
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
            Cause::Database(sqlx::Error::Database(_)) | Cause::Dangling => Code::Conflict,
            Cause::Database(_) => Code::ServiceUnavailable,
        };
        let state = match &self.error {
            Cause::Database(error) => error.as_database_error().and_then(|error| error.code().map(Cow::into_owned)),
            Cause::Dangling => None,
        };
        Problem::new(code, message)
            .hint(hint)
            .detail("connection", address.name.clone())
            .detail("step", failed.change.to_string())
            .detail("done", done)
            .detail("engineCode", json!(state))
            .because(self.error)
    }
}

/// Whether an apply that failed may have changed something: a step before the one that failed stands, or nobody knows whether the
/// step was taken.
pub(super) fn has_left_something(problem: &Problem) -> bool {
    let done = problem.details.get("done").and_then(Json::as_array);
    done.is_some_and(|done| !done.is_empty() || problem.code != Code::Conflict)
}

fn cannot(address: &Address, how: &str, error: impl Into<Cause>) -> Box<Problem> {
    let hint = match address.engine() {
        Some(Engine::Sqlite) | None => {
            "nothing was released; the Hub's log has the cause under the request id".to_owned()
        }
        Some(_) => format!("nothing was released; `stk connections test {}` says what is wrong", address.name),
    };
    Problem::new(Code::ServiceUnavailable, format!("the database of connection {:?} {how}", address.name))
        .hint(hint)
        .because(error.into())
}
