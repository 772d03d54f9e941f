//! Values of CEL beside columns: what of them a column can be compared with, in the column's own terms. A value that lies between two
//! that the column can hold, or beyond all of them, moves the comparison and is never rounded.

use std::sync::Arc;

use cel::Value as CelValue;
use chrono::{DateTime, FixedOffset, SecondsFormat, Timelike, Utc};

use super::{Known, Polarity, any};
use crate::{
    access::{
        decide,
        predicate::{Field, Operand, Order, Predicate, TextTest},
    },
    decimal::{Decimal, FRACTION_DIGITS_MAX},
    schema::Type,
    value::Value,
};

/// From this on a double is more than any decimal that an engine compares exactly (MySQL has 65 digits).
const DECIMALS_BELOW: f64 = 1e65;

/// A value beside the values that a column can hold.
enum Fit {
    /// One of them.
    At(Operand),
    /// Above this one and below the next.
    Above(Operand),
    /// Above all of them.
    AboveAll,
    /// Below all of them.
    BelowAll,
    /// Of another type: equal to none, and an error in an order.
    Mismatch,
}

/// `column == value`; never unknown.
pub(super) fn same(field: &Field, value: &CelValue) -> Predicate {
    if *value == CelValue::Null {
        return Predicate::IsNull(field.clone());
    }
    match fit(field.kind, value) {
        Fit::At(operand) => Predicate::Same(field.clone(), operand),
        Fit::Above(_) | Fit::AboveAll | Fit::BelowAll | Fit::Mismatch => Predicate::NEVER,
    }
}

/// `column < value` and the like.
pub(super) fn compare(field: &Field, order: Order, value: &CelValue, polarity: Polarity) -> Predicate {
    match fit(field.kind, value) {
        Fit::At(operand) => Predicate::Compare(field.clone(), order, operand),
        Fit::Above(operand) => {
            let order = match order {
                Order::Less | Order::LessOrEqual => Order::LessOrEqual,
                Order::Greater | Order::GreaterOrEqual => Order::Greater,
            };
            Predicate::Compare(field.clone(), order, operand)
        }
        Fit::AboveAll => polarity.unless_null(field, matches!(order, Order::Less | Order::LessOrEqual)),
        Fit::BelowAll => polarity.unless_null(field, matches!(order, Order::Greater | Order::GreaterOrEqual)),
        Fit::Mismatch => polarity.unknown(),
    }
}

/// `column in list`, or in the keys of a map; never unknown. `None` where the value is neither.
pub(super) fn one_of(field: &Field, list: &CelValue) -> Option<Predicate> {
    let keys: Vec<CelValue>;
    let elements = match list {
        CelValue::List(elements) => elements.as_slice(),
        CelValue::Map(map) => {
            keys = map.map.keys().map(|key| CelValue::from(key.clone())).collect();
            &keys
        }
        _ => return None,
    };
    let mut has_null = false;
    let mut operands = Vec::with_capacity(elements.len());
    for element in elements {
        has_null |= *element == CelValue::Null;
        if let Fit::At(operand) = fit(field.kind, element) {
            operands.push(operand);
        }
    }
    let found = match operands.len() {
        0 => Predicate::NEVER,
        _ => Predicate::OneOf(field.clone(), operands),
    };
    Some(any([found, if has_null { Predicate::IsNull(field.clone()) } else { Predicate::NEVER }].into_iter()))
}

/// `subject.startsWith(wanted)` and the like; at least one side is a column.
pub(super) fn text(subject: &Known<'_>, how: TextTest, wanted: &Known<'_>, polarity: Polarity) -> Predicate {
    let operand = |known: &Known<'_>| match known {
        Known::Field(field) => Some(Operand::Field((*field).clone())),
        Known::Value(CelValue::String(text)) => {
            Some(Operand::Value { kind: Type::String, value: Value::Text(text.as_str().to_owned()) })
        }
        Known::Value(_) => None,
    };
    let holds_nul = |known: &Known<'_>| matches!(known, Known::Value(CelValue::String(text)) if text.contains('\0'));
    match (subject, wanted) {
        // No column holds U+0000, and no engine can be asked for it.
        (Known::Field(field), wanted) if holds_nul(wanted) => polarity.unless_null(field, false),
        (Known::Value(CelValue::String(text)), Known::Field(field)) if holds_nul(subject) => {
            text_around_nul(text, how, field, polarity)
        }
        _ => match (operand(subject), operand(wanted)) {
            (Some(subject), Some(wanted)) => Predicate::Text { subject, test: how, wanted },
            _ => polarity.unknown(),
        },
    }
}

/// What a column without U+0000 can begin, end, or be part of, in a text with it.
fn text_around_nul(text: &str, how: TextTest, field: &Field, polarity: Polarity) -> Predicate {
    let pieces: Vec<&str> = text.split('\0').collect();
    let pieces = match how {
        TextTest::StartsWith => &pieces[..1],
        TextTest::EndsWith => &pieces[pieces.len() - 1..],
        TextTest::Contains => &pieces[..],
    };
    let part = |piece: &&str| {
        let subject = Operand::Value { kind: Type::String, value: Value::Text((*piece).to_owned()) };
        Predicate::Text { subject, test: how, wanted: Operand::Field(field.clone()) }
    };
    match pieces {
        [] => polarity.unless_null(field, false),
        pieces => any(pieces.iter().map(part)),
    }
}

/// A column's value as CEL sees it.
pub(super) fn cel_value(value: &Value) -> Result<CelValue, String> {
    Ok(match value {
        Value::Null => CelValue::Null,
        Value::Boolean(truth) => CelValue::Bool(*truth),
        Value::Int64(number) => CelValue::Int(*number),
        Value::Float64(number) => CelValue::Float(*number),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => CelValue::Bytes(Arc::new(bytes.clone())),
        Value::Typed(name, text) => match name.as_str() {
            "decimal" => CelValue::Float(text.parse().map_err(|_| "a decimal cannot be read")?),
            "timestamp" => {
                CelValue::Timestamp(DateTime::parse_from_rfc3339(text).map_err(|_| "a time cannot be read")?)
            }
            _ => decide::cel_value(&serde_json::from_str(text).map_err(|_| "JSON cannot be read")?),
        },
    })
}

/// Whether a constant is of a type that a column of the kind compares with.
pub(super) fn is_of_type(kind: Type, value: &CelValue) -> bool {
    *value == CelValue::Null || !matches!(fit(kind, value), Fit::Mismatch)
}

/// A value for people, without its content.
pub(super) const fn describe(value: &CelValue) -> &'static str {
    match value {
        CelValue::List(_) => "a list",
        CelValue::Map(_) => "a map",
        CelValue::Int(_) | CelValue::UInt(_) => "a whole number",
        CelValue::Float(_) => "a number",
        CelValue::String(_) => "a string",
        CelValue::Bytes(_) => "bytes",
        CelValue::Bool(_) => "a truth value",
        CelValue::Duration(_) => "a duration",
        CelValue::Timestamp(_) => "a time",
        CelValue::Null => "null",
        _ => "a value of another kind",
    }
}

/// What a constant for a column of the kind looks like.
pub(super) const fn example(kind: Type) -> &'static str {
    match kind {
        Type::String | Type::File => "a string, for example 'open'",
        Type::Int | Type::Bigint => "a number, for example 10",
        Type::Float => "a number, for example 1.5",
        Type::Decimal => "a number or a decimal as a string, for example '12.50'",
        Type::Boolean => "true or false, or the column by itself",
        Type::Timestamp => "a time, for example timestamp('2026-01-31T12:00:00Z')",
        Type::Bytes => "bytes, for example b'abc'",
        Type::Json | Type::Array => "null",
    }
}

fn fit(kind: Type, value: &CelValue) -> Fit {
    match (kind, value) {
        (Type::String | Type::File, CelValue::String(text)) => fit_text(text),
        (Type::Int | Type::Bigint, CelValue::Int(number)) => Fit::At(whole(*number)),
        (Type::Int | Type::Bigint, CelValue::UInt(number)) => {
            i64::try_from(*number).map_or(Fit::AboveAll, |number| Fit::At(whole(number)))
        }
        (Type::Int | Type::Bigint, CelValue::Float(number)) => fit_whole(*number),
        (Type::Float, CelValue::Float(number)) => fit_float(*number),
        #[expect(clippy::cast_precision_loss, reason = "CEL compares a whole number with a double as doubles")]
        (Type::Float, CelValue::Int(number)) => fit_float(*number as f64),
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        (Type::Float, CelValue::UInt(number)) => fit_float(*number as f64),
        (Type::Decimal, CelValue::Int(number)) => Fit::At(decimal(number.to_string())),
        (Type::Decimal, CelValue::UInt(number)) => Fit::At(decimal(number.to_string())),
        (Type::Decimal, CelValue::Float(number)) => fit_decimal(*number),
        (Type::Decimal, CelValue::String(text)) => {
            Decimal::accept(text).map_or(Fit::Mismatch, |number| Fit::At(decimal(number.to_string())))
        }
        (Type::Boolean, CelValue::Bool(truth)) => {
            Fit::At(Operand::Value { kind: Type::Boolean, value: Value::Boolean(*truth) })
        }
        (Type::Timestamp, CelValue::Timestamp(time)) => fit_time(time),
        (Type::Bytes, CelValue::Bytes(bytes)) => {
            Fit::At(Operand::Value { kind: Type::Bytes, value: Value::Bytes(bytes.as_ref().clone()) })
        }
        _ => Fit::Mismatch,
    }
}

/// No column holds U+0000: a text with it lies right above what stands before it.
fn fit_text(text: &str) -> Fit {
    let of = |text: &str| Operand::Value { kind: Type::String, value: Value::Text(text.to_owned()) };
    match text.split_once('\0') {
        None => Fit::At(of(text)),
        Some((before, _)) => Fit::Above(of(before)),
    }
}

fn whole(number: i64) -> Operand {
    let kind = if i32::try_from(number).is_ok() { Type::Int } else { Type::Bigint };
    Operand::Value { kind, value: Value::Int64(number) }
}

/// A double beside whole numbers.
fn fit_whole(number: f64) -> Fit {
    if number.is_nan() {
        return Fit::Mismatch;
    }
    let floor = number.floor();
    if floor >= 9_223_372_036_854_775_808.0 {
        return Fit::AboveAll;
    }
    if floor < -9_223_372_036_854_775_808.0 {
        return Fit::BelowAll;
    }
    #[expect(clippy::cast_possible_truncation, reason = "between -2^63 and 2^63, and without a fraction")]
    let operand = whole(floor as i64);
    #[expect(clippy::float_cmp, reason = "whether there is a fraction at all")]
    if floor == number { Fit::At(operand) } else { Fit::Above(operand) }
}

fn fit_float(number: f64) -> Fit {
    if number.is_nan() {
        Fit::Mismatch
    } else if number.is_infinite() {
        if number > 0.0 { Fit::AboveAll } else { Fit::BelowAll }
    } else {
        Fit::At(Operand::Value { kind: Type::Float, value: Value::Float64(number) })
    }
}

/// A double beside decimals: the decimal that a person would write for it.
fn fit_decimal(number: f64) -> Fit {
    if number.is_nan() {
        return Fit::Mismatch;
    }
    if number.abs() >= DECIMALS_BELOW {
        return if number > 0.0 { Fit::AboveAll } else { Fit::BelowAll };
    }
    // The shortest text that reads as this double, without an exponent. One with more places than a decimal has equals none.
    let text = number.to_string();
    let exact = Decimal::read(&text).filter(|exact| exact.places() <= FRACTION_DIGITS_MAX);
    exact.map_or(Fit::Mismatch, |exact| Fit::At(decimal(exact.to_string())))
}

fn decimal(digits: String) -> Operand {
    Operand::Value { kind: Type::Decimal, value: Value::Typed("decimal".to_owned(), digits) }
}

/// A time beside times of microseconds.
fn fit_time(time: &DateTime<FixedOffset>) -> Fit {
    let utc = time.with_timezone(&Utc);
    // No column holds a leap second: it lies above the last microsecond before it.
    let (utc, is_leap) = match utc.with_nanosecond(999_999_999).filter(|_| utc.nanosecond() >= 1_000_000_000) {
        Some(before) => (before, true),
        None => (utc, false),
    };
    // Rounds down, also before 1970: what is left is a fraction of the second.
    let text = utc.to_rfc3339_opts(SecondsFormat::Micros, true);
    let operand = Operand::Value { kind: Type::Timestamp, value: Value::Typed("timestamp".to_owned(), text) };
    if !is_leap && utc.timestamp_subsec_nanos().is_multiple_of(1_000) { Fit::At(operand) } else { Fit::Above(operand) }
}
