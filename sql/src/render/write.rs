//! Changed and removed rows, the locks before them, the checks behind them.

use santokit_core::{access::predicate::Predicate, schema::Type};

use super::{
    RenderError, condition, predicate,
    select::bounds,
    writer::{Scope, Writer, outputs},
};
use crate::{
    dialect::Dialect,
    plan::{
        Check, Column, Course, Delete, Target, Update,
        write::{CHECK_COLUMN, VISIBLE_COLUMN},
    },
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
        Course::Returning => returning(&mut writer, &plan.returning, None, (&plan.check, Checked::Told)),
        Course::Affected | Course::ByKey => Vec::new(),
    };
    writer.finish(columns)
}

pub(super) fn delete(plan: &Delete, dialect: Dialect) -> Result<Statement, RenderError> {
    let mut writer = Writer::new(dialect);
    writer.text("DELETE FROM ").name(&plan.target.table);
    filter(&mut writer, &plan.target, plan.course(dialect))?;
    let columns = match plan.course(dialect) {
        Course::Returning => returning(&mut writer, &plan.returning, None, (&Predicate::ALWAYS, Checked::Told)),
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

/// What becomes of a row that fails a check.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// Its check is false; whoever runs the statement rolls it back.
    Told,
    /// The statement fails with it.
    Failing,
}

/// ` RETURNING …`, with whether the row may be shown and with the check last, where there are such.
pub(super) fn returning(
    writer: &mut Writer,
    columns: &[Column],
    visible: Option<&Predicate>,
    (check, course): (&Predicate, Checked),
) -> Vec<OutputColumn> {
    let scope = Scope::Bare;
    writer.text(" RETURNING ");
    writer.list(columns, |writer, column| {
        writer.column(scope, &column.name);
    });
    let mut answered = outputs(columns);
    let mut truth = |name: &str| answered.push(OutputColumn { name: name.to_owned(), kind: Type::Boolean });
    if let Some(visible) = visible {
        writer.text(", (");
        predicate::write(writer, scope, visible);
        writer.text(") IS TRUE AS ").name(VISIBLE_COLUMN);
        truth(VISIBLE_COLUMN);
    }
    // A write that answers nothing else still says of each row that it was written.
    if !check.is_always() || columns.is_empty() {
        if !columns.is_empty() {
            writer.text(", ");
        }
        match course {
            Checked::Failing if !check.is_always() => failing(writer, scope, check),
            Checked::Failing | Checked::Told => checked(writer, scope, check),
        }
        truth(CHECK_COLUMN);
    }
    answered
}

/// True, or the end of the statement: of words that are neither true nor false one engine makes no boolean, and the other no path of
/// JSON. Both repeat the words, by which the failure is known.
fn failing(writer: &mut Writer, scope: Scope<'_>, check: &Predicate) {
    writer.by_dialect("json_extract('true', CASE WHEN ", "CAST(CASE WHEN ", "CAST(CASE WHEN ");
    predicate::write(writer, scope, check);
    writer.by_dialect(
        " THEN '$' ELSE 'stk_check' END)",
        " THEN 'true' ELSE 'stk_check' END AS boolean)",
        " THEN 'true' ELSE 'stk_check' END AS boolean)",
    );
    writer.text(" AS ").name(CHECK_COLUMN);
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
