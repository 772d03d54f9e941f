//! The project that is measured: its rows, the requests of an application, and the statements that the Bridge makes of them, which
//! the handlers by hand run as well.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use santokit_bridge::{
    crud::{self, Crud, Planned, limits::CrudLimits, names::Tables, select::Selection},
    db::Database,
    metrics::Metrics,
};
use santokit_core::{
    access::{Actor, ActorKind},
    project::{self, SourceTree},
    value::Value,
};
use santokit_sql::{dialect::Dialect, plan::Keys, render, statement::Statement};
use santokit_tests::{ProjectFolder, repository};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// The caller's id: what `request.auth.sub` is.
pub(crate) const OWNER: &str = "speed";
/// Its key.
pub(crate) const KEY: &str = "stk_speed.not-a-secret-8f31c7";
/// Rows of the caller; as many again are somebody else's.
pub(crate) const ORDERS: usize = 5_000;
/// Rows of a list.
pub(crate) const LIST: usize = 50;
/// Places for keys in the statement of a relation: those of a list, and the next power of two.
pub(crate) const RELATED: usize = 64;

const CUSTOMERS: usize = 200;
const FOLDER: &str = "tests/throughput/project";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ByKey,
    List,
    Expand,
    Update,
    Insert,
}

/// The text of each operation's statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Statements {
    pub(crate) by_key: String,
    pub(crate) list: String,
    /// The second one of a list with `expand`.
    pub(crate) related: String,
    pub(crate) update: String,
    pub(crate) insert: String,
    /// How often the insert binds the caller for a rule, behind the seven values of the row.
    pub(crate) insert_rules: usize,
}

impl Operation {
    /// Those that change rows come last.
    pub(crate) const ALL: [Operation; 5] =
        [Operation::ByKey, Operation::List, Operation::Expand, Operation::Update, Operation::Insert];

    /// As tables name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Operation::ByKey => "select by key",
            Operation::List => "list of 50",
            Operation::Expand => "list of 50 with expand",
            Operation::Update => "update by key",
            Operation::Insert => "insert",
        }
    }

    /// Where it is sent.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Operation::ByKey | Operation::List | Operation::Expand => "/db/orders/select",
            Operation::Update => "/db/orders/update",
            Operation::Insert => "/db/orders/insert",
        }
    }

    /// Its params, other ones for each number.
    pub(crate) fn params(self, number: usize) -> Json {
        match self {
            Operation::ByKey => json!({"where": {"id": order(number)}}),
            Operation::List => json!({"orderBy": {"createdAt": "desc"}, "limit": LIST}),
            Operation::Expand => json!({"orderBy": {"createdAt": "desc"}, "limit": LIST, "expand": ["customer"]}),
            Operation::Update => json!({
                "where": {"id": order(number)},
                "data": {"title": format!("changed {number}"), "totalCents": number % 10_000},
            }),
            Operation::Insert => json!({"data": {
                "owner": OWNER, "customerId": customer(number), "title": format!("new {number}"), "note": "by the way",
                "totalCents": number % 10_000, "isPaid": number.is_multiple_of(2),
            }}),
        }
    }
}

impl Statements {
    /// As the Bridge makes them.
    pub(crate) fn of(dialect: Dialect) -> Result<Self> {
        let tables = tables()?;
        let statement = |operation: Operation| Ok::<_, anyhow::Error>(render(&tables, operation, dialect)?.remove(0));
        let related = render(&tables, Operation::Expand, dialect)?.pop();
        let insert = statement(Operation::Insert)?;
        Ok(Self {
            by_key: statement(Operation::ByKey)?.sql,
            list: statement(Operation::List)?.sql,
            related: related.context("a statement of the relation")?.sql,
            update: statement(Operation::Update)?.sql,
            insert_rules: insert.params.len().checked_sub(7).context("seven values")?,
            insert: insert.sql,
        })
    }
}

/// A fresh folder with its seed. `connection` is the one of `santokit.dev.yaml`.
pub(crate) fn folder(connection: &str) -> Result<ProjectFolder> {
    let folder = ProjectFolder::copy_of(FOLDER)?;
    let keys = format!("apiKeys:\n  - {{name: {OWNER}, key: {KEY}, roles: [app]}}\n");
    folder.write("santokit.dev.yaml", &format!("connections:\n  main: {connection}\n{keys}"))?;
    let mut customers = "id,name,city\n".to_owned();
    for number in 0..CUSTOMERS {
        writeln!(customers, "{},Customer {number},City {}", customer(number), number % 17)?;
    }
    folder.write("seed/01_customers.csv", &customers)?;
    let begin: DateTime<Utc> = DateTime::from_timestamp(1_767_225_600, 0).context("a time")?;
    let mut rows = Vec::with_capacity(2 * ORDERS);
    for number in 0..2 * ORDERS {
        let owner = if number.is_multiple_of(2) { OWNER } else { "other" };
        let at = begin + TimeDelta::seconds(i64::try_from(number)?);
        rows.push(json!({
            "id": order(number / 2 + (number % 2) * ORDERS), "owner": owner, "customerId": customer(number / 2),
            "title": format!("order {number}"), "note": if number.is_multiple_of(3) { Json::Null } else { "a note".into() },
            "totalCents": number, "isPaid": number.is_multiple_of(5), "createdAt": at.to_rfc3339(),
        }));
    }
    folder.write("seed/02_orders.json", &serde_json::to_string(&rows)?)?;
    Ok(folder)
}

/// Of the caller, below [`ORDERS`].
fn order(number: usize) -> String {
    let number = if (ORDERS..2 * ORDERS).contains(&number) { number } else { number % ORDERS };
    format!("01JZZZZZZZZZZZZZZZZZ{number:06}")
}

fn customer(number: usize) -> String {
    format!("c-{:04}", number % CUSTOMERS)
}

fn tables() -> Result<Tables> {
    let mut files = SourceTree::new();
    for path in ["santokit.yaml", "schema/main.yaml", "config/permissions.yaml"] {
        files.insert(path, fs::read(repository().join(FOLDER).join(path))?);
    }
    let project = project::parse(&files).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    crud::tables(&project.connections, &project.permissions).map_err(anyhow::Error::msg)
}

/// How long it takes to read the params of an operation, decide, and make statements of them, in microseconds: plans, then statements.
/// It is what a cache of plans would have to be faster than.
pub(crate) fn planning(operation: Operation, dialect: Dialect) -> Result<(f64, f64)> {
    const TIMES: u32 = 20_000;
    let (tables, bench) = (tables()?, Bench::new()?);
    let Json::Object(params) = operation.params(1) else { bail!("params are an object") };
    let crud = bench.crud(&tables);
    let each = |took: Duration| took.as_secs_f64() * 1e6 / f64::from(TIMES);
    let started = Instant::now();
    for _ in 0..TIMES {
        std::hint::black_box(plan(&crud, operation, &params)?);
    }
    let planned = each(started.elapsed());
    let plan = plan(&crud, operation, &params)?;
    let started = Instant::now();
    for _ in 0..TIMES {
        std::hint::black_box(statements(&plan, dialect)?);
    }
    Ok((planned, each(started.elapsed())))
}

/// What requests are planned with.
struct Bench {
    actor: Actor,
    limits: CrudLimits,
    metrics: Metrics,
    databases: BTreeMap<String, Arc<Database>>,
}

impl Bench {
    fn new() -> Result<Self> {
        let actor = Actor {
            kind: ActorKind::ApiKey,
            subject: Some(OWNER.to_owned()),
            roles: vec!["app".to_owned()],
            claims: Map::new(),
        };
        Ok(Self { actor, limits: CrudLimits::default(), metrics: Metrics::new()?, databases: BTreeMap::new() })
    }

    fn crud<'c>(&'c self, tables: &'c Tables) -> Crud<'c> {
        Crud {
            tables,
            databases: &self.databases,
            env: ("throughput", "dev"),
            actor: &self.actor,
            now: Utc::now(),
            limits: &self.limits,
            bytes_max: 0,
            query_timeout: Duration::from_secs(1),
            allowance: None,
            metrics: &self.metrics,
            request_id: "req",
            objects: None,
            events: santokit_bridge::events::Publishing::default(),
        }
    }
}

fn plan(crud: &Crud<'_>, operation: Operation, params: &Map<String, Json>) -> Result<Planned> {
    let (table, verb) = crud::table_path(operation.path().trim_start_matches('/')).context("a path")?;
    Ok(crud.plan(table, verb, params).map_err(|problem| anyhow::anyhow!("{problem:?}"))?.1)
}

fn render(tables: &Tables, operation: Operation, dialect: Dialect) -> Result<Vec<Statement>> {
    let bench = Bench::new()?;
    let Json::Object(params) = operation.params(0) else { bail!("params are an object") };
    statements(&plan(&bench.crud(tables), operation, &params)?, dialect)
}

fn statements(planned: &Planned, dialect: Dialect) -> Result<Vec<Statement>> {
    match planned {
        Planned::Select(Selection::Rows(rows)) => {
            let mut all = vec![render::select(&rows.select, dialect)?];
            for level in &rows.levels {
                let mut select = level.select.clone();
                let values = (0..LIST).map(|number| Value::Text(customer(number))).collect();
                select.source.keys = Some(Keys { column: level.remote.clone(), values });
                select.limit = Some(1);
                all.push(render::select(&select, dialect)?);
            }
            Ok(all)
        }
        Planned::Insert(insertion) => Ok(render::insert(&insertion.insert, dialect)?),
        Planned::Update(change) => Ok(vec![render::update(&change.update, dialect)?]),
        other => bail!("no statement for {other:?}"),
    }
}
