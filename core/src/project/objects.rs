//! Rows that take objects with them, and what removes such rows past the Bridge: then the objects stay, which is told.

use std::collections::BTreeMap;

use super::{decode::File, diagnostic::Check, links::DraftTable, node::Span, sql_logic::Places};
use crate::{
    event::Change,
    schema::{ReferenceAction, Schema, Table},
    sql_text,
};

const HINT: &str =
    "write through requests to tables (grants: crud), or look with stk storage orphans from time to time";

/// Warns where a text removes or changes rows of a table with such a column.
pub(super) fn warn_of_texts(file: &File<'_>, places: &Places<'_>, connections: &BTreeMap<String, Schema>) {
    for written in sql_text::written(places.sql).into_iter().filter(|written| written.change != Change::Insert) {
        let tables = connections.values().flat_map(|schema| &schema.tables);
        let found = tables.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(written.table));
        if let Some((name, column)) = found.and_then(|(name, table)| Some((name, taking(table)?))) {
            warn(file, places.span(written.at, written.table.len()), (name, column), "this statement");
        }
    }
}

/// Warns where a logic is granted to remove or change such rows in its own SQL.
pub(super) fn warn_of_grant(
    file: &File<'_>,
    (name, span): (&str, Span),
    writes: impl Fn(Change) -> bool,
    connections: &BTreeMap<String, Schema>,
) {
    let table = connections.values().find_map(|schema| schema.tables.get(name));
    if let Some(column) = table.and_then(taking)
        && (writes(Change::Update) || writes(Change::Delete))
    {
        warn(file, span, (name, column), "the logic's own SQL");
    }
}

/// Warns where the database removes such rows with those that they refer to.
pub(super) fn warn_of_references(drafts: &BTreeMap<String, DraftTable<'_>>) {
    for (name, draft) in drafts {
        let Some(column) = taking(&draft.table) else { continue };
        for reference in draft.references.iter().filter(|reference| reference.on_delete == ReferenceAction::Cascade) {
            let what = "a row that goes with the one that it refers to is removed by the database, which";
            warn(draft.file, reference.table.span, (name, column), what);
        }
    }
}

fn taking(table: &Table) -> Option<&str> {
    table.columns.iter().find(|column| column.takes_objects()).map(|column| column.name.as_str())
}

fn warn(file: &File<'_>, span: Span, (table, column): (&str, &str), what: &str) {
    let message =
        format!("{what} does not take the objects with it that {table:?} names in {column:?} (onDelete: cascade)");
    file.warning(span, Check::PastFile, message, HINT);
}
