//! Requests to tables, beside handlers in axum and sqlx that one would write by hand for the same tables: the same requests, the same
//! credential, the same statements on the same database, a process each, in turn. And an apply of a hundred tables, beside its statements.
//!
//! Prints lines of JSON. Run by `cargo xtask bench`, which makes the table in docs/PERFORMANCE.md of them. With words as arguments, only
//! what has one of them in its name is measured: `postgres`, `insert`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "this is what a benchmark is for")]

mod apply;
mod by_hand;
mod client;
mod project;

use std::time::Duration;

use client::{Client, throughput};
use project::{Operation, Statements};
use santokit_sql::dialect::Dialect;
use santokit_tests::{Engine, ProjectFolder, StkDev, TestDatabase};
use serde_json::json;

const CALLERS: usize = 16;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);
const WARM: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match arguments.as_slice() {
        [first, told] if first == by_hand::ARGUMENT => by_hand::serve(told).await.unwrap(),
        words => {
            sqlite(words).await;
            postgres(words).await;
            for engine in [None, Some(Engine::Postgres), Some(Engine::Mysql)] {
                let name = format!("{} apply", engine.map_or("sqlite", Engine::as_str));
                if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
                    apply::measure(engine).await.unwrap();
                }
            }
        }
    }
}

async fn sqlite(words: &[String]) {
    let folder = project::folder("{engine: sqlite, url: \"sqlite:.stk/dev/main.db\"}").unwrap();
    let url = format!("sqlite:{}", folder.path().join(".stk/dev/main.db").display());
    compare(&folder, &url, Dialect::Sqlite, words).await;
}

async fn postgres(words: &[String]) {
    let database = TestDatabase::create(Engine::Postgres).await.unwrap();
    let folder = project::folder(&format!("{{engine: postgres, url: \"{}\"}}", database.url())).unwrap();
    compare(&folder, &database.url(), Dialect::Postgres, words).await;
}

/// Each operation on both, in turn, round by round, so that a slow moment of the machine hits both.
async fn compare(folder: &ProjectFolder, url: &str, dialect: Dialect, words: &[String]) {
    let is_wanted = |operation: &Operation| {
        let name = format!("{} {}", dialect.as_str(), operation.as_str());
        words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))
    };
    let operations: Vec<Operation> = Operation::ALL.into_iter().filter(is_wanted).collect();
    if operations.is_empty() {
        return;
    }
    // The handlers by hand write no log line either.
    let log = std::env::var("THROUGHPUT_LOG").unwrap_or_else(|_| "error".to_owned());
    let dev = StkDev::start(folder.path(), &[("STK_LOG", &log)]).await.unwrap();
    let ours = dev.client.url().trim_start_matches("http://").to_owned();
    let by_hand = by_hand::start(url, Statements::of(dialect).unwrap()).await.unwrap();
    for operation in operations {
        answers_are_alike(operation, &ours, &by_hand.host).await;
        throughput(&ours, operation, CALLERS, WARM).await.unwrap();
        throughput(&by_hand.host, operation, CALLERS, WARM).await.unwrap();
        let (mut own, mut other, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let mut both = [0.0; 2];
            let order = if round.is_multiple_of(2) { [0, 1] } else { [1, 0] };
            for which in order {
                let host = [&ours, &by_hand.host][which];
                both[which] = throughput(host, operation, CALLERS, ROUND).await.unwrap();
            }
            own.push(both[0]);
            other.push(both[1]);
            ratios.push(both[0] / both[1]);
        }
        let (plan, statement) = project::planning(operation, dialect).unwrap();
        let line = json!({
            "planUs": plan, "statementUs": statement,
            "bench": "crud", "name": operation.as_str(), "engine": dialect.as_str(), "concurrent": CALLERS,
            "perSecond": median(&mut own), "axumPerSecond": median(&mut other), "ratio": median(&mut ratios),
            "leastRatio": ratios[0], "mostRatio": ratios[ratios.len() - 1],
        });
        println!("{line}");
    }
}

/// What is compared does the same.
async fn answers_are_alike(operation: Operation, ours: &str, by_hand: &str) {
    let mut answers = Vec::new();
    for host in [ours, by_hand] {
        let mut data = Client::connect(host).await.unwrap().data(operation, 3).await.unwrap();
        if operation == Operation::Insert {
            // Made anew for each row.
            for made in ["id", "createdAt"] {
                assert!(data[0][made].take().is_string(), "{data}");
            }
        }
        answers.push(data);
    }
    assert_eq!(answers[0], answers[1], "{}", operation.as_str());
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
