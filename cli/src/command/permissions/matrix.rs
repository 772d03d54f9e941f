//! `stk permissions test`: every cell of the matrices in `tests/permissions` against the rules of the project. The rules are asked as a
//! Bridge asks them; what they ask of rows is evaluated on the rows of the matrix.

use std::path::Path;

use anyhow::Context as _;
use chrono::Utc;
use santokit_bridge::db::json_value;
use santokit_core::{
    access::{
        predicate::{Predicate, Truth},
        table::{Allowed, Columns, TableDecision, TableRules, Verb},
    },
    project::{
        Project,
        test_file::{
            GivenRow,
            matrix::{AccessMatrix, AdmittedRows, Cell, is_matrix_file, parse},
        },
    },
    schema::Table,
    value::Value,
};
use serde_json::{Map, Value as Json, json};

use super::super::Shell;
use crate::{failure::Failure, report::Tone};

/// Flags of `stk permissions test`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stk permissions test\n  stk permissions test --filter customer --json")]
pub struct Options {
    /// Only cells with this text in `FILE TABLE VERB CALLER`
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// A project without a matrix passes
    #[arg(long)]
    pub allow_empty: bool,
}

/// A cell that is not as the matrix says.
#[derive(Debug)]
struct Difference {
    path: String,
    line: u32,
    cell: String,
    what: String,
    expected: Json,
    got: Json,
}

/// Runs it.
pub(super) fn run(options: &Options, shell: &Shell) -> anyhow::Result<()> {
    let folder = shell.folder()?;
    let project = folder.project()?;
    let (mut count, mut differences, mut findings) = (0, Vec::new(), Vec::new());
    let files = files(folder.root())?;
    for (path, bytes) in &files {
        match parse(path, bytes, &project) {
            Err(found) => findings.extend(found),
            Ok(matrix) => {
                let asked = |cell: &&Cell| {
                    let name = format!("{path} {}", name(cell));
                    options.filter.as_ref().is_none_or(|text| name.contains(text))
                };
                for cell in matrix.cells.iter().filter(asked) {
                    count += 1;
                    differences.extend(compare(path, cell, &matrix, &project)?);
                }
            }
        }
    }
    let is_ok = differences.is_empty() && findings.is_empty() && (count > 0 || options.allow_empty);
    let cells: Vec<Json> = differences.iter().map(Difference::json).collect();
    let answer = json!({"ok": is_ok, "cells": count, "differences": cells, "diagnostics": findings});
    shell.terminal.answer(&answer, |terminal| {
        if !findings.is_empty() {
            terminal.say(&terminal.diagnostics(&findings));
        }
        for one in &differences {
            let place = terminal.tone(Tone::Bad, &format!("{}:{}", one.path, one.line));
            terminal.say(&format!(
                "{place} {}: {}\n  expected {}\n  got      {}",
                one.cell, one.what, one.expected, one.got
            ));
        }
        if is_ok {
            terminal.say(&format!("{} {count} cells in {} files", terminal.tone(Tone::Good, "ok"), files.len()));
        }
    });
    if is_ok {
        return Ok(());
    }
    let failure = match (findings.len(), differences.len()) {
        (0, 0) => {
            Failure::failed("there is no cell to test").hint("write tests/permissions/NAME.yaml; see `stk schema json`")
        }
        (0, different) => Failure::failed(format!("{different} of {count} cells are not as the matrix says")),
        (found, _) => Failure::failed(format!("{found} finding(s) in tests/permissions")),
    };
    Err(failure.reported(shell.terminal.is_json()).into())
}

/// The matrices of a project, by name.
fn files(root: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let dir = root.join("tests/permissions");
    let mut files = Vec::new();
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", dir.display())),
    };
    for entry in entries {
        let path = format!("tests/permissions/{}", entry?.file_name().to_string_lossy());
        if is_matrix_file(&path) {
            let bytes = std::fs::read(root.join(&path)).with_context(|| format!("cannot read {path}"))?;
            files.push((path, bytes));
        }
    }
    files.sort();
    Ok(files)
}

fn name(cell: &Cell) -> String {
    format!("{} {} as {}", cell.table, cell.verb.as_str(), cell.caller)
}

fn compare(path: &str, cell: &Cell, matrix: &AccessMatrix, project: &Project) -> anyhow::Result<Vec<Difference>> {
    let table = project.connections.values().find_map(|schema| schema.tables.get(&cell.table));
    let (Some(table), Some(actor)) = (table, matrix.callers.get(&cell.caller)) else { return Ok(Vec::new()) };
    let permissions = project.permissions.tables.get(&cell.table).cloned().unwrap_or_default();
    let rules = TableRules::compile(&cell.table, table, &permissions)?;
    let now = matrix.now.unwrap_or_else(Utc::now);
    let allowed = match rules.decide(cell.verb, actor, &Map::new(), now) {
        TableDecision::Allow(allowed) => Some(allowed),
        TableDecision::DenyAnonymous | TableDecision::Deny { .. } => None,
    };
    let rows: Vec<&GivenRow> = matrix.rows.iter().filter(|row| row.table == cell.table).collect();
    let difference = |what: &str, expected: Json, got: Json| Difference {
        path: path.to_owned(),
        line: cell.line,
        cell: name(cell),
        what: what.to_owned(),
        expected,
        got,
    };
    let mut differences = Vec::new();
    let (expected, got) = (expected_rows(&cell.rows, table), admitted(allowed.as_ref(), &rows, table, &cell.rows));
    if expected != got {
        differences.push(difference("rows", expected, got));
    }
    if let (Some(expected), Some(allowed)) = (&cell.columns, &allowed) {
        let got = columns(&allowed.columns, table, cell.verb);
        if *expected != got {
            differences.push(difference("columns", json!(expected), json!(got)));
        }
    }
    Ok(differences)
}

fn expected_rows(rows: &AdmittedRows, table: &Table) -> Json {
    match rows {
        AdmittedRows::None => "none".into(),
        AdmittedRows::All => "all".into(),
        AdmittedRows::Keys(keys) => {
            let mut keys: Vec<String> = keys.iter().map(|key| shown(key, table)).collect();
            keys.sort_unstable();
            json!(keys)
        }
    }
}

/// What the rules say, in the words of the expectation where it fits: `all` and `none` only where no row's content matters.
fn admitted(allowed: Option<&Allowed>, rows: &[&GivenRow], table: &Table, expected: &AdmittedRows) -> Json {
    let Some(allowed) = allowed else {
        let is_empty = matches!(expected, AdmittedRows::Keys(keys) if keys.is_empty());
        return if is_empty { json!([]) } else { "none".into() };
    };
    match (&allowed.predicate, expected) {
        (Predicate::Constant(true), AdmittedRows::All | AdmittedRows::None) => return "all".into(),
        (Predicate::Constant(false), AdmittedRows::All | AdmittedRows::None) => return "none".into(),
        _ => {}
    }
    let mut keys: Vec<String> = rows
        .iter()
        .filter(|row| {
            let cell = |name: &str| row.values.iter().find(|(column, _)| column == name).map(|(_, value)| value);
            allowed.predicate.evaluate(&cell) == Truth::True
        })
        .map(|row| {
            let key = row.values.iter().find(|(column, _)| *column == table.id.name).map(|(_, value)| value);
            key.map_or_else(|| format!("the row of line {}", row.line), |key| shown(key, table))
        })
        .collect();
    keys.sort_unstable();
    json!(keys)
}

fn shown(key: &Value, table: &Table) -> String {
    match json_value(table.id.kind.as_str(), key.clone()) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// In the order of their names. A generated key cannot be written.
fn columns(columns: &Columns, table: &Table, verb: Verb) -> Vec<String> {
    let is_sent = matches!(verb, Verb::Insert | Verb::Update);
    let key = (!is_sent || table.id.generate == santokit_core::schema::Generate::Client).then_some(&table.id.name);
    let all = table.columns.iter().map(|column| &column.name).chain(key);
    let mut names: Vec<String> = all.filter(|name| columns.contains(name)).cloned().collect();
    names.sort_unstable();
    names
}

impl Difference {
    fn json(&self) -> Json {
        json!({
            "path": self.path, "line": self.line, "cell": self.cell, "what": self.what, "expected": self.expected, "got": self.got,
        })
    }
}
