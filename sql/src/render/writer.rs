//! The one place where the text of a statement grows: by words of our own, by quoted names, and by placeholders. Nothing else can be
//! put in.

use santokit_core::{schema::Type, value::Value};

use super::RenderError;
use crate::{
    dialect::Dialect,
    plan::Column,
    statement::{Bound, OutputColumn, Statement},
};

/// A statement as it is being written. The first error is kept; what is written behind it does not matter.
pub(super) struct Writer {
    pub(super) dialect: Dialect,
    sql: String,
    params: Vec<Bound>,
    error: Option<RenderError>,
    aliases: usize,
}

/// What the columns of a table are called by.
#[derive(Clone, Copy)]
pub(super) enum Scope<'p> {
    /// By their names alone.
    Bare,
    /// By the table's name too, where a part of the statement has another table or `excluded`.
    Table(&'p str),
    /// By an alias of ours: the table may be there twice.
    Alias(usize),
}

impl Writer {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, sql: String::with_capacity(256), params: Vec::new(), error: None, aliases: 0 }
    }

    /// Words of our own.
    pub(super) fn text(&mut self, text: &'static str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    /// The words of the dialect.
    pub(super) fn by_dialect(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
        mysql: &'static str,
    ) -> &mut Self {
        self.text(match self.dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
            Dialect::Mysql => mysql,
        })
    }

    /// A quoted name.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        let quote = if self.dialect == Dialect::Mysql { '`' } else { '"' };
        if name.is_empty() || name.contains('\0') {
            self.fail(RenderError::Plan("a name is empty or has U+0000 in it"));
        }
        self.sql.push(quote);
        for c in name.chars() {
            if c == quote {
                self.sql.push(quote);
            }
            self.sql.push(c);
        }
        self.sql.push(quote);
        self
    }

    /// A column, by what the scope calls it.
    pub(super) fn column(&mut self, scope: Scope<'_>, name: &str) -> &mut Self {
        match scope {
            Scope::Bare => {}
            Scope::Table(table) => {
                self.name(table).text(".");
            }
            Scope::Alias(number) => {
                self.alias(number).text(".");
            }
        }
        self.name(name)
    }

    /// A new alias. No table of a customer's begins with `stk_`.
    pub(super) fn new_alias(&mut self) -> usize {
        self.aliases += 1;
        self.aliases
    }

    pub(super) fn alias(&mut self, number: usize) -> &mut Self {
        self.name(&format!("stk_{number}"))
    }

    /// A placeholder for a value.
    pub(super) fn bind(&mut self, kind: Type, value: Value) -> &mut Self {
        let kind = match value {
            Value::Int64(number) if kind == Type::Int && i32::try_from(number).is_err() => Type::Bigint,
            _ => kind,
        };
        if !is_canonical(kind, &value) {
            self.fail(RenderError::Value { kind });
        }
        self.params.push(Bound { kind, value });
        match self.dialect {
            Dialect::Sqlite | Dialect::Mysql => self.text("?"),
            Dialect::Postgres => {
                self.sql.push('$');
                let number = self.params.len().to_string();
                self.sql.push_str(&number);
                self
            }
        }
    }

    /// `, ` between two.
    pub(super) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.text(", ");
            }
            each(self, item);
        }
    }

    /// A list of values in parentheses, padded to a power of two by repeating the last: one text for many lengths.
    pub(super) fn padded<'v>(&mut self, values: &'v [Value], mut each: impl FnMut(&mut Self, &'v Value)) -> &mut Self {
        let length = values.len().next_power_of_two();
        let (Some(last), true) = (values.last(), length <= self.dialect.params_max()) else {
            self.fail(RenderError::TooManyParams { count: values.len(), most: self.dialect.params_max() });
            return self;
        };
        self.text("(");
        self.list(values.iter().chain(std::iter::repeat(last)).take(length), &mut each);
        self.text(")")
    }

    pub(super) fn fail(&mut self, error: RenderError) {
        self.error.get_or_insert(error);
    }

    /// Refuses a column whose values the engines do not compare alike.
    pub(super) fn check_comparable(&mut self, kind: Type, what: &'static str) {
        if matches!(kind, Type::Json | Type::Array) {
            self.fail(RenderError::NotForType { kind, what });
        }
    }

    pub(super) fn finish(self, columns: Vec<OutputColumn>) -> Result<Statement, RenderError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let (count, most) = (self.params.len(), self.dialect.params_max());
        if count > most {
            return Err(RenderError::TooManyParams { count, most });
        }
        Ok(Statement { sql: self.sql, params: self.params, columns })
    }
}

/// The columns of an answer.
pub(super) fn outputs(columns: &[Column]) -> Vec<OutputColumn> {
    columns.iter().map(|column| OutputColumn { name: column.name.clone(), kind: column.kind }).collect()
}

/// Whether a value is in the one form that its type has in statements.
fn is_canonical(kind: Type, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null)
        | (Type::Int | Type::Bigint, Value::Int64(_))
        | (Type::Boolean, Value::Boolean(_))
        | (Type::Bytes, Value::Bytes(_)) => true,
        (Type::Float, Value::Float64(number)) => number.is_finite(),
        (Type::String | Type::File, Value::Text(text)) => !text.contains('\0'),
        (Type::Json | Type::Array, Value::Typed(name, text)) => name == "json" && !text.contains('\0'),
        (Type::Decimal, Value::Typed(name, text)) => name == "decimal" && is_decimal(text),
        (Type::Timestamp, Value::Typed(name, text)) => name == "timestamp" && is_timestamp(text),
        _ => false,
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole) && fraction.is_none_or(is_digits)
}

/// `2026-01-31T12:00:00.000000Z`
fn is_timestamp(text: &str) -> bool {
    let shape = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape)
            .all(|(byte, wanted)| if *wanted == b'd' { byte.is_ascii_digit() } else { byte == *wanted })
}
