//! Values that are bound to placeholders.

use serde::Serialize;

pub use crate::bindings::santokit::sql::types::Value;

/// A Rust value that can be bound: what [`params!`](crate::params!) takes.
pub trait Param {
    /// The value that is bound.
    fn to_value(&self) -> Value;
}

/// A decimal number as text, so that no digit is lost: `Decimal("19.90")`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal<T: AsRef<str>>(
    /// The number, for example `-1234.50`.
    pub T,
);

/// A value that is bound as JSON: `Json(&my_struct)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a, T: Serialize + ?Sized>(
    /// What is written as JSON.
    pub &'a T,
);

impl<T: Param + ?Sized> Param for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: Param> Param for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Param::to_value)
    }
}

impl Param for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl Param for bool {
    fn to_value(&self) -> Value {
        Value::Boolean(*self)
    }
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl Param for $integer {
            fn to_value(&self) -> Value {
                Value::Int64((*self).into())
            }
        }
    )+};
}

integers!(i8, i16, i32, i64, u8, u16, u32);

impl Param for u64 {
    /// Numbers beyond `i64` are bound as decimals.
    fn to_value(&self) -> Value {
        i64::try_from(*self).map_or_else(|_| Decimal(self.to_string()).to_value(), Value::Int64)
    }
}

impl Param for usize {
    fn to_value(&self) -> Value {
        (*self as u64).to_value()
    }
}

impl Param for f32 {
    fn to_value(&self) -> Value {
        Value::Float64((*self).into())
    }
}

impl Param for f64 {
    fn to_value(&self) -> Value {
        Value::Float64(*self)
    }
}

impl Param for str {
    fn to_value(&self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl Param for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl Param for [u8] {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }
}

impl Param for Vec<u8> {
    fn to_value(&self) -> Value {
        Value::Bytes(self.clone())
    }
}

impl<T: AsRef<str>> Param for Decimal<T> {
    fn to_value(&self) -> Value {
        Value::Typed(("decimal".to_owned(), self.0.as_ref().to_owned()))
    }
}

impl<T: Serialize + ?Sized> Param for Json<'_, T> {
    /// # Panics
    /// Where the value has no JSON form: that is a mistake in the logic.
    fn to_value(&self) -> Value {
        match serde_json::to_string(self.0) {
            Ok(text) => Value::Typed(("json".to_owned(), text)),
            Err(error) => panic!("a value bound as JSON has no JSON form: {error}"),
        }
    }
}
