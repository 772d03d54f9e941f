//! Binding for MySQL and MariaDB. A decimal is sent as a decimal: compared with text, a column would be compared as a floating
//! point number.

use santokit_core::{schema::Type, value::Value};
use santokit_sql::statement::Bound;
use sqlx::{
    Arguments as _, Encode, MySql, Type as SqlType,
    encode::IsNull,
    error::BoxDynError,
    mysql::{MySqlArguments, MySqlTypeInfo},
    types::Decimal,
};

use super::{float, misfit, numeric, timestamp, whole};

/// A decimal as text.
struct NewDecimal<'a>(&'a str);

pub(super) fn add(arguments: &mut MySqlArguments, param: &Bound) -> Result<(), BoxDynError> {
    match (param.kind, &param.value) {
        (kind, Value::Null) => null(arguments, kind),
        (Type::String | Type::File | Type::Json | Type::Array, Value::Text(text) | Value::Typed(_, text)) => {
            arguments.add(text.as_str())
        }
        (Type::Int, Value::Int64(number)) => arguments.add(i32::try_from(*number).map_err(|_| misfit(param))?),
        (Type::Bigint, Value::Int64(number)) => arguments.add(*number),
        (Type::Int, Value::Text(text) | Value::Typed(_, text)) => {
            arguments.add(i32::try_from(whole(text)?).map_err(|_| misfit(param))?)
        }
        (Type::Bigint, Value::Text(text) | Value::Typed(_, text)) => arguments.add(whole(text)?),
        (Type::Float, Value::Float64(number)) if number.is_finite() => arguments.add(*number),
        (Type::Float, Value::Int64(number)) => arguments.add(float(*number)),
        (Type::Decimal, Value::Text(text) | Value::Typed(_, text)) => arguments.add(NewDecimal(text)),
        (Type::Decimal, Value::Int64(number)) => arguments.add(NewDecimal(&number.to_string())),
        (Type::Boolean, Value::Boolean(truth)) => arguments.add(*truth),
        (Type::Timestamp, Value::Text(text) | Value::Typed(_, text)) => arguments.add(timestamp(text)?.naive_utc()),
        (Type::Bytes, Value::Bytes(bytes)) => arguments.add(bytes.as_slice()),
        _ => Err(misfit(param)),
    }
}

fn null(arguments: &mut MySqlArguments, kind: Type) -> Result<(), BoxDynError> {
    match kind {
        Type::String | Type::File | Type::Json | Type::Array => arguments.add(None::<&str>),
        Type::Int => arguments.add(None::<i32>),
        Type::Bigint => arguments.add(None::<i64>),
        Type::Float => arguments.add(None::<f64>),
        Type::Decimal => arguments.add(None::<Decimal>),
        Type::Boolean => arguments.add(None::<bool>),
        Type::Timestamp => arguments.add(None::<chrono::NaiveDateTime>),
        Type::Bytes => arguments.add(None::<&[u8]>),
    }
}

impl SqlType<MySql> for NewDecimal<'_> {
    fn type_info() -> MySqlTypeInfo {
        <Decimal as SqlType<MySql>>::type_info()
    }
}

impl Encode<'_, MySql> for NewDecimal<'_> {
    fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        if numeric::Parts::of(self.0).is_none() {
            return Err("text that is no decimal cannot be bound as one".into());
        }
        <&str as Encode<'_, MySql>>::encode_by_ref(&self.0, buffer)
    }
}
