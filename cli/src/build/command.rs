//! A component made by a command of the developer's: any language, any tool.

use std::path::Path;

use tokio::process::Command;

use super::cache::Made;
use super::process::run;
use super::{BuildError, Progress, component, sdk};

/// Runs the command in the logic's folder and reads what it leaves. `STK_WIT_DIR` tells it where the WIT packages are.
pub(super) async fn build(
    command: &str,
    output: &Path,
    dir: &Path,
    cache: &Path,
    progress: Progress<'_>,
) -> Result<Made, BuildError> {
    progress(&format!("running {command}"));
    let mut shell = if cfg!(windows) { Command::new("cmd") } else { Command::new("sh") };
    shell.args([if cfg!(windows) { "/C" } else { "-c" }, command]).current_dir(dir);
    shell.env("STK_WIT_DIR", sdk::wit_dir(cache));
    let finished = run(&mut shell, progress, |line| (!line.is_empty()).then_some(line))
        .await
        .map_err(|source| BuildError::io("run", Path::new("sh"), source))?;
    let said = format!("{}{}", String::from_utf8_lossy(&finished.stdout), finished.stderr);
    if !finished.success {
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word why").trim().to_owned();
        return Err(BuildError::Compiler { tool: format!("`{command}`"), summary: last, output: said });
    }
    let path = dir.join(output);
    if !path.is_file() {
        return Err(BuildError::NotComponent {
            path,
            why: format!("the command `{command}` ended well and did not write it; check `output` in logic.yaml"),
        });
    }
    Ok(Made { wasm: component::read(&path).await?, outside: Vec::new() })
}
