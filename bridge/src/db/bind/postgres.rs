//! Binding for PostgreSQL: binary, with the type that the schema's type is stored as.

use santokit_core::{schema::Type, value::Value};
use santokit_sql::statement::Bound;
use sqlx::{
    Arguments as _, Encode, Postgres, Type as SqlType,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo},
    types::Decimal,
};

use super::{float, misfit, numeric, timestamp, whole};

/// JSON as the text that it came in.
struct Jsonb<'a>(&'a str);
/// A decimal as text.
struct Numeric<'a>(&'a str);

/// The version of `jsonb`'s binary form.
const JSONB_VERSION: u8 = 1;

/// One letter for each type that is bound.
pub(super) const fn letter(kind: Type) -> char {
    match kind {
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

pub(super) fn add(arguments: &mut PgArguments, param: &Bound) -> Result<(), BoxDynError> {
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
