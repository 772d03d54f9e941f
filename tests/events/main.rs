//! Events beside a queue library for PostgreSQL: published by requests that write a row, handled by a component that does nothing, with one Bridge and
//! with three; the library with as many workers, fed by a handler by hand that writes the same row and its job in one transaction. In turn, on one server.
//! SQLite stands alone, for there is no such library.
//!
//! Prints lines of JSON. Run by `cargo xtask bench events`, which makes the table in docs/PERFORMANCE.md of them. Takes `event=component.wasm` and
//! `library=folder`, where the library is installed.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "this is what a benchmark is for")]

mod by_hand;
mod lab;
mod library;
mod measure;

use std::path::Path;

use anyhow::Result;
use santokit_tests::{Engine, TestDatabase};
use serde_json::{Value as Json, json};

use lab::Lab;
use library::Library;
use measure::{Figures, median};

const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let [first, url] = arguments.as_slice()
        && first == by_hand::ARGUMENT
    {
        return by_hand::serve(url).await.unwrap();
    }
    let told = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
    let (Some(event), Some(library)) = (told("event="), told("library=")) else {
        println!("no `event=component.wasm library=folder`: `cargo xtask bench events` has them");
        return;
    };
    let component = std::fs::read(event).unwrap();
    beside(&component, Path::new(library)).await.unwrap();
    alone(&component).await.unwrap();
}

/// Both on PostgreSQL, in turn, with one process each and with three.
async fn beside(component: &[u8], folder: &Path) -> Result<()> {
    let (ours, theirs) = (TestDatabase::create(Engine::Postgres).await?, TestDatabase::create(Engine::Postgres).await?);
    let mut lab = Lab::start(Some(&ours.url()), component).await?;
    let mut library = Library::start(&theirs, folder).await?;
    for processes in [1, 3] {
        lab.grow_to(processes).await?;
        library.grow_to(processes).await?;
        let (mut own, mut other) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let (one, two) = if round.is_multiple_of(2) {
                let one = measure::all(&lab).await?;
                (one, measure::all(&library).await?)
            } else {
                let two = measure::all(&library).await?;
                (measure::all(&lab).await?, two)
            };
            // The first one warms both.
            if round > 0 {
                own.push(one);
                other.push(two);
            }
        }
        library.batch(true).await?;
        let mut batched = Vec::new();
        for _ in 0..ROUNDS {
            batched.push(measure::handled(&library).await?);
        }
        library.batch(false).await?;
        let mut line = line("postgres", processes, &own);
        let theirs = Figures::median(&other);
        line["libraryPublished"] = theirs.published.into();
        line["libraryHandled"] = theirs.handled.into();
        line["libraryBatched"] = median(&mut batched).into();
        line["libraryP50Ms"] = theirs.p50_ms.into();
        line["libraryP99Ms"] = theirs.p99_ms.into();
        let mut ratios: Vec<f64> = own.iter().zip(&other).map(|(own, other)| own.handled / other.handled).collect();
        line["ratio"] = median(&mut ratios).into();
        println!("{line}");
    }
    Ok(())
}

/// SQLite, which one Bridge has.
async fn alone(component: &[u8]) -> Result<()> {
    let mut lab = Lab::start(None, component).await?;
    lab.grow_to(1).await?;
    let mut own = Vec::new();
    for round in 0..=ROUNDS {
        let figures = measure::all(&lab).await?;
        if round > 0 {
            own.push(figures);
        }
    }
    println!("{}", line("sqlite", 1, &own));
    Ok(())
}

fn line(engine: &str, bridges: usize, own: &[Figures]) -> Json {
    let own = Figures::median(own);
    json!({
        "bench": "events", "engine": engine, "bridges": bridges, "published": own.published, "handled": own.handled,
        "p50Ms": own.p50_ms, "p99Ms": own.p99_ms,
    })
}
