//! Binding for PostgreSQL: binary, with the type that the schema's type is stored as.

use std::borrow::Cow;

use chrono::NaiveDate;
use santokit_core::{schema::Type, value::Value};
use santokit_sql::statement::Bound;
use sqlx::{
    Arguments as _, Encode, Postgres, Type as SqlType,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, types::Oid},
    types::Decimal,
};

use super::{Unfitting, float, misfit, numeric, timestamp, whole};

/// JSON as the text that it came in.
struct Jsonb<'a>(&'a str);
/// A decimal as text.
struct Numeric<'a>(&'a str);

/// The version of `jsonb`'s binary form.
const JSONB_VERSION: u8 = 1;

/// What texts are bound as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum Texts {
    /// As `text`: a statement that its author wrote says itself what else it is.
    Text,
    /// As what the server finds: a string of the schema may be a `uuid`, a `date` or an enum there.
    Found,
    /// As `text`, and what is NULL as what the server finds: a guest's values have no other type than their own.
    TextOrNull,
}

/// No type: the server finds one.
const UNSPECIFIED: Oid = Oid(0);
const UUID: Oid = Oid(2950);
const DATE: Oid = Oid(1082);

/// A text in the binary form of a type that the server found.
struct Found<'a>(Cow<'a, [u8]>);

/// The types that a statement is prepared for, where some are left to the server.
pub(in crate::db) fn types(params: &[Bound], texts: Texts) -> Option<Vec<PgTypeInfo>> {
    let of =
        |param: &Bound| if is_left(param, texts) { PgTypeInfo::with_oid(UNSPECIFIED) } else { type_of(param.kind) };
    params.iter().any(|param| is_left(param, texts)).then(|| params.iter().map(of).collect())
}

/// Whether the server finds the type.
fn is_left(param: &Bound, texts: Texts) -> bool {
    match texts {
        Texts::Text => false,
        Texts::Found => matches!(param.kind, Type::String | Type::File),
        Texts::TextOrNull => param.value == Value::Null,
    }
}

fn type_of(kind: Type) -> PgTypeInfo {
    match kind {
        Type::String | Type::File => <str as SqlType<Postgres>>::type_info(),
        Type::Int => <i32 as SqlType<Postgres>>::type_info(),
        Type::Bigint => <i64 as SqlType<Postgres>>::type_info(),
        Type::Float => <f64 as SqlType<Postgres>>::type_info(),
        Type::Decimal => <Decimal as SqlType<Postgres>>::type_info(),
        Type::Boolean => <bool as SqlType<Postgres>>::type_info(),
        Type::Json | Type::Array => <Jsonb<'_> as SqlType<Postgres>>::type_info(),
        Type::Timestamp => <chrono::DateTime<chrono::Utc> as SqlType<Postgres>>::type_info(),
        Type::Bytes => <&[u8] as SqlType<Postgres>>::type_info(),
    }
}

/// One letter for each type that is bound.
pub(super) fn letter(param: &Bound, texts: Texts) -> char {
    if is_left(param, texts) {
        return 'u';
    }
    match param.kind {
        Type::String | Type::File => 's',
        Type::Int => 'i',
        Type::Bigint => 'l',
        Type::Float => 'f',
        Type::Decimal => 'n',
        Type::Boolean => 'b',
        Type::Json | Type::Array => 'j',
        Type::Timestamp => 't',
        Type::Bytes => 'x',
    }
}

pub(super) fn add(arguments: &mut PgArguments, param: &Bound, found: Option<&PgTypeInfo>) -> Result<(), BoxDynError> {
    if let (Some(_), Value::Null) = (found, &param.value) {
        return arguments.add(None::<Found<'_>>);
    }
    if let (Some(found), Type::String | Type::File) = (found, param.kind) {
        return match &param.value {
            Value::Text(text) | Value::Typed(_, text) => arguments.add(Found(binary(text, found)?)),
            _ => Err(misfit(param)),
        };
    }
    match (param.kind, &param.value) {
        (kind, Value::Null) => null(arguments, kind),
        (Type::String | Type::File, Value::Text(text) | Value::Typed(_, text)) => arguments.add(text.as_str()),
        (Type::Int, Value::Int64(number)) => arguments.add(i32::try_from(*number).map_err(|_| misfit(param))?),
        (Type::Bigint, Value::Int64(number)) => arguments.add(*number),
        (Type::Int, Value::Text(text) | Value::Typed(_, text)) => {
            arguments.add(i32::try_from(whole(text)?).map_err(|_| misfit(param))?)
        }
        (Type::Bigint, Value::Text(text) | Value::Typed(_, text)) => arguments.add(whole(text)?),
        (Type::Float, Value::Float64(number)) if number.is_finite() => arguments.add(*number),
        (Type::Float, Value::Int64(number)) => arguments.add(float(*number)),
        (Type::Decimal, Value::Text(text) | Value::Typed(_, text)) => arguments.add(Numeric(text)),
        (Type::Decimal, Value::Int64(number)) => arguments.add(Numeric(&number.to_string())),
        (Type::Boolean, Value::Boolean(truth)) => arguments.add(*truth),
        (Type::Json | Type::Array, Value::Text(text) | Value::Typed(_, text)) => arguments.add(Jsonb(text)),
        (Type::Timestamp, Value::Text(text) | Value::Typed(_, text)) => arguments.add(timestamp(text)?),
        (Type::Bytes, Value::Bytes(bytes)) => arguments.add(bytes.as_slice()),
        _ => Err(misfit(param)),
    }
}

/// Text, and enums, are their UTF-8.
fn binary<'t>(text: &'t str, found: &PgTypeInfo) -> Result<Cow<'t, [u8]>, BoxDynError> {
    let bytes = match found.oid() {
        Some(UUID) => uuid::Uuid::try_parse(text).ok().map(|uuid| uuid.as_bytes().to_vec()),
        Some(DATE) => days(text).map(|days| days.to_be_bytes().to_vec()),
        _ => return Ok(Cow::Borrowed(text.as_bytes())),
    };
    Ok(Cow::Owned(bytes.ok_or(Unfitting)?))
}

/// As `cell` tells them: from 2000 on, with the two ends of time.
fn days(text: &str) -> Option<i32> {
    match text {
        "infinity" => Some(i32::MAX),
        "-infinity" => Some(i32::MIN),
        text => {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            i32::try_from(date.signed_duration_since(NaiveDate::from_ymd_opt(2000, 1, 1)?).num_days()).ok()
        }
    }
}

fn null(arguments: &mut PgArguments, kind: Type) -> Result<(), BoxDynError> {
    match kind {
        Type::String | Type::File => arguments.add(None::<&str>),
        Type::Int => arguments.add(None::<i32>),
        Type::Bigint => arguments.add(None::<i64>),
        Type::Float => arguments.add(None::<f64>),
        Type::Decimal => arguments.add(None::<Decimal>),
        Type::Boolean => arguments.add(None::<bool>),
        Type::Json | Type::Array => arguments.add(None::<Jsonb<'_>>),
        Type::Timestamp => arguments.add(None::<chrono::DateTime<chrono::Utc>>),
        Type::Bytes => arguments.add(None::<&[u8]>),
    }
}

impl SqlType<Postgres> for Found<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UNSPECIFIED)
    }
}

impl Encode<'_, Postgres> for Found<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

impl SqlType<Postgres> for Jsonb<'_> {
    fn type_info() -> PgTypeInfo {
        <sqlx::types::Json<()> as SqlType<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Jsonb<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.push(JSONB_VERSION);
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

impl SqlType<Postgres> for Numeric<'_> {
    fn type_info() -> PgTypeInfo {
        <Decimal as SqlType<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Numeric<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let bytes = numeric::bytes(self.0).ok_or("text that is no decimal cannot be bound as one")?;
        buffer.extend_from_slice(&bytes);
        Ok(IsNull::No)
    }
}
