//! A table of SQLite that is made anew: <https://sqlite.org/lang_altertable.html#otheralter>. It is the only way to another type,
//! default, NULL or foreign key there. Foreign keys must be off around it, and are checked before the transaction ends.

use santokit_core::schema::{Column, Generate, Schema, Table};

use super::{
    CurrentIndex, CurrentTable, Engine,
    alter::quoted,
    cast::Cast,
    ddl::{self, Impossible},
    default, names,
};

/// A column of the new table, and where its values come from.
pub(super) struct Copied<'a> {
    pub(super) column: &'a Column,
    /// Of the old table; none where it is new.
    pub(super) from: Option<Cast>,
    /// Whether rows without a value get the default.
    pub(super) is_filled: bool,
}

/// The statements, in order.
pub(super) fn statements(
    schema: &Schema,
    (name, table): (&str, &Table),
    found: &CurrentTable,
    copied: &[Copied<'_>],
    is_dropped: impl Fn(&CurrentIndex) -> bool,
) -> Result<Vec<String>, (String, Impossible)> {
    let new = names::rebuilt(name);
    let (old_name, new_name) = (quote(name), quote(&new));
    let mut statements = vec![ddl::create_table_named(Engine::Sqlite, schema, (name, table), &new)?];
    let (mut columns, mut values) = (vec![quote(&table.id.name)], vec![quote(&table.id.name)]);
    for copied in copied {
        let Some(from) = copied.from else { continue };
        let place = quote(&copied.column.name);
        let mut value = from.replace("{}", &place);
        if copied.is_filled {
            let filling = default::expression(Engine::Sqlite, copied.column, false);
            if let Some(filling) = filling.map_err(|why| (copied.column.name.clone(), why))? {
                value = format!("coalesce({value}, {filling})");
            }
        }
        columns.push(place);
        values.push(value);
    }
    statements.push(format!(
        "INSERT INTO {new_name} ({}) SELECT {} FROM {old_name}",
        columns.join(", "),
        values.join(", ")
    ));
    if table.id.generate == Generate::AutoIncrement {
        // A number that was given is not given again.
        let (new, old) = (text(&new), text(name));
        statements.push(format!("DELETE FROM sqlite_sequence WHERE name = {new}"));
        statements.push(format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"
        ));
    }
    statements.push(format!("DROP TABLE {old_name}"));
    statements.push(format!("ALTER TABLE {new_name} RENAME TO {old_name}"));
    // They went with the table: those that stay are made again; those that are declared and new come later.
    for index in found.indexes.iter().filter(|index| !is_dropped(index)) {
        if index.columns.iter().all(|column| has_column(table, column)) {
            statements.push(ddl::create_index_named(Engine::Sqlite, name, &index_name(name, index), index));
        }
    }
    Ok(statements)
}

/// Why it cannot be: what the table has that no declaration describes would be lost.
pub(super) fn impossible(found: &CurrentTable) -> Option<String> {
    let extras = found.extras.first()?;
    Some(format!("SQLite would make the table anew, and {extras} would be lost; change it by hand"))
}

/// Those of SQLite's own making cannot be named.
fn index_name(table: &str, index: &CurrentIndex) -> String {
    if index.name.starts_with("sqlite_") {
        names::index(table, &index.columns, index.is_unique)
    } else {
        index.name.clone()
    }
}

fn has_column(table: &Table, name: &str) -> bool {
    table.id.name == name || table.columns.iter().any(|column| column.name == name)
}

fn quote(name: &str) -> String {
    quoted(Engine::Sqlite, name)
}

fn text(content: &str) -> String {
    default::quote(Engine::Sqlite, content)
}
