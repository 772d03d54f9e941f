//! An apply of a hundred tables to an empty database, as `stk apply` does it against a Hub that is a process, beside the very statements that
//! it runs, through sqlx on another empty database of the engine, in turn.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use anyhow::Result;
use santokit_tests::{Engine, Hub, ProjectFolder, TestDatabase, planes::OPERATOR, stk_fed};
use serde_json::{Value as Json, json};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection, SqliteConnection};
use tempfile::TempDir;

const TABLES: usize = 100;
const ROUNDS: usize = 5;

/// A database of a round.
enum Place {
    File(TempDir),
    Server(TestDatabase),
}

impl Place {
    async fn new(engine: Option<Engine>) -> Result<Self> {
        Ok(match engine {
            None => Self::File(tempfile::tempdir()?),
            Some(engine) => Self::Server(TestDatabase::create(engine).await?),
        })
    }

    fn url(&self) -> String {
        match self {
            Self::File(dir) => format!("sqlite:{}?mode=rwc", dir.path().join("main.db").display()),
            Self::Server(database) => database.url(),
        }
    }

    /// Runs statements one by one: in a transaction where the engine has one for them, as the Hub does.
    async fn run(&self, statements: &[String]) -> Result<Duration> {
        match self {
            Self::File(_) => {
                let mut db = SqliteConnection::connect(&self.url()).await?;
                db.execute("PRAGMA journal_mode = WAL").await?;
                let began = Instant::now();
                let mut transaction = db.begin().await?;
                for sql in statements {
                    transaction.execute(AssertSqlSafe(sql.as_str())).await?;
                }
                transaction.commit().await?;
                Ok(began.elapsed())
            }
            Self::Server(database) if database.engine() == Engine::Postgres => {
                let mut db = PgConnection::connect(&self.url()).await?;
                let began = Instant::now();
                let mut transaction = db.begin().await?;
                for sql in statements {
                    transaction.execute(AssertSqlSafe(sql.as_str())).await?;
                }
                transaction.commit().await?;
                Ok(began.elapsed())
            }
            Self::Server(_) => {
                let mut db = MySqlConnection::connect(&self.url()).await?;
                let began = Instant::now();
                for sql in statements {
                    db.execute(AssertSqlSafe(sql.as_str())).await?;
                }
                Ok(began.elapsed())
            }
        }
    }
}

/// Prints a line for an engine; none is SQLite.
pub(crate) async fn measure(engine: Option<Engine>) -> Result<()> {
    let name = engine.map_or("sqlite", Engine::as_str);
    let dir = tempfile::tempdir()?;
    let hub = Hub::start(dir.path()).await?;
    let folder = folder()?;
    let (mut own, mut plain, mut ratios, mut count) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let (ours, theirs) = (Place::new(engine).await?, Place::new(engine).await?);
        let env = format!("round-{round}");
        let stk = async |args: &[&str], input: &str| -> Result<Json> {
            let told = [("STK_HUB_URL", hub.url.as_str()), ("STK_TOKEN", OPERATOR), ("STK_ENV", env.as_str())];
            let finished = stk_fed(folder.path(), &[args, &["--json"]].concat(), &told, input).await?;
            anyhow::ensure!(finished.code == 0, "stk {args:?}: {finished:?}");
            Ok(finished.json())
        };
        if round == 0 {
            stk(&["project", "create", "hundred"], "").await?;
        }
        stk(&["env", "create", &env], "").await?;
        stk(&["connections", "set", "main", "--engine", name, "--url-stdin"], &ours.url()).await?;
        let statements = statements(&stk(&["schema", "plan"], "").await?);
        count = statements.len();
        let mut took = [0.0; 2];
        for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            took[which] = if which == 0 {
                let began = Instant::now();
                let applied = stk(&["apply", "--yes", "--wait", "0"], "").await?;
                let took = began.elapsed();
                let steps = applied["schemaSteps"].as_array().map(Vec::len);
                anyhow::ensure!(steps.is_some_and(|steps| steps >= TABLES), "{applied}");
                took
            } else {
                theirs.run(&statements).await?
            }
            .as_secs_f64()
                * 1e3;
        }
        own.push(took[0]);
        plain.push(took[1]);
        ratios.push(took[0] / took[1]);
    }
    let line = json!({
        "bench": "apply", "engine": name, "tables": TABLES, "statements": count,
        "applyMs": super::median(&mut own), "sqlxMs": super::median(&mut plain), "ratio": super::median(&mut ratios),
        "mostMs": own[own.len() - 1],
    });
    println!("{line}");
    Ok(())
}

/// With an index each, and a reference to the table before.
fn folder() -> Result<ProjectFolder> {
    let mut schema = "version: 1\ntables:\n".to_owned();
    for number in 0..TABLES {
        let before = number.saturating_sub(1);
        write!(
            schema,
            "  t{number}:\n    id: {{name: id, generate: ulid}}\n    columns:\n      \
             name: {{type: string, nullable: false, maxLength: 200}}\n      number: {{type: bigint}}\n      \
             price: {{type: decimal}}\n      at: {{type: timestamp, default: now}}\n      data: {{type: json}}\n      \
             other: {{type: string, references: {{table: t{before}}}}}\n    indexes:\n      - {{columns: [name, number]}}\n"
        )?;
    }
    ProjectFolder::new([("santokit.yaml", "version: 1\nname: hundred\n"), ("schema/main.yaml", schema.as_str())])
}

/// What a plan would run, in its order.
fn statements(plan: &Json) -> Vec<String> {
    let connections = plan["connections"].as_array().into_iter().flatten();
    let steps = connections.flat_map(|connection| connection["steps"].as_array().into_iter().flatten());
    // As the Hub writes the statements of one step.
    let texts = steps.flat_map(|step| step["sql"].as_str().unwrap_or_default().split(";\n").map(str::to_owned));
    texts.collect()
}
