//! A process whose wall clock is wrong.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::folder::repository;

/// What a process is told so that its wall clock is ahead by so many seconds, or behind. What does it is built in a folder of the test's own.
pub async fn shifted_clock(dir: &Path, seconds: i64) -> Result<[(&'static str, String); 2]> {
    let library = dir.join(format!("shifted-clock-{seconds}.so"));
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(repository().join("tests/src/shifted_clock.c"))
        .output()
        .await
        .context("`cc`, which `cargo xtask setup` ensures")?;
    ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let library = library.to_str().context("a path in UTF-8")?.to_owned();
    Ok([("LD_PRELOAD", library), ("SHIFTED_CLOCK_SECONDS", seconds.to_string())])
}
