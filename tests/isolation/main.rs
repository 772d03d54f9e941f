//! What one project costs another, and what a project that does nothing costs: requests to a quiet logic while every processor computes in
//! guests of another project, and while the compiler works on what was made to be hard for it, each beside the same requests without, in turn;
//! and how a Bridge with a thousand logics starts from what it has on disk, beside one with a single logic.
//!
//! Prints lines of JSON. Run by `cargo xtask bench`, which makes the tables in docs/PERFORMANCE.md of them. `noop=component.wasm` is the
//! logic that is measured; other arguments name the parts: `spin`, `bomb`, `start`; none means all.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "this is what a benchmark is for")]

mod beside;
mod guests;
mod lab;
mod start;

#[tokio::main]
async fn main() {
    // `cargo bench` adds flags of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let Some(noop) = arguments.iter().find_map(|argument| argument.strip_prefix("noop=")) else {
        println!("no `noop=component.wasm`: `cargo xtask bench` makes one");
        return;
    };
    let noop = std::fs::read(noop).unwrap();
    let parts: Vec<&String> = arguments.iter().filter(|argument| !argument.contains('=')).collect();
    let is_wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| *wanted == part);
    if is_wanted("spin") {
        beside::spinning(&noop).await.unwrap();
    }
    if is_wanted("bomb") {
        beside::compiling(&noop).await.unwrap();
    }
    if is_wanted("start") {
        start::measure(&noop).await.unwrap();
    }
}
