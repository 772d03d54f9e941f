//! `stk permissions test-cel`: one condition, one context, one answer.

use santokit_core::{
    access::{
        lower::RowCondition,
        trial::{self, Trial},
    },
    schema::Type,
};
use serde_json::json;

use super::{super::Shell, object};
use crate::{failure::Failure, report::Tone};

/// Flags of `stk permissions test-cel`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stk permissions test-cel --expr 'resource.ownerId == request.auth.sub' \\\n    --context '{\"request\": {\"auth\": {\"sub\": \"u1\"}}, \"resource\": {\"ownerId\": \"u1\"}}'"
)]
pub struct Options {
    /// The condition
    #[arg(long, value_name = "CEL")]
    pub expr: String,
    /// `request`, `resource` and `path` as the condition sees them, in JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub context: String,
    /// Also check that the database can filter by it, as a rule of this table of the project
    #[arg(long, value_name = "NAME")]
    pub table: Option<String>,
}

/// Runs it.
pub(super) fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let context = object(&options.context, "--context")?;
    let mut times = Vec::new();
    let project = options.table.as_ref().map(|_| shell.folder()?.project()).transpose()?;
    if let (Some(name), Some(project)) = (&options.table, &project) {
        let table = project.connections.values().find_map(|schema| schema.tables.get(name)).ok_or_else(|| {
            let known: Vec<_> = project.connections.values().flat_map(|schema| schema.tables.keys()).cloned().collect();
            Failure::usage(format!("there is no table {name:?}")).hint(format!("known are {}", known.join(", ")))
        })?;
        if let Err(errors) = RowCondition::compile(&options.expr, table) {
            let lines: Vec<String> = errors
                .iter()
                .map(|error| {
                    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                    format!("{}:{}: {}{hint}", error.line, error.column, error.message)
                })
                .collect();
            return Err(
                Failure::failed(format!("no rule of {name:?} can have this condition: {}", lines.join("; "))).into()
            );
        }
        let is_time = |column: &&santokit_core::schema::Column| column.kind == Type::Timestamp;
        times.extend(table.columns.iter().filter(is_time).map(|column| column.name.as_str()));
    }
    let tried = trial::condition(&options.expr, &context, &times).map_err(|error| {
        let failure = Failure::failed(format!("{}:{}: {}", error.line, error.column, error.message));
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let (result, why) = match &tried {
        Trial::True => (Some(true), None),
        Trial::False => (Some(false), None),
        Trial::Neither(why) => (None, Some(why.as_str())),
    };
    shell.terminal.answer(&json!({"result": result, "admits": result == Some(true), "error": why}), |terminal| {
        terminal.say(&match (result, why) {
            (Some(true), _) => terminal.tone(Tone::Good, "true"),
            (Some(false), _) => "false".to_owned(),
            (None, why) => format!("neither true nor false, which denies: {}", why.unwrap_or_default()),
        });
    });
    Ok(())
}
