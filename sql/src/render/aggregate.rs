//! Numbers about groups.
//!
//! Sums of decimals are exact on every engine. SQLite has no decimals: there each value is cut into nine-digit parts, each part is
//! summed as a whole number, and [`AggregateStatement::finish`] puts the sums together. An average of decimals is the exact sum divided
//! there too, so that it has the same digits on every engine.

use santokit_core::{schema::Type, value::Value};

use super::{
    RenderError, condition,
    predicate::{Use, column_of},
    select::{bounds, grouped, order},
    writer::{Scope, Writer},
};
use crate::{
    dialect::Dialect,
    plan::{Aggregate, Column, Function},
    statement::{OutputColumn, Statement},
};

mod number;

use number::{Number, PART, PARTS, WHOLE_PARTS};

/// Digits behind the point of an average of decimals; what lies behind is rounded half away from zero.
pub const AVERAGE_DIGITS: usize = 10;

/// A statement whose rows still have to be put together.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateStatement {
    /// What runs. Its columns are those of the database's answer.
    pub statement: Statement,
    /// What the answer has: the groups, then the measures.
    pub columns: Vec<OutputColumn>,
    /// How each of `columns` comes of those of the statement.
    steps: Vec<Step>,
}

/// How one column of the answer comes of those of the statement, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// One, as it is.
    Keep,
    /// A sum in parts.
    Parts(usize),
    /// A sum, in parts or whole, and a number of values.
    Average(Option<usize>),
}

/// A row that does not have the cells that the statement asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database's answer does not have the form that was asked for")]
pub struct UnexpectedRow;

/// Groups and numbers about them.
pub fn aggregate(plan: &Aggregate, dialect: Dialect) -> Result<AggregateStatement, RenderError> {
    let mut writer = Writer::new(dialect);
    let scope = condition::scope(&plan.source.table, &plan.source.filter);
    let (mut raw, mut columns, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    if plan.measures.is_empty() {
        writer.fail(RenderError::Plan("nothing is computed"));
    }
    writer.text("SELECT ");
    for column in &plan.groups {
        separate(&mut writer, raw.is_empty());
        writer.column(scope, &column.name);
        let output = OutputColumn { name: column.name.clone(), kind: column.kind };
        raw.push(output.clone());
        columns.push(output);
        steps.push(Step::Keep);
    }
    for measure in &plan.measures {
        let kind = measure.function.result()?;
        columns.push(OutputColumn { name: measure.name.clone(), kind });
        steps.push(write_measure(&mut writer, scope, &measure.function, kind, &mut raw));
    }
    writer.text(" FROM ").name(&plan.source.table);
    condition::filter(&mut writer, &plan.source);
    if !plan.groups.is_empty() {
        writer.text(" GROUP BY ");
        writer.list(&plan.groups, |writer, column| grouped(writer, scope, column));
    }
    if plan.order.iter().any(|key| !plan.groups.contains(&key.column)) {
        writer.fail(RenderError::Plan("groups are ordered by what they are grouped by"));
    }
    order(&mut writer, scope, &plan.order);
    bounds(&mut writer, plan.limit, plan.offset);
    Ok(AggregateStatement { statement: writer.finish(raw)?, columns, steps })
}

impl AggregateStatement {
    /// A row of the answer from one of the statement's.
    pub fn finish(&self, row: Vec<Value>) -> Result<Vec<Value>, UnexpectedRow> {
        let mut cells = row.into_iter();
        let mut finished = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            finished.push(match step {
                Step::Keep => cells.next().ok_or(UnexpectedRow)?,
                Step::Parts(count) => sum_of_parts(&mut cells, *count)?.map_or(Value::Null, |sum| sum.to_value()),
                Step::Average(parts) => {
                    let sum = match parts {
                        Some(count) => sum_of_parts(&mut cells, *count)?,
                        None => whole_sum(&mut cells)?,
                    };
                    let count = match cells.next() {
                        Some(Value::Int64(count)) => u64::try_from(count).map_err(|_| UnexpectedRow)?,
                        _ => return Err(UnexpectedRow),
                    };
                    sum.and_then(|sum| sum.divided_by(count, AVERAGE_DIGITS))
                        .map_or(Value::Null, |mean| mean.to_value())
                }
            });
        }
        if cells.next().is_some() { Err(UnexpectedRow) } else { Ok(finished) }
    }

    /// Whether rows are the answer as they are.
    pub fn is_finished(&self) -> bool {
        self.steps.iter().all(|step| *step == Step::Keep)
    }
}

/// `None` where no row had a value.
fn sum_of_parts(cells: &mut impl Iterator<Item = Value>, count: usize) -> Result<Option<Number>, UnexpectedRow> {
    let mut parts = Vec::with_capacity(count);
    let mut nulls = 0;
    for _ in 0..count {
        match cells.next() {
            Some(Value::Int64(part)) => parts.push(part),
            Some(Value::Null) => nulls += 1,
            _ => return Err(UnexpectedRow),
        }
    }
    match (nulls, count) {
        (0, PARTS) => Ok(Some(Number::of_parts(&parts, WHOLE_PARTS))),
        (0, count) => Ok(Some(Number::of_parts(&parts, count))),
        (nulls, count) if nulls == count => Ok(None),
        _ => Err(UnexpectedRow),
    }
}

fn whole_sum(cells: &mut impl Iterator<Item = Value>) -> Result<Option<Number>, UnexpectedRow> {
    match cells.next() {
        Some(Value::Null) => Ok(None),
        Some(Value::Typed(_, text)) => Number::parse(&text).map(Some).ok_or(UnexpectedRow),
        _ => Err(UnexpectedRow),
    }
}

fn separate(writer: &mut Writer, is_first: bool) {
    writer.text(if is_first { "" } else { ", " });
}

fn write_measure(
    writer: &mut Writer,
    scope: Scope<'_>,
    function: &Function,
    kind: Type,
    raw: &mut Vec<OutputColumn>,
) -> Step {
    let number = raw.len();
    separate(writer, number == 0);
    let column = |kind| OutputColumn { name: format!("stk_{number}"), kind };
    match function {
        Function::Sum(of) if writer.dialect == Dialect::Sqlite && matches!(of.kind, Type::Decimal | Type::Bigint) => {
            return Step::Parts(parts(writer, scope, of, raw));
        }
        Function::Average(of) if of.kind == Type::Decimal => {
            let parts = if writer.dialect == Dialect::Sqlite {
                Some(parts(writer, scope, of, raw))
            } else {
                writer.text("sum(").column(scope, &of.name).text(") AS ").name(&format!("stk_{number}"));
                raw.push(column(Type::Decimal));
                None
            };
            let name = format!("stk_{}", raw.len());
            writer.text(", count(").column(scope, &of.name).text(") AS ").name(&name);
            raw.push(OutputColumn { name, kind: Type::Bigint });
            return Step::Average(parts);
        }
        Function::CountRows => {
            writer.text("count(*)");
        }
        Function::Count(of) => {
            writer.text("count(").column(scope, &of.name).text(")");
        }
        Function::Sum(of) => sum(writer, scope, of),
        Function::Average(of) => {
            // Of whole numbers too: a mean is seldom whole.
            writer.by_dialect("avg(", "avg(CAST(", "avg(CAST(").column(scope, &of.name);
            writer.by_dialect(")", " AS double precision))", " AS DOUBLE))");
        }
        Function::Minimum(of) | Function::Maximum(of) => {
            writer.text(if matches!(function, Function::Minimum(_)) { "min(" } else { "max(" });
            column_of(writer, scope, (&of.name, of.kind), of.kind, Use::Order);
            writer.text(")");
        }
    }
    writer.text(" AS ").name(&format!("stk_{number}"));
    raw.push(column(kind));
    Step::Keep
}

fn sum(writer: &mut Writer, scope: Scope<'_>, of: &Column) {
    match (of.kind, writer.dialect) {
        // Theirs is a decimal.
        (Type::Int, Dialect::Mysql) => {
            writer.text("CAST(sum(").column(scope, &of.name).text(") AS SIGNED)");
        }
        _ => {
            writer.text("sum(").column(scope, &of.name).text(")");
        }
    }
}

/// The sums of the parts of a column on SQLite, the highest first. Each part is below 10^9, so that nine thousand million rows fit in
/// the 64 bits of its sum.
fn parts(writer: &mut Writer, scope: Scope<'_>, of: &Column, raw: &mut Vec<OutputColumn>) -> usize {
    let count = if of.kind == Type::Decimal { PARTS } else { 2 };
    for part in 0..count {
        if part > 0 {
            writer.text(", ");
        }
        let name = format!("stk_{}", raw.len());
        if of.kind == Type::Decimal {
            decimal_part(writer, scope, of, part);
        } else {
            writer.text("sum(").column(scope, &of.name).text(if part == 0 {
                " / 1000000000)"
            } else {
                " % 1000000000)"
            });
        }
        writer.text(" AS ").name(&name);
        raw.push(OutputColumn { name, kind: Type::Bigint });
    }
    count
}

/// `sum(± CAST(substr(<36 digits before or behind the point>, <nine of them>) AS INTEGER))`
fn decimal_part(writer: &mut Writer, scope: Scope<'_>, of: &Column, part: usize) {
    const ZEROS: &str = "'000000000000000000000000000000000000'";
    const STARTS: [&str; 4] = ["1", "10", "19", "28"];
    let digits = |writer: &mut Writer| {
        writer.text("ltrim(").column(scope, &of.name).text(", '-') || '.'");
    };
    writer.text("sum(CASE WHEN ").column(scope, &of.name).text(" LIKE '-%' THEN -1 ELSE 1 END * CAST(substr(");
    if part < WHOLE_PARTS {
        // Before the first point, filled up with zeros on the left.
        writer.text("substr(").text(ZEROS).text(" || substr(");
        digits(writer);
        writer.text(", 1, instr(");
        digits(writer);
        writer.text(", '.') - 1), -36)");
    } else {
        // Behind it, without the point that was put at the end, filled up on the right.
        writer.text("replace(substr(");
        digits(writer);
        writer.text(", instr(");
        digits(writer);
        writer.text(", '.') + 1), '.', '') || ").text(ZEROS);
    }
    writer.text(", ").text(STARTS[part % WHOLE_PARTS]).text(", 9) AS INTEGER))");
    debug_assert_eq!(PART, 9);
}
