//! A column that is there beside a declared one: in which regards they differ, and whether it can become the other in place.

use santokit_core::schema::{Column, ColumnDefault};

use super::{
    Change, CurrentColumn, Engine, Part,
    cast::{self, Cast},
    default,
    diff::Pair,
    fit::Declared,
    reference,
};

/// What is to change of a column.
pub(super) struct Difference<'a> {
    pub(super) column: &'a Column,
    pub(super) found: &'a CurrentColumn,
    pub(super) parts: Vec<Part>,
    /// Where the type is another.
    pub(super) cast: Option<Cast>,
}

/// None where there is no difference; an error says what cannot be done in place, and why.
pub(super) fn difference<'a>(
    pair: Pair<'a>,
    column: &'a Column,
    found: &'a CurrentColumn,
) -> Result<Option<Difference<'a>>, (String, String)> {
    let Pair { engine, desired, name, table, .. } = pair;
    let declared = Declared::column(desired, name, table, column);
    let (mut parts, mut way) = (Vec::new(), None);
    if !declared.fits(engine, found) {
        let to = shown_type(engine, &declared);
        let what = format!("{} becomes {to}", found.declared);
        way = cast::keeping(engine, found, &declared);
        if way.is_none() {
            return Err((what, cast::BESIDE.to_owned()));
        }
        if reference::has(pair, &column.name) {
            let why = "it refers to another column or is referred to, and both would have to change at once: remove the reference \
                first, in an apply of its own";
            return Err((what, why.to_owned()));
        }
        parts.push(Part::Type { from: found.declared.clone(), to });
    }
    match (found.is_nullable, column.nullable) {
        (false, true) => parts.push(Part::AllowNull),
        (true, false) => parts.push(Part::RequireValue),
        _ => {}
    }
    if !default::is_same(column, &found.default) {
        parts.push(Part::Default);
    }
    Ok((!parts.is_empty()).then_some(Difference { column, found, parts, cast: way }))
}

impl Difference<'_> {
    pub(super) fn change(&self, table: &str) -> Change {
        Change::AlterColumn { table: table.to_owned(), column: self.column.name.clone(), parts: self.parts.clone() }
    }

    /// Whether rows without a value get the default. Of a unique column only one could.
    pub(super) fn is_filled(&self) -> bool {
        self.parts.contains(&Part::RequireValue) && has_default(self.column) && !self.column.unique
    }
}

/// Why rows that are there could not get such a column.
pub(super) fn unaddable(column: &Column) -> Option<&'static str> {
    if !column.nullable && !has_default(column) {
        return Some("existing rows would have no value; make it nullable or give it a default");
    }
    if column.unique && has_default(column) {
        return Some("existing rows would all have the same value; make it nullable without a default");
    }
    None
}

/// Whether SQLite makes the table anew for it.
pub(super) fn is_unaddable_on_sqlite(column: &Column) -> bool {
    column.default == Some(ColumnDefault::Now) || (column.references.is_some() && has_default(column))
}

fn has_default(column: &Column) -> bool {
    !matches!(column.default, None | Some(ColumnDefault::Literal(serde_json::Value::Null)))
}

/// The collation is said by the engine, not by who declares.
fn shown_type(engine: Engine, declared: &Declared<'_>) -> String {
    let wanted = declared.sql_type(engine);
    let shown = wanted.split(" CHARACTER SET").flat_map(|part| part.split(" COLLATE")).next();
    shown.unwrap_or_default().to_owned()
}
