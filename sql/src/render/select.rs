//! Rows and their number.

use santokit_core::{schema::Type, value::Value};

use super::{
    RenderError, condition,
    predicate::{Use, column_bytes, column_of, is_text, value_bytes},
    writer::{Scope, Writer, outputs},
};
use crate::{
    dialect::Dialect,
    plan::{Column, Comparison, Count, Direction, Position, Select, SortKey},
    statement::{OutputColumn, Statement},
};

pub(super) fn rows(plan: &Select, dialect: Dialect) -> Result<Statement, RenderError> {
    let mut writer = Writer::new(dialect);
    let scope = condition::scope(&plan.source.table, &plan.source.filter);
    if plan.columns.is_empty() {
        writer.fail(RenderError::Plan("nothing is selected"));
    }
    if plan.distinct {
        // The order is applied outside: with DISTINCT an engine orders by what is selected only, as it is selected.
        writer.text("SELECT ");
        writer.list(&plan.columns, |writer, column| {
            writer.name(&column.name);
        });
        writer.text(" FROM (SELECT DISTINCT ");
        writer.list(&plan.columns, |writer, column| distinct_column(writer, scope, column));
    } else {
        writer.text("SELECT ");
        writer.list(&plan.columns, |writer, column| {
            writer.column(scope, &column.name);
        });
    }
    writer.text(" FROM ").name(&plan.source.table);
    condition::filter(&mut writer, &plan.source);
    if let Some(position) = &plan.after {
        let has_where = plan.source.keys.is_some() || !plan.source.filter.is_every() || !plan.source.rule.is_always();
        writer.text(if has_where { " AND " } else { " WHERE " });
        behind(&mut writer, scope, &plan.order, position);
    }
    if plan.distinct {
        writer.text(") AS ").name("stk_distinct");
    }
    order(&mut writer, if plan.distinct { Scope::Bare } else { scope }, &plan.order);
    bounds(&mut writer, plan.limit, plan.offset);
    writer.finish(outputs(&plan.columns))
}

pub(super) fn count(plan: &Count, dialect: Dialect) -> Result<Statement, RenderError> {
    let mut writer = Writer::new(dialect);
    writer.text("SELECT count(*) AS ").name("count").text(" FROM ");
    let scope = condition::scope(&plan.source.table, &plan.source.filter);
    if !plan.distinct.is_empty() {
        writer.text("(SELECT DISTINCT ");
        writer.list(&plan.distinct, |writer, column| distinct_column(writer, scope, column));
        writer.text(" FROM ");
    }
    writer.name(&plan.source.table);
    condition::filter(&mut writer, &plan.source);
    if !plan.distinct.is_empty() {
        writer.text(") AS ").name("stk_distinct");
    }
    writer.finish(vec![OutputColumn { name: "count".to_owned(), kind: Type::Bigint }])
}

/// A column of which equal values count once.
fn distinct_column(writer: &mut Writer, scope: Scope<'_>, column: &Column) {
    grouped(writer, scope, column);
    if writer.dialect == Dialect::Sqlite && (column.kind == Type::Decimal || is_text(column.kind)) {
        writer.text(" AS ").name(&column.name);
    }
}

/// A column by which rows are put together.
pub(super) fn grouped(writer: &mut Writer, scope: Scope<'_>, column: &Column) {
    writer.check_comparable(column.kind, "compared");
    column_of(writer, scope, (&column.name, column.kind), column.kind, Use::Equality);
}

/// ` ORDER BY …`, with NULL last.
pub(super) fn order(writer: &mut Writer, scope: Scope<'_>, keys: &[SortKey]) {
    if keys.is_empty() {
        return;
    }
    writer.text(" ORDER BY ");
    writer.list(keys, |writer, key| {
        let column = &key.column;
        writer.check_comparable(column.kind, "ordered");
        if column.nullable && writer.dialect == Dialect::Mysql {
            writer.column(scope, &column.name).text(" IS NULL, ");
        }
        ordered(writer, scope, column);
        if key.direction == Direction::Descending {
            writer.text(" DESC");
        }
        if column.nullable && writer.dialect != Dialect::Mysql {
            writer.text(" NULLS LAST");
        }
    });
}

/// MySQL orders an `ENUM` by the places in its list, and would compare it, for the next page, as a text.
fn is_enum(writer: &Writer, column: &Column) -> bool {
    column.is_listed && writer.dialect == Dialect::Mysql
}

fn ordered(writer: &mut Writer, scope: Scope<'_>, column: &Column) {
    if is_enum(writer, column) {
        column_bytes(writer, scope, &column.name);
    } else if is_text(column.kind) || (writer.dialect == Dialect::Sqlite && column.kind == Type::Decimal) {
        column_of(writer, scope, (&column.name, column.kind), column.kind, Use::Order);
    } else {
        writer.column(scope, &column.name);
    }
}

/// The rows behind a position: behind in the first part, or alike in it and behind in the second, and so on.
fn behind(writer: &mut Writer, scope: Scope<'_>, keys: &[SortKey], position: &Position) {
    let values = &position.0;
    if keys.is_empty() || keys.len() != values.len() {
        writer.fail(RenderError::Plan("a position has a value for each part of the order"));
        return;
    }
    writer.text("(");
    // The first part alone, once more: it lets an engine begin in the middle of an index.
    let from_first = keys.len() > 1 && !keys[0].column.nullable;
    if from_first {
        at_or_behind(writer, scope, &keys[0], &values[0]);
        writer.text(" AND (");
    }
    // NULL is last: nothing is behind it.
    let parts = values.iter().enumerate().filter(|(_, value)| **value != Value::Null);
    for (number, (index, value)) in parts.enumerate() {
        writer.text(if number > 0 { " OR (" } else { "(" });
        for (key, value) in keys.iter().zip(values).take(index) {
            alike(writer, scope, key, value);
            writer.text(" AND ");
        }
        strictly_behind(writer, scope, &keys[index], value);
        writer.text(")");
    }
    if values.iter().all(|value| *value == Value::Null) {
        writer.text("FALSE");
    }
    writer.text(if from_first { "))" } else { ")" });
}

fn at_or_behind(writer: &mut Writer, scope: Scope<'_>, key: &SortKey, value: &Value) {
    let comparison = match key.direction {
        Direction::Ascending => Comparison::GreaterOrEqual,
        Direction::Descending => Comparison::LessOrEqual,
    };
    ordered_comparison(writer, scope, &key.column, comparison, value);
}

fn alike(writer: &mut Writer, scope: Scope<'_>, key: &SortKey, value: &Value) {
    if *value == Value::Null {
        writer.column(scope, &key.column.name).text(" IS NULL");
    } else {
        ordered_comparison(writer, scope, &key.column, Comparison::Equal, value);
    }
}

/// Behind a value that is not NULL: NULL too.
fn strictly_behind(writer: &mut Writer, scope: Scope<'_>, key: &SortKey, value: &Value) {
    let comparison = match key.direction {
        Direction::Ascending => Comparison::Greater,
        Direction::Descending => Comparison::Less,
    };
    if key.column.nullable {
        writer.text("(");
    }
    ordered_comparison(writer, scope, &key.column, comparison, value);
    if key.column.nullable {
        writer.text(" OR ").column(scope, &key.column.name).text(" IS NULL)");
    }
}

/// As the order itself compares: where a column's collation takes two texts for one, so does the position.
fn ordered_comparison(writer: &mut Writer, scope: Scope<'_>, column: &Column, comparison: Comparison, value: &Value) {
    if is_enum(writer, column) {
        column_bytes(writer, scope, &column.name);
        writer.text(condition::sign(comparison));
        value_bytes(writer, column.kind, value);
    } else if comparison == Comparison::Equal && is_text(column.kind) {
        ordered(writer, scope, column);
        writer.text(" = ").bind(column.kind, value.clone());
    } else {
        condition::compare(writer, scope, column, comparison, value);
    }
}

/// ` LIMIT … OFFSET …`
pub(super) fn bounds(writer: &mut Writer, limit: Option<u64>, offset: u64) {
    let bound = |number: u64| Value::Int64(i64::try_from(number).unwrap_or(i64::MAX));
    match limit {
        Some(limit) => {
            writer.text(" LIMIT ").bind(Type::Bigint, bound(limit));
        }
        // Without a limit these two take no offset.
        None if offset > 0 => {
            writer.by_dialect(" LIMIT -1", "", " LIMIT 18446744073709551615");
        }
        None => {}
    }
    if offset > 0 {
        writer.text(" OFFSET ").bind(Type::Bigint, bound(offset));
    }
}
