//! Changed and removed rows, the locks before them, the checks behind them.

use santokit_core::{access::predicate::Predicate, schema::Type};

use super::{
    RenderError, condition, predicate,
    select::bounds,
    writer::{Scope, Writer, outputs},
};
use crate::{
    dialect::Dialect,
    plan::{Check, Column, Course, Delete, Target, Update, write::CHECK_COLUMN},
    statement::{OutputColumn, Statement},
};

pub(super) fn update(plan: &Update, dialect: Dialect) -> Result<Statement, RenderError> {
    let mut writer = Writer::new(dialect);
    if plan.set.is_empty() {
        writer.fail(RenderError::Plan("an update sets nothing"));
    }
    writer.text("UPDATE ").name(&plan.target.table).text(" SET ");
    writer.list(&plan.set, |writer, (column, value)| {
        writer.name(&column.name).text(" = ").bind(column.kind, value.clone());
    });
    filter(&mut writer, &plan.target, plan.course(dialect))?;
    let columns = match plan.course(dialect) {
        Course::Returning => returning(&mut writer, Scope::Bare, &plan.returning, &plan.check),
        Course::Affected | Course::ByKey => Vec::new(),
    };
    writer.finish(columns)
}

pub(super) fn delete(plan: &Delete, dialect: Dialect) -> Result<Statement, RenderError> {
    let mut writer = Writer::new(dialect);
    writer.text("DELETE FROM ").name(&plan.target.table);
    filter(&mut writer, &plan.target, plan.course(dialect))?;
    let columns = match plan.course(dialect) {
        Course::Returning => returning(&mut writer, Scope::Bare, &plan.returning, &Predicate::ALWAYS),
        Course::Affected | Course::ByKey => Vec::new(),
    };
    writer.finish(columns)
}

pub(super) fn lock(target: &Target, limit: u64, dialect: Dialect) -> Result<Statement, RenderError> {
    let mut writer = Writer::new(dialect);
    let scope = condition::scope(&target.table, &target.filter);
    writer.text("SELECT ").column(scope, &target.key.name).text(" FROM ").name(&target.table);
    target_filter(&mut writer, scope, target);
    // In one order, so that two writes of the same rows wait for each other and do not cross.
    writer.text(" ORDER BY ").column(scope, &target.key.name);
    bounds(&mut writer, Some(limit), 0);
    writer.by_dialect("", " FOR UPDATE", " FOR UPDATE");
    writer.finish(outputs(std::slice::from_ref(&target.key)))
}

pub(super) fn check(plan: &Check, dialect: Dialect) -> Result<Statement, RenderError> {
    let mut writer = Writer::new(dialect);
    writer.text("SELECT count(*) AS ").name("count").text(" FROM ").name(&plan.table).text(" WHERE ");
    condition::key_in(&mut writer, Scope::Bare, &plan.keys);
    if !plan.predicate.is_always() {
        writer.text(" AND ");
        predicate::write(&mut writer, Scope::Bare, &plan.predicate);
    }
    writer.finish(vec![OutputColumn { name: "count".to_owned(), kind: Type::Bigint }])
}

/// ` RETURNING …`, with the check last where there is one.
pub(super) fn returning(
    writer: &mut Writer,
    scope: Scope<'_>,
    columns: &[Column],
    check: &Predicate,
) -> Vec<OutputColumn> {
    writer.text(" RETURNING ");
    writer.list(columns, |writer, column| {
        writer.column(scope, &column.name);
    });
    let mut answered = outputs(columns);
    // A write that answers nothing else still says of each row that it was written.
    if !check.is_always() || columns.is_empty() {
        if !columns.is_empty() {
            writer.text(", ");
        }
        checked(writer, scope, check);
        answered.push(OutputColumn { name: CHECK_COLUMN.to_owned(), kind: Type::Boolean });
    }
    answered
}

/// `(…) IS TRUE AS stk_check`
pub(super) fn checked(writer: &mut Writer, scope: Scope<'_>, check: &Predicate) {
    if check.is_always() {
        writer.text("TRUE AS ").name(CHECK_COLUMN);
        return;
    }
    writer.text("(");
    predicate::write(writer, scope, check);
    writer.text(") IS TRUE AS ").name(CHECK_COLUMN);
}

/// A write by key is for rows that were found, by filter and rule, and locked; the rule stands there once more.
fn filter(writer: &mut Writer, target: &Target, course: Course) -> Result<(), RenderError> {
    match (course, &target.keys) {
        (Course::ByKey, None) => return Err(RenderError::Plan("a write by key has no keys")),
        (Course::ByKey, Some(keys)) => {
            writer.text(" WHERE ");
            condition::key_in(writer, Scope::Bare, keys);
            if !target.rule.is_always() {
                writer.text(" AND ");
                predicate::write(writer, Scope::Bare, &target.rule);
            }
        }
        (Course::Affected | Course::Returning, Some(_)) => {
            return Err(RenderError::Plan("a write that is not by key has keys"));
        }
        (Course::Affected | Course::Returning, None) => {
            let scope = condition::scope(&target.table, &target.filter);
            target_filter(writer, scope, target);
        }
    }
    Ok(())
}

fn target_filter(writer: &mut Writer, scope: Scope<'_>, target: &Target) {
    let mut before = " WHERE ";
    if !target.filter.is_every() {
        writer.text(before);
        condition::write(writer, scope, &target.filter, 0);
        before = " AND ";
    }
    if !target.rule.is_always() {
        writer.text(before);
        predicate::write(writer, scope, &target.rule);
    }
}
