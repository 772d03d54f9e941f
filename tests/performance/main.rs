//! What an application sees of the speed of logic, and what a guest sees of SQL, each beside what one would write by hand, in
//! the same run: a handler in axum, `wasmtime serve`, the same statements through sqlx.
//!
//! Prints lines of JSON. Run by `cargo xtask bench`, which makes the table in docs/PERFORMANCE.md of them. Arguments name the parts that
//! are measured: `http`, `sql`, `save`; none means all.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "this is what a benchmark is for")]

mod project;
mod serve;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::post};
use futures_util::TryStreamExt;
use santokit_tests::{BridgeClient, PlainClient, ProjectFolder, StkDev};
use serde_json::{Value, json};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

const NOOPS: [&str; 6] = [
    "/logics/noop_sql",
    "/logics/noop_rust",
    "/logics/noop_c",
    "/logics/noop_ts",
    "/logics/noop_starling",
    "/logics/noop_python",
];
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const STATEMENTS: usize = 900;
const ROWS: usize = 10_000;

#[tokio::main]
async fn main() {
    // `cargo bench` adds flags of its own.
    let parts: Vec<String> = std::env::args().skip(1).filter(|part| !part.starts_with('-')).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let folder = project::folder().unwrap();
    let mut dev = StkDev::start(folder.path(), &[("STK_LOG", "error")]).await.unwrap();
    if is_wanted("http") {
        let axum = by_hand().await;
        let wasmtime = serve::start().await.unwrap();
        for concurrent in [1, 16] {
            over_http(&dev.client, &axum, &wasmtime.client, concurrent).await;
        }
    }
    if is_wanted("sql") {
        let database = folder.path().join(".stk/dev/main.db");
        for language in ["rust", "c", "ts", "starling", "python"] {
            statements(&dev.client, language, &database).await;
            rows(&dev.client, language, &database).await;
        }
    }
    if is_wanted("save") {
        saves(&mut dev, &folder).await;
    }
}

/// All in turn, round by round, so that a slow moment of the machine hits each.
async fn over_http(ours: &BridgeClient, axum: &BridgeClient, wasmtime: &BridgeClient, concurrent: usize) {
    let servers = [(axum, "/noop"), (wasmtime, "/")].into_iter();
    let servers: Vec<_> = servers.chain(NOOPS.map(|path| (ours, path))).collect();
    let mut measured = vec![Vec::new(); servers.len()];
    for _ in 0..ROUNDS {
        for ((client, path), measured) in servers.iter().zip(&mut measured) {
            measured.push(requests(client, path, concurrent).await);
        }
    }
    let medians: Vec<f64> = measured.iter_mut().map(|measured| median(measured)).collect();
    for (path, median) in NOOPS.iter().zip(&medians[2..]) {
        let name = path.trim_start_matches("/logics/");
        let line = json!({
            "bench": "http", "name": name, "concurrent": concurrent, "perSecond": median, "axumPerSecond": medians[0],
            "servePerSecond": medians[1],
        });
        println!("{line}");
    }
}

/// From a saved file to the release that serves it: build, apply, compile, swap.
async fn saves(dev: &mut StkDev, folder: &ProjectFolder) {
    let sources = [
        ("rust", "logics/noop_rust/src/lib.rs", "Ok(input)"),
        ("ts", "logics/noop_ts/index.ts", "=> input"),
        ("starling", "logics/noop_starling/index.ts", "=> input"),
        ("c", "logics/noop_c/handler.c", "return "),
        ("python", "logics/noop_python/main.py", "return input"),
        ("sql", "logics/noop_sql.sql", ":number AS number"),
    ];
    for (language, path, place) in sources {
        let original = folder.read(path).unwrap();
        let mut times = Vec::new();
        for number in 0..ROUNDS {
            let edited = match language {
                "c" => format!("stk_debug(\"edit {number}\"); {place}"),
                "python" => format!("log.debug(\"edit {number}\")\n    {place}"),
                "rust" => format!("{{ log::debug(\"edit {number}\", &[]); {place} }}"),
                "ts" | "starling" => format!("=> ({number} < 0 ? null : input)"),
                _ => format!("{place}, {number} AS edit"),
            };
            folder.write(path, &original.replace(place, &edited)).unwrap();
            let swapped = dev.wait_for("swapped", Duration::from_mins(2)).await.unwrap();
            times.push(swapped["durationMs"].as_f64().unwrap());
        }
        println!("{}", json!({"bench": "save", "name": language, "swappedMs": median(&mut times)}));
    }
}

/// The same no-op as a handler of one's own.
async fn by_hand() -> BridgeClient {
    let router = Router::new().route("/noop", post(async |Json(input): Json<Value>| Json(json!({"data": input}))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    BridgeClient::new(&url)
}

/// Requests a second.
async fn requests(client: &BridgeClient, path: &str, concurrent: usize) -> f64 {
    let count = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..concurrent {
        clients.push(PlainClient::connect(client.url()).await.unwrap());
    }
    let started = Instant::now();
    let callers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let (path, count) = (path.to_owned(), Arc::clone(&count));
            tokio::spawn(async move {
                while started.elapsed() < ROUND {
                    let status = client.post(&path, r#"{"number":1}"#).await.unwrap();
                    assert_eq!(status, 200, "{}", client.answer());
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    f64::from(u32::try_from(count.load(Ordering::Relaxed)).unwrap()) / started.elapsed().as_secs_f64()
}

/// One row by its key, many times in one invocation, against the same through sqlx.
async fn statements(client: &BridgeClient, language: &str, database: &Path) {
    let mut connection = open(database).await;
    let (mut native, mut guest) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let started = Instant::now();
        for number in 0..STATEMENTS {
            let row = sqlx::query(project::ONE).bind(project::id(number)).fetch_one(&mut connection).await.unwrap();
            assert!(row.get::<i64, _>("number") >= 0);
        }
        native.push(micros(started.elapsed(), STATEMENTS));
        let empty = timed(client, language, "none", 0).await;
        let full = timed(client, language, "one", STATEMENTS).await;
        guest.push(micros(full.saturating_sub(empty), STATEMENTS));
    }
    let (native, guest) = (median(&mut native[1..]), median(&mut guest[1..]));
    println!("{}", json!({"bench": "sqlOne", "name": language, "guestUs": guest, "nativeUs": native}));
}

/// Many rows through a cursor into typed rows, against the same through sqlx.
async fn rows(client: &BridgeClient, language: &str, database: &Path) {
    let mut connection = open(database).await;
    let (mut native, mut guest) = (Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        let started = Instant::now();
        let (mut stream, mut count) = (sqlx::query(project::MANY).fetch(&mut connection), 0);
        while let Some(row) = stream.try_next().await.unwrap() {
            let (id, text) = (row.get::<String, _>("id"), row.get::<String, _>("text"));
            count += usize::from(!id.is_empty() && !text.is_empty() && row.get::<i64, _>("number") >= 0);
        }
        assert_eq!(count, ROWS);
        native.push(micros(started.elapsed(), 1_000));
        drop(stream);
        let empty = timed(client, language, "none", 0).await;
        let full = timed(client, language, "many", ROWS).await;
        guest.push(micros(full.saturating_sub(empty), 1_000));
    }
    let (native, guest) = (median(&mut native[1..]), median(&mut guest[1..]));
    println!("{}", json!({"bench": "sqlRows", "name": language, "guestMs": guest, "nativeMs": native}));
}

async fn timed(client: &BridgeClient, language: &str, op: &str, count: usize) -> Duration {
    let started = Instant::now();
    let answer = client.logic(&format!("sql_{language}"), json!({"op": op, "count": count})).await.unwrap();
    let took = started.elapsed();
    assert_eq!(answer.body["data"], count, "{answer:?}");
    took
}

async fn open(database: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database).read_only(true)).await.unwrap()
}

/// For one of so many, in microseconds.
fn micros(took: Duration, count: usize) -> f64 {
    took.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
