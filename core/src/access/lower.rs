//! Conditions of table rules: CEL that is brought into the form of a [`Predicate`], so that the database filters.
//!
//! Compiled once per release, against the schema of the table. Parts without `resource` are evaluated by CEL once per request;
//! the rest has a form in SQL, or the condition is refused with the place of the part that has none. Nothing is evaluated half in
//! memory. For every row the predicate is true exactly where CEL says true: `docs/reference/permissions.md` has the rules for NULL.

use std::collections::BTreeSet;

use cel::Value as CelValue;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use super::{
    Actor,
    cel::{Expression, ExpressionError, Scope},
    decide,
    predicate::{Field, Operand, Order, Predicate, TextTest},
};
use crate::{schema::Table, value::Value};

mod compile;
mod fit;
mod place;

/// The condition of a rule of a table, ready for requests.
#[derive(Clone, Debug)]
pub struct RowCondition {
    expression: Expression,
    node: Node,
    /// Whether a part of it is evaluated by CEL in each request. Most rules compare a column with the caller, and need none.
    needs_cel: bool,
}

/// What a condition asks of rows in one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// The condition does not look at the row, and holds.
    Holds,
    /// The condition does not look at the row, and does not hold.
    Fails,
    /// The condition does not look at the row, and cannot be evaluated. The words are for the log: they can hold values of the request.
    Error(String),
    /// It depends on the row. [`Predicate::NEVER`] where no row can satisfy it in this request.
    Row(Predicate),
}

/// A condition as far as it can be known without a request.
#[derive(Clone, Debug)]
enum Node {
    /// A part without `resource`.
    Request(Expression),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Holds(Field),
    IsNull(Field),
    SameField(Field, Field),
    CompareField(Field, Order, Field),
    Same(Field, Given),
    Compare(Field, Order, Given),
    /// The column is an element of a list.
    OneOf(Field, Given),
    /// The column is one of these.
    OneOfSides(Field, Vec<Side>),
    /// The value is that of one of the columns.
    ValueIn(Given, Vec<Side>),
    Text(Side, TextTest, Side),
}

/// A value that does not depend on the row.
#[derive(Clone, Debug)]
enum Given {
    /// A constant.
    Value(CelValue),
    /// `request.auth.sub`: the caller.
    Subject,
    /// Known in a request only.
    Request(Expression),
}

/// A side that may be a column or a value.
#[derive(Clone, Debug)]
enum Side {
    Field(Field),
    Given(Given),
}

/// Which outcome of a part counts: under an even number of negations whether it is true, under an odd one whether it is false. A part
/// that cannot be evaluated is neither, and so is replaced by the constant that is not asked for: SQL never sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Polarity {
    True,
    False,
}

impl RowCondition {
    /// Compiles a condition of a table's rule, or says everything that is wrong with it.
    pub fn compile(source: &str, table: &Table) -> Result<Self, Vec<ExpressionError>> {
        let expression = Expression::parse(source, Scope::Row).map_err(|error| vec![error])?;
        let node = compile::compile(source, &expression, table)?;
        let needs_cel = node.needs_cel();
        Ok(Self { expression, node, needs_cel })
    }

    /// The columns that it reads.
    pub fn columns(&self) -> &BTreeSet<String> {
        &self.expression.uses().columns
    }

    /// What it asks of rows in a request.
    pub fn ask(&self, actor: &Actor, params: &Map<String, Json>, now: DateTime<Utc>) -> Asked {
        let subject = actor.subject.as_deref();
        if !self.needs_cel {
            return Asked::Row(Request { subject, cel: CelValue::Null }.lower(&self.node, Polarity::True));
        }
        let request = decide::request(self.expression.uses(), actor, params, now);
        if let Node::Request(expression) = &self.node {
            return match request.and_then(|request| expression.evaluate([("request", request)])) {
                Ok(CelValue::Bool(true)) => Asked::Holds,
                Ok(CelValue::Bool(false)) => Asked::Fails,
                Ok(_) => Asked::Error("it is neither true nor false".to_owned()),
                Err(message) => Asked::Error(message),
            };
        }
        match request {
            Ok(cel) => Asked::Row(Request { subject, cel }.lower(&self.node, Polarity::True)),
            Err(message) => Asked::Error(message),
        }
    }
}

impl RowCondition {
    /// What CEL itself says of a row, given as its columns and their values: the measure of what [`RowCondition::ask`] makes of the
    /// condition, and what people are shown who try one out. CEL has no decimals: a decimal column is a double to it.
    pub fn evaluate<'r>(
        &self,
        actor: &Actor,
        params: &Map<String, Json>,
        now: DateTime<Utc>,
        row: impl IntoIterator<Item = (&'r str, &'r Value)>,
    ) -> Result<bool, String> {
        let request = decide::request(self.expression.uses(), actor, params, now)?;
        let row = row.into_iter().map(|(name, value)| Ok((name, fit::cel_value(value)?)));
        let resource = decide::map(row.collect::<Result<Vec<_>, String>>()?);
        match self.expression.evaluate([("request", request), ("resource", resource)])? {
            CelValue::Bool(truth) => Ok(truth),
            _ => Err("it is neither true nor false".to_owned()),
        }
    }
}

/// What is known of a request.
struct Request<'r> {
    subject: Option<&'r str>,
    /// `request` as CEL sees it; null where no part needs it.
    cel: CelValue,
}

impl Node {
    fn needs_cel(&self) -> bool {
        let of_side = |side: &Side| matches!(side, Side::Given(Given::Request(_)));
        match self {
            Node::Request(_) => true,
            Node::All(parts) | Node::Any(parts) => parts.iter().any(Node::needs_cel),
            Node::Not(part) => part.needs_cel(),
            Node::Holds(_) | Node::IsNull(_) | Node::SameField(..) | Node::CompareField(..) => false,
            Node::Same(_, given) | Node::Compare(_, _, given) | Node::OneOf(_, given) => {
                matches!(given, Given::Request(_))
            }
            Node::OneOfSides(_, sides) => sides.iter().any(of_side),
            Node::ValueIn(given, sides) => matches!(given, Given::Request(_)) || sides.iter().any(of_side),
            Node::Text(subject, _, wanted) => of_side(subject) || of_side(wanted),
        }
    }
}

impl Request<'_> {
    fn evaluate(&self, expression: &Expression) -> Option<CelValue> {
        expression.evaluate([("request", self.cel.clone())]).ok()
    }

    /// `None` where it cannot be evaluated.
    fn given(&self, given: &Given) -> Option<CelValue> {
        match given {
            Given::Value(value) => Some(value.clone()),
            Given::Subject => Some(self.subject.map_or(CelValue::Null, Into::into)),
            Given::Request(expression) => self.evaluate(expression),
        }
    }

    fn lower(&self, node: &Node, polarity: Polarity) -> Predicate {
        match node {
            Node::Request(expression) => match self.evaluate(expression) {
                Some(CelValue::Bool(truth)) => Predicate::Constant(truth),
                _ => polarity.unknown(),
            },
            Node::All(parts) => all(parts.iter().map(|part| self.lower(part, polarity))),
            Node::Any(parts) => any(parts.iter().map(|part| self.lower(part, polarity))),
            Node::Not(part) => not(self.lower(part, polarity.opposite())),
            Node::Holds(field) => Predicate::Holds(field.clone()),
            Node::IsNull(field) => Predicate::IsNull(field.clone()),
            Node::SameField(left, right) => Predicate::Same(left.clone(), Operand::Field(right.clone())),
            Node::CompareField(left, order, right) => {
                Predicate::Compare(left.clone(), *order, Operand::Field(right.clone()))
            }
            Node::Same(field, given) => match self.given(given) {
                Some(value) => fit::same(field, &value),
                None => polarity.unknown(),
            },
            Node::Compare(field, order, given) => match self.given(given) {
                Some(value) => fit::compare(field, *order, &value, polarity),
                None => polarity.unknown(),
            },
            Node::OneOf(field, given) => match self.given(given) {
                Some(list) => fit::one_of(field, &list).unwrap_or_else(|| polarity.unknown()),
                None => polarity.unknown(),
            },
            Node::OneOfSides(field, sides) => self.each(sides, polarity, |side| match side {
                Known::Field(other) => Predicate::Same(field.clone(), Operand::Field(other.clone())),
                Known::Value(value) => fit::same(field, &value),
            }),
            Node::ValueIn(given, sides) => match self.given(given) {
                Some(value) => self.each(sides, polarity, |side| match side {
                    Known::Field(field) => fit::same(field, &value),
                    Known::Value(other) => Predicate::Constant(value == other),
                }),
                None => polarity.unknown(),
            },
            Node::Text(subject, test, wanted) => match (self.side(subject), self.side(wanted)) {
                (Some(subject), Some(wanted)) => fit::text(&subject, *test, &wanted, polarity),
                _ => polarity.unknown(),
            },
        }
    }

    /// One of several, where none of them is an error: CEL makes the whole list first.
    fn each(&self, sides: &[Side], polarity: Polarity, test: impl Fn(Known<'_>) -> Predicate) -> Predicate {
        match sides.iter().map(|side| self.side(side)).collect::<Option<Vec<_>>>() {
            Some(sides) => any(sides.into_iter().map(test)),
            None => polarity.unknown(),
        }
    }

    fn side<'s>(&self, side: &'s Side) -> Option<Known<'s>> {
        match side {
            Side::Field(field) => Some(Known::Field(field)),
            Side::Given(given) => self.given(given).map(Known::Value),
        }
    }
}

/// A side in a request.
enum Known<'s> {
    Field(&'s Field),
    Value(CelValue),
}

impl Polarity {
    fn opposite(self) -> Self {
        match self {
            Polarity::True => Polarity::False,
            Polarity::False => Polarity::True,
        }
    }

    /// Neither true nor false.
    fn unknown(self) -> Predicate {
        Predicate::Constant(self == Polarity::False)
    }

    /// A truth for every row in which the column is not NULL; neither true nor false where it is.
    fn unless_null(self, field: &Field, truth: bool) -> Predicate {
        match (self, truth) {
            (Polarity::True, true) => not(Predicate::IsNull(field.clone())),
            (Polarity::False, false) => Predicate::IsNull(field.clone()),
            (Polarity::True, false) | (Polarity::False, true) => self.unknown(),
        }
    }
}

fn all(parts: impl Iterator<Item = Predicate>) -> Predicate {
    let mut kept = Vec::new();
    for part in parts {
        match part {
            Predicate::Constant(true) => {}
            Predicate::Constant(false) => return Predicate::NEVER,
            Predicate::All(parts) => kept.extend(parts),
            part => kept.push(part),
        }
    }
    match kept.pop() {
        None => Predicate::ALWAYS,
        Some(only) if kept.is_empty() => only,
        Some(last) => {
            kept.push(last);
            Predicate::All(kept)
        }
    }
}

fn any(parts: impl Iterator<Item = Predicate>) -> Predicate {
    let mut kept = Vec::new();
    for part in parts {
        match part {
            Predicate::Constant(false) => {}
            Predicate::Constant(true) => return Predicate::ALWAYS,
            Predicate::Any(parts) => kept.extend(parts),
            part => kept.push(part),
        }
    }
    match kept.pop() {
        None => Predicate::NEVER,
        Some(only) if kept.is_empty() => only,
        Some(last) => {
            kept.push(last);
            Predicate::Any(kept)
        }
    }
}

fn not(part: Predicate) -> Predicate {
    match part {
        Predicate::Constant(truth) => Predicate::Constant(!truth),
        Predicate::Not(part) => *part,
        part => Predicate::Not(Box::new(part)),
    }
}
