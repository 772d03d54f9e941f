//! A rule's predicate as a condition. Its equality is that of CEL: NULL is the same as NULL and differs from everything else.
//!
//! A row counts only where the whole is true, so that a part under an even number of negations need not tell false from unknown: there
//! plain `=` serves, which every engine finds in an index. Under an odd number it must not be unknown where CEL says false.

use santokit_core::{
    access::predicate::{Field, Operand, Order, Predicate, TextTest},
    schema::Type,
    value::Value,
};

use super::writer::{Scope, Writer};
use crate::dialect::Dialect;

/// Whether a part may be unknown where it is false.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Polarity {
    Positive,
    Negative,
}

/// Writes the predicate; its precedence is that of a comparison or of parentheses.
pub(super) fn write(writer: &mut Writer, scope: Scope<'_>, predicate: &Predicate) {
    truth(writer, scope, predicate, Polarity::Positive);
}

fn truth(writer: &mut Writer, scope: Scope<'_>, predicate: &Predicate, polarity: Polarity) {
    match predicate {
        Predicate::Constant(truth) => {
            writer.text(if *truth { "TRUE" } else { "FALSE" });
        }
        Predicate::All(parts) => joined(writer, scope, parts, polarity, (" AND ", "TRUE")),
        Predicate::Any(parts) => joined(writer, scope, parts, polarity, (" OR ", "FALSE")),
        Predicate::Not(part) => not(writer, scope, part, polarity),
        Predicate::Holds(field) => {
            writer.column(scope, &field.name);
        }
        Predicate::IsNull(field) => {
            writer.column(scope, &field.name).text(" IS NULL");
        }
        Predicate::Same(field, operand) => same(writer, scope, field, operand, polarity),
        Predicate::OneOf(field, operands) => one_of(writer, scope, field, operands, polarity),
        Predicate::Compare(field, order, operand) => compare(writer, scope, field, *order, operand),
        Predicate::Text { subject, test, wanted } => text(writer, scope, subject, *test, wanted),
    }
}

fn joined(
    writer: &mut Writer,
    scope: Scope<'_>,
    parts: &[Predicate],
    polarity: Polarity,
    (between, none): (&'static str, &'static str),
) {
    if parts.is_empty() {
        writer.text(none);
        return;
    }
    writer.text("(");
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            writer.text(between);
        }
        truth(writer, scope, part, polarity);
    }
    writer.text(")");
}

fn not(writer: &mut Writer, scope: Scope<'_>, part: &Predicate, polarity: Polarity) {
    if let Predicate::IsNull(field) = part {
        writer.column(scope, &field.name).text(" IS NOT NULL");
        return;
    }
    let inside = if polarity == Polarity::Positive { Polarity::Negative } else { Polarity::Positive };
    writer.text("NOT (");
    truth(writer, scope, part, inside);
    writer.text(")");
}

fn same(writer: &mut Writer, scope: Scope<'_>, field: &Field, operand: &Operand, polarity: Polarity) {
    let is_value = matches!(operand, Operand::Value { .. });
    let equals: fn(&mut Writer) = if polarity == Polarity::Positive && is_value {
        |writer| {
            writer.text(" = ");
        }
    } else {
        |writer| {
            writer.by_dialect(" IS ", " IS NOT DISTINCT FROM ", " <=> ");
        }
    };
    let exactly = writer.dialect == Dialect::Mysql && is_text(field.kind);
    if exactly {
        // The first half finds rows in an index by the column's own collation, which may ignore case or trailing spaces.
        writer.text("(");
    }
    if !is_value && is_text(field.kind) && writer.dialect == Dialect::Postgres {
        // Two columns: one may be stored as a text and the other as a `uuid`.
        text_of(writer, scope, &field.name);
    } else {
        column_of(writer, scope, (&field.name, field.kind), operand.kind(), Use::Equality);
    }
    equals(writer);
    side(writer, scope, operand, field.kind, Use::Equality);
    if exactly {
        writer.text(" AND ");
        column_bytes(writer, scope, &field.name);
        equals(writer);
        bytes(writer, scope, operand);
        writer.text(")");
    }
}

fn one_of(writer: &mut Writer, scope: Scope<'_>, field: &Field, operands: &[Operand], polarity: Polarity) {
    let mut values = Vec::with_capacity(operands.len());
    for operand in operands {
        match operand {
            Operand::Value { value, .. } => values.push(value.clone()),
            Operand::Field(_) => writer.fail(super::RenderError::Plan("a list of values has a column in it")),
        }
    }
    if values.is_empty() {
        writer.text("FALSE");
        return;
    }
    // Values of one class can be of several widths; the widest binds them all.
    let kind = operands.iter().map(Operand::kind).find(|kind| *kind == Type::Bigint).unwrap_or(operands[0].kind());
    writer.text("(");
    if polarity == Polarity::Negative {
        writer.column(scope, &field.name).text(" IS NOT NULL AND ");
    }
    column_of(writer, scope, (&field.name, field.kind), kind, Use::Equality);
    writer.text(" IN ").padded(&values, |writer, value| {
        writer.bind(kind, value.clone());
    });
    if writer.dialect == Dialect::Mysql && is_text(field.kind) {
        writer.text(" AND ");
        column_bytes(writer, scope, &field.name);
        writer.text(" IN ").padded(&values, |writer, value| value_bytes(writer, kind, value));
    }
    writer.text(")");
}

fn compare(writer: &mut Writer, scope: Scope<'_>, field: &Field, order: Order, operand: &Operand) {
    writer.check_comparable(field.kind, "compared");
    let sign = match order {
        Order::Less => " < ",
        Order::LessOrEqual => " <= ",
        Order::Greater => " > ",
        Order::GreaterOrEqual => " >= ",
    };
    if writer.dialect == Dialect::Mysql && is_text(field.kind) {
        column_bytes(writer, scope, &field.name);
        writer.text(sign);
        bytes(writer, scope, operand);
        return;
    }
    column_of(writer, scope, (&field.name, field.kind), operand.kind(), Use::Order);
    writer.text(sign);
    side(writer, scope, operand, field.kind, Use::Order);
}

/// What two sides are compared for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Equality,
    Order,
}

/// A column as it is compared with something of `other`'s type.
pub(super) fn column_of(writer: &mut Writer, scope: Scope<'_>, (name, kind): (&str, Type), other: Type, used: Use) {
    let is_decimal = matches!(kind, Type::Decimal) || matches!(other, Type::Decimal);
    if writer.dialect == Dialect::Sqlite && is_decimal {
        // Decimals are text there: both sides are, and the collation compares them as numbers.
        decimal_text(writer, scope, (name, kind));
        writer.text(" COLLATE stk_decimal");
        return;
    }
    if is_text(kind) && used == Use::Order {
        return ordered_text(writer, scope, name);
    }
    writer.column(scope, name);
    if is_text(kind) {
        collate(writer);
    }
}

/// A text by code points, whatever collation its column has.
fn ordered_text(writer: &mut Writer, scope: Scope<'_>, name: &str) {
    text_of(writer, scope, name);
    writer.by_dialect(" COLLATE BINARY", " COLLATE \"C\"", "");
}

/// A column as text. A string may be stored as what PostgreSQL does not take for one: a `uuid`, a `date`, an enum. Of a `text` column
/// the cast is nothing, and an index serves it all the same.
pub(super) fn text_of(writer: &mut Writer, scope: Scope<'_>, name: &str) {
    writer.by_dialect("", "CAST(", "").column(scope, name).by_dialect("", " AS text)", "");
}

/// For equality. PostgreSQL's own collations all tell different texts apart.
pub(super) fn collate(writer: &mut Writer) {
    writer.by_dialect(" COLLATE BINARY", "", "");
}

fn side(writer: &mut Writer, scope: Scope<'_>, operand: &Operand, other: Type, used: Use) {
    match operand {
        Operand::Value { kind, value } => {
            writer.bind(*kind, value.clone());
        }
        // The collation of the left side serves both.
        Operand::Field(field) if writer.dialect == Dialect::Sqlite && matches!(other, Type::Decimal) => {
            decimal_text(writer, scope, (&field.name, field.kind));
        }
        Operand::Field(field) if writer.dialect == Dialect::Sqlite && matches!(field.kind, Type::Decimal) => {
            decimal_text(writer, scope, (&field.name, field.kind));
        }
        Operand::Field(field) if is_text(field.kind) && writer.dialect == Dialect::Postgres => {
            if used == Use::Order {
                ordered_text(writer, scope, &field.name);
            } else {
                text_of(writer, scope, &field.name);
            }
        }
        Operand::Field(field) => {
            writer.column(scope, &field.name);
        }
    }
}

fn decimal_text(writer: &mut Writer, scope: Scope<'_>, (name, kind): (&str, Type)) {
    if kind == Type::Decimal {
        writer.column(scope, name);
    } else {
        writer.text("CAST(").column(scope, name).text(" AS TEXT)");
    }
}

/// The UTF-8 of a text on MySQL: no collation has a say.
fn bytes(writer: &mut Writer, scope: Scope<'_>, operand: &Operand) {
    match operand {
        Operand::Field(field) => column_bytes(writer, scope, &field.name),
        Operand::Value { kind, value } => value_bytes(writer, *kind, value),
    }
}

pub(super) fn column_bytes(writer: &mut Writer, scope: Scope<'_>, name: &str) {
    writer.text("CAST(CONVERT(").column(scope, name).text(" USING utf8mb4) AS BINARY)");
}

pub(super) fn value_bytes(writer: &mut Writer, kind: Type, value: &Value) {
    writer.text("CAST(").bind(kind, value.clone()).text(" AS BINARY)");
}

fn text(writer: &mut Writer, scope: Scope<'_>, subject: &Operand, test: TextTest, wanted: &Operand) {
    let plain = |writer: &mut Writer, operand: &Operand| match operand {
        Operand::Field(field) => text_of(writer, scope, &field.name),
        Operand::Value { kind, value } => {
            writer.bind(*kind, value.clone());
        }
    };
    let side: &dyn Fn(&mut Writer, &Operand) =
        if writer.dialect == Dialect::Mysql { &|writer, operand| bytes(writer, scope, operand) } else { &plain };
    match (test, writer.dialect) {
        (TextTest::Contains, Dialect::Mysql) => {
            writer.text("LOCATE(");
            side(writer, wanted);
            writer.text(", ");
            side(writer, subject);
            writer.text(") > 0");
        }
        (TextTest::Contains, Dialect::Sqlite | Dialect::Postgres) => {
            writer.by_dialect("instr(", "strpos(", "");
            side(writer, subject);
            writer.text(", ");
            side(writer, wanted);
            writer.text(") > 0");
        }
        (TextTest::StartsWith, Dialect::Postgres) => {
            writer.text("starts_with(");
            side(writer, subject);
            writer.text(", ");
            side(writer, wanted);
            writer.text(")");
        }
        (TextTest::StartsWith | TextTest::EndsWith, Dialect::Sqlite) => {
            writer.text("substr(");
            side(writer, subject);
            if test == TextTest::StartsWith {
                writer.text(", 1, length(");
                side(writer, wanted);
                writer.text("))");
            } else {
                writer.text(", length(");
                side(writer, subject);
                writer.text(") - length(");
                side(writer, wanted);
                writer.text(") + 1)");
            }
            writer.text(" COLLATE BINARY = ");
            side(writer, wanted);
        }
        (TextTest::EndsWith, Dialect::Postgres) | (TextTest::StartsWith | TextTest::EndsWith, Dialect::Mysql) => {
            writer.text(if test == TextTest::EndsWith { "right(" } else { "left(" });
            side(writer, subject);
            writer.text(", length(");
            side(writer, wanted);
            writer.text(")) = ");
            side(writer, wanted);
        }
    }
}

pub(super) const fn is_text(kind: Type) -> bool {
    matches!(kind, Type::String | Type::File)
}
