//! Bounds of columns and params, compiled once: they are checked on every write and every call.

use std::{cmp::Ordering, str::FromStr};

use regex::{Regex, RegexBuilder};
use serde_json::Value as Json;

use crate::{
    decimal::Decimal,
    schema::{Bounds, Type},
};

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// [`Bounds`] ready to check values of one type.
#[derive(Clone, Debug)]
pub struct CompiledBounds {
    one_of: Option<Vec<String>>,
    length_max: Option<u32>,
    least: Option<Number>,
    most: Option<Number>,
    pattern: Option<Regex>,
}

/// Why bounds make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// `min` or `max` is no number of the type.
    #[error("{key} must be {expected}")]
    NotANumber {
        /// `min` or `max`.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// `min` is above `max`.
    #[error("min is above max: no value can fit")]
    Empty,
    /// The pattern cannot be read.
    #[error("the pattern cannot be used: {0}")]
    Pattern(String),
}

/// A bound in the type's own arithmetic: no rounding.
#[derive(Clone, Debug, PartialEq)]
enum Number {
    Whole(i64),
    Float(f64),
    /// As it is written.
    Decimal(String),
}

impl CompiledBounds {
    /// Compiles bounds for values of a type.
    pub fn compile(kind: Type, bounds: &Bounds) -> Result<Self, BoundsError> {
        let number = |key, text: &Option<String>| {
            let read = |text: &String| {
                Number::read(kind, text).ok_or(BoundsError::NotANumber { key, expected: Number::form(kind) })
            };
            text.as_ref().map(read).transpose()
        };
        let (least, most) = (number("min", &bounds.min)?, number("max", &bounds.max)?);
        if matches!((&least, &most), (Some(least), Some(most)) if least > most) {
            return Err(BoundsError::Empty);
        }
        let pattern = bounds.pattern.as_deref().map(anchored).transpose()?;
        Ok(Self { one_of: bounds.one_of.clone(), length_max: bounds.max_length, least, most, pattern })
    }

    /// Checks a normalised value of the type. The error says the bound, not the value.
    pub fn check(&self, kind: Type, json: &Json) -> Result<(), String> {
        if let Some(value) = Number::of(kind, json) {
            if let Some(least) = self.least.as_ref().filter(|least| value < **least) {
                return Err(format!("must be at least {least}"));
            }
            if let Some(most) = self.most.as_ref().filter(|most| value > **most) {
                return Err(format!("must be at most {most}"));
            }
        }
        let Json::String(text) = json else { return Ok(()) };
        if let Some(allowed) = self.one_of.as_ref().filter(|allowed| !allowed.contains(text)) {
            return Err(format!("must be one of {}", allowed.join(", ")));
        }
        if let Some(most) = self.length_max.filter(|most| text.chars().count() > *most as usize) {
            return Err(format!("must have at most {most} characters"));
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            return Err("does not match the pattern".to_owned());
        }
        Ok(())
    }
}

/// A pattern is about the whole string. It is compiled alone first, so that it cannot close the group around it.
fn anchored(pattern: &str) -> Result<Regex, BoundsError> {
    let compile = |source: &str| {
        RegexBuilder::new(source).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
            let text = error.to_string();
            BoundsError::Pattern(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_lowercase())
        })
    };
    compile(pattern)?;
    compile(&format!("\\A(?:{pattern})\\z"))
}

impl Number {
    fn read(kind: Type, text: &str) -> Option<Self> {
        match kind {
            Type::Int => i32::from_str(text).ok().map(|n| Number::Whole(n.into())),
            Type::Bigint => i64::from_str(text).ok().map(Number::Whole),
            Type::Float => f64::from_str(text).ok().filter(|n| n.is_finite()).map(Number::Float),
            Type::Decimal => Decimal::accept(text).map(|_| Number::Decimal(text.to_owned())),
            _ => None,
        }
    }

    fn of(kind: Type, json: &Json) -> Option<Self> {
        match (kind, json) {
            (Type::Int, Json::Number(n)) => n.as_i64().map(Number::Whole),
            (Type::Float, Json::Number(n)) => n.as_f64().map(Number::Float),
            (Type::Bigint | Type::Decimal, Json::String(text)) => Self::read(kind, text),
            _ => None,
        }
    }

    const fn form(kind: Type) -> &'static str {
        match kind {
            Type::Int => "a whole number of 32 bits",
            Type::Bigint => "a whole number of 64 bits",
            Type::Float => "a number",
            Type::Decimal => "a decimal number of at most 35 digits before the point and 30 behind it",
            _ => "left out: the type has no order",
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(own), Number::Whole(other)) => Some(own.cmp(other)),
            (Number::Float(own), Number::Float(other)) => own.partial_cmp(other),
            (Number::Decimal(own), Number::Decimal(other)) => Some(Decimal::read(own)?.cmp(&Decimal::read(other)?)),
            _ => None,
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Whole(n) => n.fmt(f),
            Number::Float(n) => n.fmt(f),
            Number::Decimal(n) => n.fmt(f),
        }
    }
}
