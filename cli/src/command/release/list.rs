//! `stk release list`: the releases of a project, and, where an env is meant, whether it could go back to each.

use serde_json::{Value as Json, json};

use super::{Shell, Target};
use crate::report::cell;

/// Runs it.
pub(super) async fn run(target: &Target, shell: &Shell) -> anyhow::Result<()> {
    let (hub, context) = shell.hub(target)?;
    let project = context.project()?;
    let mut all = hub.get(&["v1", "projects", project, "releases"]).await?;
    let Ok(env) = context.env() else {
        crate::command::list(shell, &all, "releases", &["id", "created", "author", "digest", "pinned"], |row| {
            let mut cells = cells(row);
            cells.push(pinned(row));
            cells
        });
        return Ok(());
    };
    let current = hub.get(&["v1", "projects", project, "envs", env, "current"]).await;
    let current = current.map(|current| current["releaseId"].clone()).unwrap_or_default();
    // A database that is away takes nothing from the list but this.
    let targets = match hub.get(&["v1", "projects", project, "envs", env, "rollback"]).await {
        Ok(answer) => answer["targets"].as_array().cloned().unwrap_or_default(),
        Err(error) => {
            shell.terminal.warn(&format!("whether {env} could go back is not known: {error:#}"));
            Vec::new()
        }
    };
    for row in all["releases"].as_array_mut().into_iter().flatten() {
        let found = targets.iter().find(|target| target["releaseId"] == row["id"]);
        let is_current = row["id"] == current && current.is_string();
        row["rollback"] = match found {
            _ if is_current => json!({"current": true}),
            Some(target) => json!({"safe": target["safe"], "needs": target["needs"]}),
            None => Json::Null,
        };
    }
    crate::command::list(
        shell,
        &all,
        "releases",
        &["id", "created", "author", "digest", "pinned", "rollback"],
        |row| {
            let mut cells = cells(row);
            cells.extend([pinned(row), rollback(&row["rollback"])]);
            cells
        },
    );
    Ok(())
}

fn cells(row: &Json) -> Vec<String> {
    ["id", "createdAt", "author", "digest"].iter().map(|key| cell(&row[*key])).collect()
}

fn pinned(row: &Json) -> String {
    match &row["pin"]["reason"] {
        Json::String(reason) if reason.is_empty() => "pinned".to_owned(),
        reason => cell(reason),
    }
}

fn rollback(of: &Json) -> String {
    if of["current"] == true {
        return "runs".to_owned();
    }
    let needs = of["needs"].as_array().map(Vec::as_slice).unwrap_or_default();
    match (&of["safe"], needs) {
        (Json::Bool(true), _) => "safe".to_owned(),
        (_, [one]) => format!("not safe: {}", cell(one)),
        (_, [one, more @ ..]) => format!("not safe: {} and {} more", cell(one), more.len()),
        _ => String::new(),
    }
}
