//! `queries/**/NAME.sql`: front matter between `---` lines, then one statement with named parameters. What it touches and
//! answers is not known here: that takes the database's own parser, which is given the statement later.

use std::collections::BTreeSet;

use super::{
    decode::File,
    diagnostic::{Check, Diagnostic, Severity},
    keys,
    logics::{self, Known},
    node::{self, Span},
    objects,
    sql_logic::{self, Places},
    triggers, typed,
};
use crate::{
    name::check_identifier,
    query::{Query, Returns},
    schema::Type,
};

/// Columns that a front matter can name.
const RESULT_MAX: usize = 200;
/// Bytes of a source line that is shown.
const SNIPPET_BYTES_MAX: usize = 400;

/// A query as it stands in the project.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectQuery {
    /// The file that declares it.
    pub path: String,
    /// Its `result` and `tables` are empty until the statement is prepared.
    pub query: Query,
    /// Types that the front matter gives to columns.
    pub declared: Vec<DeclaredColumn>,
    /// What stands behind the front matter.
    sql: String,
    /// The line that it begins in.
    first_line: u32,
    /// Where in it the statement begins.
    at: usize,
}

/// A column of `result`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredColumn {
    /// Of the result.
    pub name: String,
    /// What the author says that it is.
    pub kind: Type,
    line: u32,
    column: u32,
}

pub(super) fn read(file: &File<'_>, text: &str, known: &Known) -> Option<ProjectQuery> {
    let (front, sql, first_line) = sql_logic::split_front_matter(file, text, "a declared query")?;
    // The file's lines keep their numbers: the opening line becomes an empty one.
    let root = node::parse(&format!("\n{front}"))
        .map_err(|error| {
            file.error(error.span, Check::Syntax, format!("the front matter cannot be read: {}", error.message));
        })
        .ok()?;
    let map = file.map(&root, &keys::QUERY)?;
    let params = sql_logic::params(file, &map);
    let declared = map.get("result").map(|node| result(file, node)).unwrap_or_default();
    let returns = map
        .get("returns")
        .and_then(|node| file.word(node, keys::RETURNS, &[Returns::Many, Returns::One, Returns::Exec]));
    let places = Places { sql, first_line };
    let front = Span { width: 0, ..map.span };
    let statements = sql_logic::statements(file, &places, (&params, &BTreeSet::new()), &front, "a declared query");
    triggers::warn_of_texts(file, &places, &known.triggers, &BTreeSet::new());
    objects::warn_of_texts(file, &places, &known.connections);
    let (at, statement) = *statements.first()?;
    if let Some((second, _)) = statements.get(1) {
        let hint = "put it into a file of its own, and call both in a transaction where they belong together";
        file.error_hint(places.span(*second, 0), Check::Sql, "a declared query is one statement", hint);
    }
    let query = Query {
        description: map.get("description").and_then(|node| file.text(node)).map(|word| word.text),
        connection: logics::connection(file, &map, known),
        params: params.into_iter().map(|param| param.param).collect(),
        returns: returns.unwrap_or(Returns::Many),
        statement: statement.to_owned(),
        result: Vec::new(),
        tables: std::collections::BTreeMap::new(),
    };
    Some(ProjectQuery { path: file.path.to_owned(), query, declared, sql: sql.to_owned(), first_line, at })
}

fn result(file: &File<'_>, node: &node::Node) -> Vec<DeclaredColumn> {
    let entries = file.names(node);
    if entries.len() > RESULT_MAX {
        file.error(node.span, Check::TooMany, format!("a result has at most {RESULT_MAX} columns"));
    }
    let column = |entry: &&node::Entry| {
        file.check_name(&entry.key, entry.span, |name| check_identifier("a column of a result", name));
        let kind = typed::kind(file, &entry.value)?;
        Some(DeclaredColumn { name: entry.key.clone(), kind, line: entry.span.line, column: entry.span.column })
    };
    entries.iter().take(RESULT_MAX).filter_map(column).collect()
}

/// Name of the query that a file declares: its path without `queries/` and the ending.
pub(super) fn name_of(path: &str) -> Option<&str> {
    path.strip_prefix("queries/")?.strip_suffix(".sql")
}

impl ProjectQuery {
    /// Something wrong in the statement, `offset` bytes from its beginning.
    pub fn finding(
        &self,
        offset: usize,
        width: usize,
        code: Check,
        message: String,
        hint: Option<String>,
    ) -> Diagnostic {
        let mut at = (self.at + offset).min(self.sql.len());
        while !self.sql.is_char_boundary(at) {
            at -= 1;
        }
        let span = Places { sql: &self.sql, first_line: self.first_line }.span(at, width);
        let snippet = self.sql.lines().nth((span.line - self.first_line) as usize);
        Diagnostic {
            severity: Severity::Error,
            code,
            message,
            path: self.path.clone(),
            line: span.line,
            column: span.column,
            end: (width > 0).then(|| span.column.saturating_add(span.width)),
            hint,
            snippet: snippet.filter(|line| line.len() <= SNIPPET_BYTES_MAX).map(str::to_owned),
        }
    }

    /// Something wrong with a column of `result`.
    pub fn finding_at(&self, column: &str, code: Check, message: String, hint: Option<String>) -> Diagnostic {
        let declared = self.declared.iter().find(|declared| declared.name == column);
        let (line, column) = declared.map_or((1, 1), |declared| (declared.line, declared.column));
        let (severity, path) = (Severity::Error, self.path.clone());
        Diagnostic { severity, code, message, path, line, column, end: None, hint, snippet: None }
    }
}
