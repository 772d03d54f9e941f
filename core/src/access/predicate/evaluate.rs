//! A predicate on a row in memory: what the database says of the same row. It is the measure of the rendered SQL, and decides where
//! a row is at hand anyway. Numbers compare exactly; text by code points.

use std::{borrow::Cow, cmp::Ordering};

use super::{Operand, Order, Predicate, TextTest, Truth};
use crate::{decimal::Decimal, value::Value};

impl Predicate {
    /// What it says of a row. `cell` gives a column's value in canonical form; a column that is not there is NULL.
    pub fn evaluate<'r>(&'r self, cell: &impl Fn(&str) -> Option<&'r Value>) -> Truth {
        let value = |operand: &'r Operand| match operand {
            Operand::Field(field) => cell(&field.name).unwrap_or(&Value::Null),
            Operand::Value { value, .. } => value,
        };
        let of = |name: &str| cell(name).unwrap_or(&Value::Null);
        match self {
            Predicate::Constant(truth) => Truth::of(*truth),
            Predicate::All(parts) => conjunction(parts.iter().map(|part| part.evaluate(cell))),
            Predicate::Any(parts) => !conjunction(parts.iter().map(|part| !part.evaluate(cell))),
            Predicate::Not(part) => !part.evaluate(cell),
            Predicate::Holds(field) => match of(&field.name) {
                Value::Boolean(truth) => Truth::of(*truth),
                _ => Truth::Unknown,
            },
            Predicate::IsNull(field) => Truth::of(*of(&field.name) == Value::Null),
            Predicate::Same(field, operand) => Truth::of(is_same(of(&field.name), value(operand))),
            Predicate::OneOf(field, operands) => {
                Truth::of(operands.iter().any(|operand| is_same(of(&field.name), value(operand))))
            }
            Predicate::Compare(field, order, operand) => match compare(of(&field.name), value(operand)) {
                Some(found) => Truth::of(order.admits(found)),
                None => Truth::Unknown,
            },
            Predicate::Text { subject, test, wanted } => match (value(subject), value(wanted)) {
                (Value::Text(subject), Value::Text(wanted)) => Truth::of(test.passes(subject, wanted)),
                _ => Truth::Unknown,
            },
        }
    }
}

/// False wins over unknown, unknown over true.
fn conjunction(parts: impl Iterator<Item = Truth>) -> Truth {
    let mut result = Truth::True;
    for part in parts {
        match part {
            Truth::False => return Truth::False,
            Truth::Unknown => result = Truth::Unknown,
            Truth::True => {}
        }
    }
    result
}

fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (left, right) => compare(left, right) == Some(Ordering::Equal),
    }
}

/// `None` where one is NULL, or the two are not comparable.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Int64(left), Value::Int64(right)) => Some(left.cmp(right)),
        (Value::Float64(left), Value::Float64(right)) => left.partial_cmp(right),
        (Value::Int64(left), Value::Float64(right)) => whole_with_float(*left, *right),
        (Value::Float64(left), Value::Int64(right)) => whole_with_float(*right, *left).map(Ordering::reverse),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
        // One width and one zone: text sorts as time does.
        (Value::Typed(left_name, left), Value::Typed(right_name, right)) if left_name == "timestamp" => {
            (right_name == "timestamp").then(|| left.cmp(right))
        }
        (left, right) => Some(Decimal::read(&digits(left)?)?.cmp(&Decimal::read(&digits(right)?)?)),
    }
}

fn digits(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Typed(name, text) if name == "decimal" => Some(text.into()),
        Value::Int64(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// Exact also above 2^53, where a float cannot hold every whole number.
fn whole_with_float(whole: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "saturates far outside of 64 bits, which is as good there")]
    let part = float.trunc() as i128;
    Some(i128::from(whole).cmp(&part).then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)))
}

impl Order {
    /// Whether it holds between two values that compare like this.
    pub const fn admits(self, found: Ordering) -> bool {
        match self {
            Order::Less => matches!(found, Ordering::Less),
            Order::LessOrEqual => !matches!(found, Ordering::Greater),
            Order::Greater => matches!(found, Ordering::Greater),
            Order::GreaterOrEqual => !matches!(found, Ordering::Less),
        }
    }

    /// The same with the sides exchanged.
    #[must_use]
    pub const fn flipped(self) -> Order {
        match self {
            Order::Less => Order::Greater,
            Order::LessOrEqual => Order::GreaterOrEqual,
            Order::Greater => Order::Less,
            Order::GreaterOrEqual => Order::LessOrEqual,
        }
    }
}

impl TextTest {
    /// Whether the subject passes.
    pub fn passes(self, subject: &str, wanted: &str) -> bool {
        match self {
            TextTest::StartsWith => subject.starts_with(wanted),
            TextTest::EndsWith => subject.ends_with(wanted),
            TextTest::Contains => subject.contains(wanted),
        }
    }
}
