//! A caller's filter as a condition, in plain SQL logic: a test of NULL is unknown.

use santokit_core::{schema::Type, value::Value};

use super::{
    RenderError, pattern,
    predicate::{self, Use, column_bytes, column_of, is_text, text_of, value_bytes},
    writer::{Scope, Writer},
};
use crate::{
    dialect::Dialect,
    plan::{Column, Comparison, Condition, Keys, Related, Source},
};

/// Levels of a filter: more than a request within its limits can have, less than a stack holds.
const DEPTH_MAX: usize = 128;

/// Writes ` WHERE …`, or nothing where every row is meant.
pub(super) fn filter(writer: &mut Writer, source: &Source) {
    let scope = scope(&source.table, &source.filter);
    let mut before = " WHERE ";
    if let Some(keys) = &source.keys {
        writer.text(before);
        key_in(writer, scope, keys);
        before = " AND ";
    }
    if !source.filter.is_every() {
        writer.text(before);
        write(writer, scope, &source.filter, 0);
        before = " AND ";
    }
    if !source.rule.is_always() {
        writer.text(before);
        predicate::write(writer, scope, &source.rule);
    }
}

/// What columns of the statement's own table are called by.
pub(super) fn scope<'p>(table: &'p str, filter: &Condition) -> Scope<'p> {
    if filter.has_related() { Scope::Table(table) } else { Scope::Bare }
}

/// `key IN (…)`. Keys come from the database or refer into it: the column's own collation decides, as it does for the reference.
pub(super) fn key_in(writer: &mut Writer, scope: Scope<'_>, keys: &Keys) {
    let kind = keys.column.kind;
    writer.check_comparable(kind, "compared");
    if keys.values.is_empty() {
        writer.text("FALSE");
        return;
    }
    if writer.dialect == Dialect::Sqlite && kind == Type::Decimal {
        column_of(writer, scope, (&keys.column.name, kind), kind, Use::Equality);
    } else {
        writer.column(scope, &keys.column.name);
    }
    writer.text(" IN ").padded(&keys.values, |writer, value| {
        writer.bind(kind, value.clone());
    });
}

pub(super) fn write(writer: &mut Writer, scope: Scope<'_>, condition: &Condition, depth: usize) {
    if depth > DEPTH_MAX {
        writer.fail(RenderError::Plan("the filter is nested too deeply"));
        return;
    }
    match condition {
        Condition::All(parts) => joined(writer, scope, parts, depth, (" AND ", "TRUE")),
        Condition::Any(parts) => joined(writer, scope, parts, depth, (" OR ", "FALSE")),
        Condition::Not(part) => match &**part {
            Condition::IsNull(column) => {
                writer.column(scope, &column.name).text(" IS NOT NULL");
            }
            part => {
                writer.text("NOT (");
                write(writer, scope, part, depth + 1);
                writer.text(")");
            }
        },
        Condition::IsNull(column) => {
            writer.column(scope, &column.name).text(" IS NULL");
        }
        Condition::Compare(column, comparison, value) => compare(writer, scope, column, *comparison, value),
        Condition::OneOf(column, values) => one_of(writer, scope, column, values),
        Condition::Between(column, low, high) => {
            writer.text("(");
            compare(writer, scope, column, Comparison::GreaterOrEqual, low);
            writer.text(" AND ");
            compare(writer, scope, column, Comparison::LessOrEqual, high);
            writer.text(")");
        }
        Condition::Like { column, pattern, case_sensitive } => like(writer, scope, column, pattern, *case_sensitive),
        Condition::Contains(column, text) => contains(writer, scope, column, text),
        Condition::Related(related) => self::related(writer, scope, related, depth),
    }
}

fn joined(
    writer: &mut Writer,
    scope: Scope<'_>,
    parts: &[Condition],
    depth: usize,
    (between, none): (&'static str, &'static str),
) {
    match parts {
        [] => {
            writer.text(none);
        }
        [only] => write(writer, scope, only, depth + 1),
        parts => {
            writer.text("(");
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    writer.text(between);
                }
                write(writer, scope, part, depth + 1);
            }
            writer.text(")");
        }
    }
}

/// Also for the parts of a position in an order.
pub(super) fn compare(writer: &mut Writer, scope: Scope<'_>, column: &Column, comparison: Comparison, value: &Value) {
    writer.check_comparable(column.kind, "compared");
    check_not_null(writer, column.kind, value);
    let sign = sign(comparison);
    let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    let used = if is_equality { Use::Equality } else { Use::Order };
    let exactly = writer.dialect == Dialect::Mysql && is_text(column.kind) && used == Use::Equality;
    if exactly && comparison == Comparison::NotEqual {
        column_bytes(writer, scope, &column.name);
        writer.text(sign);
        value_bytes(writer, column.kind, value);
        return;
    }
    if exactly {
        writer.text("(");
    }
    column_of(writer, scope, (&column.name, column.kind), column.kind, used);
    writer.text(sign).bind(column.kind, value.clone());
    if exactly {
        writer.text(" AND ");
        column_bytes(writer, scope, &column.name);
        writer.text(sign);
        value_bytes(writer, column.kind, value);
        writer.text(")");
    }
}

pub(super) const fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::NotEqual => " <> ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
    }
}

fn one_of(writer: &mut Writer, scope: Scope<'_>, column: &Column, values: &[Value]) {
    writer.check_comparable(column.kind, "compared");
    for value in values {
        check_not_null(writer, column.kind, value);
    }
    if values.is_empty() {
        writer.text("FALSE");
        return;
    }
    let kind = column.kind;
    let exactly = writer.dialect == Dialect::Mysql && is_text(kind);
    if exactly {
        writer.text("(");
    }
    column_of(writer, scope, (&column.name, kind), kind, Use::Equality);
    writer.text(" IN ").padded(values, |writer, value| {
        writer.bind(kind, value.clone());
    });
    if exactly {
        writer.text(" AND ");
        column_bytes(writer, scope, &column.name);
        writer.text(" IN ").padded(values, |writer, value| value_bytes(writer, kind, value));
        writer.text(")");
    }
}

fn check_not_null(writer: &mut Writer, kind: Type, value: &Value) {
    if *value == Value::Null {
        writer.fail(RenderError::Value { kind });
    }
}

fn check_text(writer: &mut Writer, kind: Type) {
    if !is_text(kind) {
        writer.fail(RenderError::NotForType { kind, what: "searched as text" });
    }
}

/// Without case, the letters of ASCII are alike on every engine; MySQL knows those of other alphabets too.
fn like(writer: &mut Writer, scope: Scope<'_>, column: &Column, pattern: &str, case_sensitive: bool) {
    check_text(writer, column.kind);
    let bind = |writer: &mut Writer, text: String| {
        writer.bind(Type::String, Value::Text(text));
    };
    match (writer.dialect, case_sensitive) {
        (Dialect::Sqlite, true) => {
            writer.column(scope, &column.name).text(" GLOB ");
            bind(writer, pattern::glob(pattern));
            return;
        }
        (Dialect::Sqlite, false) => {
            writer.column(scope, &column.name).text(" LIKE ");
            bind(writer, pattern::like(pattern));
        }
        (Dialect::Postgres, _) => {
            text_of(writer, scope, &column.name);
            writer.text(if case_sensitive { " LIKE " } else { " COLLATE \"C\" ILIKE " });
            bind(writer, pattern::like(pattern));
        }
        (Dialect::Mysql, true) => {
            writer.text("CONVERT(").column(scope, &column.name).text(" USING utf8mb4) COLLATE utf8mb4_bin LIKE ");
            bind(writer, pattern::like(pattern));
        }
        (Dialect::Mysql, false) => {
            writer.text("LOWER(CONVERT(").column(scope, &column.name);
            writer.text(" USING utf8mb4)) COLLATE utf8mb4_bin LIKE LOWER(");
            bind(writer, pattern::like(pattern));
            writer.text(")");
        }
    }
    writer.text(" ESCAPE '!'");
}

fn contains(writer: &mut Writer, scope: Scope<'_>, column: &Column, text: &str) {
    check_text(writer, column.kind);
    let value = Value::Text(text.to_owned());
    if writer.dialect == Dialect::Mysql {
        writer.text("LOCATE(");
        value_bytes(writer, Type::String, &value);
        writer.text(", ");
        column_bytes(writer, scope, &column.name);
    } else {
        writer.by_dialect("instr(", "strpos(", "");
        text_of(writer, scope, &column.name);
        writer.text(", ").bind(Type::String, value);
    }
    writer.text(") > 0");
}

fn related(writer: &mut Writer, scope: Scope<'_>, related: &Related, depth: usize) {
    let alias = writer.new_alias();
    let inner = Scope::Alias(alias);
    writer.text("EXISTS (SELECT 1 FROM ").name(&related.table).text(" AS ").alias(alias).text(" WHERE ");
    writer.column(inner, &related.remote.name).text(" = ").column(scope, &related.local.name);
    if writer.dialect == Dialect::Sqlite && related.local.kind == Type::Decimal {
        writer.text(" COLLATE stk_decimal");
    }
    if !related.rule.is_always() {
        writer.text(" AND ");
        predicate::write(writer, inner, &related.rule);
    }
    if !related.condition.is_every() {
        writer.text(" AND ");
        write(writer, inner, &related.condition, depth + 1);
    }
    // SQLite 3.51 makes a join of EXISTS and then takes OFFSET from the rows of the join; a LIMIT in it keeps it apart.
    writer.by_dialect(" LIMIT 1)", ")", ")");
}
