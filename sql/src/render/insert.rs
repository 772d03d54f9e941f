//! New rows, and the old rows that they meet.

use santokit_core::{access::predicate::Predicate, schema::Type, value::Value};

use super::{
    RenderError,
    write::{Checked, checked, returning},
    writer::{Scope, Writer},
};
use crate::{
    dialect::Dialect,
    plan::{
        Cell, Column, Conflict, Course, Insert, OnConflict,
        write::{CHECK_COLUMN, NEW_COLUMN},
    },
    statement::{OutputColumn, Statement},
};

/// The name under which [`existing`] answers which new row an old one is met by.
const ROW_COLUMN: &str = "stk_row";

pub(super) fn rows(plan: &Insert, dialect: Dialect) -> Result<Vec<Statement>, RenderError> {
    if plan.tells_new && !dialect.tells_new() {
        return Err(RenderError::Plan("this dialect cannot tell which rows are new"));
    }
    if plan.rows.iter().any(|row| row.len() != plan.columns.len()) {
        return Err(RenderError::Plan("a row has a cell for each column"));
    }
    if dialect == Dialect::Mysql && plan.conflict.is_some() {
        return Err(RenderError::Plan("this dialect has no ON CONFLICT: take the existing rows out before"));
    }
    // The last insert id is that of one row.
    let one_by_one = plan.auto_increment && plan.course(dialect) == Course::ByKey;
    let most = if one_by_one { 1 } else { (dialect.params_max() - RESERVED_PARAMS) / plan.columns.len().max(1) };
    let mut statements = Vec::new();
    let mut rest = plan.rows.as_slice();
    while let Some(first) = rest.first() {
        let alike = rest.iter().take(most.max(1)).take_while(|row| goes_with(first, row, dialect)).count();
        let (rows, further) = rest.split_at(alike.max(1));
        statements.push(statement(plan, rows, dialect)?);
        rest = further;
    }
    Ok(statements)
}

/// Room for the values of conditions.
const RESERVED_PARAMS: usize = 2_000;

/// Whether two rows can stand in one statement: an engine without a word for a column's default leaves the column out.
fn goes_with(first: &[Cell], other: &[Cell], dialect: Dialect) -> bool {
    let is_default = |cell: &Cell| *cell == Cell::Default;
    if first.iter().all(is_default) {
        // `DEFAULT VALUES` is one row.
        return std::ptr::eq(first, other);
    }
    match dialect {
        Dialect::Sqlite => first.iter().zip(other).all(|(one, other)| is_default(one) == is_default(other)),
        Dialect::Postgres | Dialect::Mysql => !other.iter().all(is_default),
    }
}

fn statement(plan: &Insert, rows: &[Vec<Cell>], dialect: Dialect) -> Result<Statement, RenderError> {
    let mut writer = Writer::new(dialect);
    writer.text("INSERT INTO ").name(&plan.table);
    let first = &rows[0];
    if first.iter().all(|cell| *cell == Cell::Default) {
        writer.by_dialect(" DEFAULT VALUES", " DEFAULT VALUES", " () VALUES ()");
    } else {
        // A default that an engine has no word for is that of all these rows: its column is left out.
        let written: Vec<usize> =
            (0..first.len()).filter(|at| dialect != Dialect::Sqlite || first[*at] != Cell::Default).collect();
        writer.text(" (");
        writer.list(&written, |writer, at| {
            writer.name(&plan.columns[*at].name);
        });
        writer.text(") VALUES ");
        writer.list(rows, |writer, row| {
            writer.text("(");
            writer.list(&written, |writer, at| match &row[*at] {
                Cell::Value(value) => {
                    writer.bind(plan.columns[*at].kind, value.clone());
                }
                Cell::Default => {
                    writer.text("DEFAULT");
                }
            });
            writer.text(")");
        });
    }
    if let Some(conflict) = &plan.conflict {
        on_conflict(&mut writer, plan, conflict);
    }
    let columns = match plan.course(dialect) {
        Course::Returning => answered(&mut writer, plan),
        Course::Affected | Course::ByKey => Vec::new(),
    };
    writer.finish(columns)
}

fn answered(writer: &mut Writer, plan: &Insert) -> Vec<OutputColumn> {
    let checked = if plan.is_alone() { Checked::Failing } else { Checked::Told };
    let visible = Some(&plan.visible).filter(|visible| !plan.returning.is_empty() && !visible.is_always());
    let mut answered = returning(writer, &plan.returning, visible, (&plan.check, checked));
    if plan.tells_new {
        // No transaction has ended a version of the row yet, this one neither.
        writer.by_dialect("", ", (xmax = 0) AS ", "").name(NEW_COLUMN);
        answered.push(OutputColumn { name: NEW_COLUMN.to_owned(), kind: Type::Boolean });
    }
    answered
}

fn on_conflict(writer: &mut Writer, plan: &Insert, conflict: &Conflict) {
    check_conflict(writer, plan, conflict);
    writer.text(" ON CONFLICT (");
    writer.list(&conflict.columns, |writer, column| {
        writer.name(&column.name);
    });
    writer.text(") DO ");
    match &conflict.action {
        OnConflict::Ignore => {
            writer.text("NOTHING");
        }
        OnConflict::Update { set, rule } => {
            if set.is_empty() {
                writer.fail(RenderError::Plan("an update of existing rows sets nothing"));
            }
            writer.text("UPDATE SET ");
            writer.list(set, |writer, column| {
                writer.name(&column.name).text(" = excluded.").name(&column.name);
            });
            if !rule.is_always() {
                writer.text(" WHERE ");
                super::predicate::write(writer, Scope::Table(&plan.table), rule);
            }
        }
    }
}

fn check_conflict(writer: &mut Writer, plan: &Insert, conflict: &Conflict) {
    let has_values = conflict.columns.iter().all(|column| {
        let at = plan.columns.iter().position(|written| written.name == column.name);
        at.is_some_and(|at| plan.rows.iter().all(|row| row[at] != Cell::Default))
    });
    if conflict.columns.is_empty() || !has_values {
        writer.fail(RenderError::Plan("every row has values for the columns of a conflict"));
    }
}

pub(super) fn existing(plan: &Insert, dialect: Dialect) -> Result<Statement, RenderError> {
    let conflict = plan.conflict.as_ref().ok_or(RenderError::Plan("the insert has no conflict"))?;
    let mut writer = Writer::new(dialect);
    check_conflict(&mut writer, plan, conflict);
    let at: Vec<(&Column, usize)> = conflict
        .columns
        .iter()
        .filter_map(|column| Some((column, plan.columns.iter().position(|written| written.name == column.name)?)))
        .collect();
    writer.text("SELECT CASE");
    for (number, row) in plan.rows.iter().enumerate() {
        writer.text(" WHEN ");
        is_row(&mut writer, &at, row);
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        writer.text(" THEN ").bind(Type::Bigint, Value::Int64(number));
    }
    writer.text(" END AS ").name(ROW_COLUMN).text(", ").name(&plan.key.name).text(", ");
    match &conflict.action {
        OnConflict::Ignore => checked(&mut writer, Scope::Bare, &Predicate::ALWAYS),
        OnConflict::Update { rule, .. } => checked(&mut writer, Scope::Bare, rule),
    }
    writer.text(" FROM ").name(&plan.table).text(" WHERE ");
    for (number, row) in plan.rows.iter().enumerate() {
        writer.text(if number > 0 { " OR " } else { "" });
        is_row(&mut writer, &at, row);
    }
    writer.by_dialect("", " FOR UPDATE", " FOR UPDATE");
    writer.finish(vec![
        OutputColumn { name: ROW_COLUMN.to_owned(), kind: Type::Bigint },
        OutputColumn { name: plan.key.name.clone(), kind: plan.key.kind },
        OutputColumn { name: CHECK_COLUMN.to_owned(), kind: Type::Boolean },
    ])
}

/// As the unique index compares: by the columns' own collation, and NULL meets nothing.
fn is_row(writer: &mut Writer, columns: &[(&Column, usize)], row: &[Cell]) {
    writer.text("(");
    for (index, (column, at)) in columns.iter().enumerate() {
        writer.text(if index > 0 { " AND " } else { "" });
        writer.name(&column.name).text(" = ");
        match row.get(*at) {
            Some(Cell::Value(value)) => {
                writer.bind(column.kind, value.clone());
            }
            Some(Cell::Default) | None => writer.fail(RenderError::Plan("a conflict needs a value")),
        }
    }
    writer.text(")");
}
