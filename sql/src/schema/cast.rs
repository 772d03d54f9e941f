//! Which type a column can become with every value that it has, and how a value is written in the new one. What could lose
//! something is not here: it is done beside, by whoever knows the data.

use santokit_core::schema::Type;

use super::{
    CurrentColumn, Engine,
    fit::{self, Declared},
};

/// How a value becomes one of the declared type; `{}` stands for the column.
pub(super) type Cast = &'static str;

/// The way from a column that is there to a declared one; none where values could be lost, or where it is not known that none is.
pub(super) fn keeping(engine: Engine, found: &CurrentColumn, declared: &Declared<'_>) -> Option<Cast> {
    let natural = fit::natural(engine, found)?;
    // The statement fails where a text is longer than it may be; it cuts none.
    let is_text = |kind| matches!(kind, Type::String | Type::File);
    if is_text(natural.kind) && is_text(declared.kind) || (natural.kind, declared.kind) == (Type::Bytes, Type::Bytes) {
        return Some("{}");
    }
    let is_whole = matches!(natural.kind, Type::Int | Type::Bigint);
    match (natural.kind, declared.kind, engine) {
        // 32 bits are exact in a double.
        (Type::Int, Type::Float, Engine::Sqlite) => Some("CAST({} AS REAL)"),
        (_, Type::Decimal | Type::String, Engine::Sqlite) if is_whole => Some("CAST({} AS TEXT)"),
        (_, Type::String, Engine::Postgres) if is_whole => Some("{}::text"),
        (Type::Int, Type::Bigint | Type::Float, _) => Some("{}"),
        (_, Type::Decimal | Type::String, _) if is_whole => Some("{}"),
        _ => None,
    }
}

/// What to do where values could be lost.
pub(super) const BESIDE: &str = "values could be lost, so that it is not done in place: add a column of the new type, write both from \
    your applications, copy the rows, read the new one, and only then let the old one go";
