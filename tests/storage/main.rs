//! Objects: what it takes to sign a URL, and a gigabyte that comes and goes, with what the process keeps of it in memory; beside a handler in axum that
//! one would write by hand for files in a folder, in a process of its own, in turn.
//!
//! Prints lines of JSON. Run by `cargo xtask bench`, which makes the tables in docs/PERFORMANCE.md of them. With words as arguments, only what has
//! one of them in its name is measured: `presign`, `transfer`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "this is what a benchmark is for")]

mod plain;
mod presign;
mod transfer;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match arguments.as_slice() {
        [first, folder] if first == plain::ARGUMENT => plain::serve(folder).await.unwrap(),
        words => {
            let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
            if is_wanted("presign") {
                presign::measure().await;
            }
            if is_wanted("transfer") {
                transfer::measure().await.unwrap();
            }
        }
    }
}

/// The value below which so many of a hundred are.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
