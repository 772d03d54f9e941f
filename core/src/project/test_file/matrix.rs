//! `tests/permissions/*.yaml`: which rows each caller may read, add, change and remove, as a matrix that is checked against the
//! project, so that a wrong name is told with its place.
//!
//! A table that stands in a matrix stands in it whole: every verb, every caller. It decides nothing: `stk permissions test` asks the
//! rules as a Bridge does.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{GivenRow, Reader, finish, read, typed};
use crate::{
    access::{Actor, table::Verb},
    project::{
        Project,
        diagnostic::{Check, Diagnostic},
        keys,
        node::{Entry, Node, Yaml},
    },
    schema::Table,
    value::Value,
};

/// A file of `tests/permissions`.
#[derive(Clone, Debug)]
pub struct AccessMatrix {
    /// By the name that the matrix has for them.
    pub callers: BTreeMap<String, Actor>,
    /// Rows that the rules are asked about.
    pub rows: Vec<GivenRow>,
    /// What conditions see as the time; the present where none is given.
    pub now: Option<DateTime<Utc>>,
    /// In the order of the file.
    pub cells: Vec<Cell>,
}

/// What one caller may do to the rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The line of the file.
    pub line: u32,
    /// The table.
    pub table: String,
    /// What is done.
    pub verb: Verb,
    /// By its name.
    pub caller: String,
    /// To which rows.
    pub rows: AdmittedRows,
    /// To exactly which columns, in the order of their names; none is not looked at.
    pub columns: Option<Vec<String>>,
}

/// Which of the given rows.
#[derive(Clone, Debug, PartialEq)]
pub enum AdmittedRows {
    /// No row, whatever is in it.
    None,
    /// Every row, whatever is in it.
    All,
    /// Of those that are given, the ones with these keys and no others.
    Keys(Vec<Value>),
}

/// Whether a path is one of a matrix.
pub fn is_matrix_file(path: &str) -> bool {
    let name = path.strip_prefix("tests/permissions/").filter(|name| !name.contains('/') && !name.starts_with('.'));
    name.is_some_and(|name| {
        super::super::source::has_extension(name, "yaml") || super::super::source::has_extension(name, "yml")
    })
}

/// Reads a matrix against the project that it is about.
pub fn parse(path: &str, bytes: &[u8], project: &Project) -> Result<AccessMatrix, Vec<Diagnostic>> {
    let empty = || AccessMatrix { callers: BTreeMap::new(), rows: Vec::new(), now: None, cells: Vec::new() };
    finish(|found| {
        let matrix = read(path, bytes, found, |file, root| file.reader(path, project).matrix(root));
        matrix.flatten().unwrap_or_else(empty)
    })
}

impl Reader<'_> {
    fn matrix(&self, root: &Node) -> Option<AccessMatrix> {
        let map = self.file.map(root, &keys::MATRIX)?;
        let callers: BTreeMap<String, Actor> = self
            .entries(map.get("callers"))
            .filter_map(|entry| Some((entry.key.clone(), self.caller(&entry.value)?)))
            .collect();
        let rows = map.get("rows").map(|node| self.rows(node)).unwrap_or_default();
        let now = map.get("now").and_then(|node| self.now(node));
        let mut cells = Vec::new();
        for entry in self.entries(map.get("matrix")) {
            let Some((_, table)) = self.table(&entry.key, entry.span) else { continue };
            let Some(verbs) = self.file.map(&entry.value, &keys::MATRIX_TABLE) else { continue };
            for verb in Verb::ALL.iter().copied() {
                let Some(node) = verbs.get(verb.as_str()) else { continue };
                self.verb(node, (&entry.key, table, verb), &callers, &mut cells);
            }
        }
        Some(AccessMatrix { callers, rows, now, cells })
    }

    fn entries<'n>(&self, node: Option<&'n Node>) -> impl Iterator<Item = &'n Entry> + use<'n> {
        node.map(|node| self.file.names(node)).unwrap_or_default().into_iter()
    }

    /// Every caller must be there: what nobody thought of is what a matrix is for.
    fn verb(
        &self,
        node: &Node,
        (name, table, verb): (&str, &Table, Verb),
        callers: &BTreeMap<String, Actor>,
        cells: &mut Vec<Cell>,
    ) {
        let file = self.file;
        let entries = file.names(node);
        for missing in callers.keys().filter(|caller| !entries.iter().any(|entry| entry.key == **caller)) {
            let message = format!("what {missing:?} may {} of {name:?} is not said", verb.as_str());
            file.error_hint(node.span, Check::MissingKey, message, "say none, all, or the keys of rows");
        }
        for entry in entries {
            if !callers.contains_key(&entry.key) {
                let message = format!("there is no caller {:?}", entry.key);
                let known = callers.keys().map(String::as_str);
                file.unknown(entry.span, Check::UnknownValue, message, &entry.key, known);
                continue;
            }
            let Some((rows, columns)) = self.cell(&entry.value, name, table, verb) else { continue };
            cells.push(Cell {
                line: entry.span.line,
                table: name.to_owned(),
                verb,
                caller: entry.key.clone(),
                rows,
                columns,
            });
        }
    }

    fn cell(&self, node: &Node, name: &str, table: &Table, verb: Verb) -> Option<(AdmittedRows, Option<Vec<String>>)> {
        if !matches!(node.yaml, Yaml::Map(_)) {
            return Some((self.admitted(node, table)?, None));
        }
        let file = self.file;
        let map = file.map(node, &keys::MATRIX_CELL)?;
        let rows = self.admitted(map.get("rows")?, table)?;
        let Some(entry) = map.entry("columns") else { return Some((rows, None)) };
        if verb == Verb::Delete {
            file.error(entry.span, Check::Conflict, "a row is removed whole: delete has no columns");
        }
        let words = file.texts(&entry.value);
        let mut columns: Vec<String> = words
            .into_iter()
            .filter(|word| self.column(table, name, &word.text, word.span).is_some())
            .map(|word| word.text)
            .collect();
        columns.sort_unstable();
        Some((rows, Some(columns)))
    }

    fn admitted(&self, node: &Node, table: &Table) -> Option<AdmittedRows> {
        let words = [AdmittedRow::None, AdmittedRow::All];
        if let Yaml::List(items) = &node.yaml {
            let keys = items.iter().map(|item| typed(self.file, item, table.id.kind));
            return Some(AdmittedRows::Keys(keys.collect::<Option<Vec<_>>>()?));
        }
        Some(match self.file.word(node, keys::CELLS, &words)? {
            AdmittedRow::None => AdmittedRows::None,
            AdmittedRow::All => AdmittedRows::All,
        })
    }
}

#[derive(Clone, Copy)]
enum AdmittedRow {
    None,
    All,
}
