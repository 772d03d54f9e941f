//! What the catalogues are asked, and their rows in a form that does not depend on the engine. Every cell is text or NULL, so
//! that who asks needs to know nothing of it.

use std::collections::BTreeMap;

use santokit_core::schema::ReferenceAction;

use super::{
    CurrentColumn, CurrentDefault, CurrentIndex, CurrentReference, CurrentSchema, Engine, bookkeeping, default, mysql,
};

/// A row of a catalogue.
pub type Row = Vec<Option<String>>;

/// The questions, one for each part. None has a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Catalog {
    /// Table, column, type, nullable, default, counted, computed, place in the primary key from 1 or 0, collation; on MySQL
    /// also whether the default is an expression. Truth is 1 or 0. In the order of the tables.
    pub columns: &'static str,
    /// Table, index, unique, place, column; a column that is NULL says that the index is not of whole columns of all rows. On
    /// PostgreSQL also whether it is whole: one that could not be made to its end is there and serves nobody.
    pub indexes: &'static str,
    /// Table, constraint, place, column, other schema, table referred to, its column, action of update, action of delete; on
    /// PostgreSQL also whether all rows were held against it.
    pub references: &'static str,
    /// Table, and what it has that no declaration describes and that is lost when the table is made anew.
    pub extras: Option<&'static str>,
    /// View.
    pub views: &'static str,
}

/// The answers.
#[derive(Clone, Debug, Default)]
pub struct CatalogRows {
    /// Of [`Catalog::columns`].
    pub columns: Vec<Row>,
    /// Of [`Catalog::indexes`].
    pub indexes: Vec<Row>,
    /// Of [`Catalog::references`].
    pub references: Vec<Row>,
    /// Of [`Catalog::extras`].
    pub extras: Vec<Row>,
    /// Of [`Catalog::views`].
    pub views: Vec<Row>,
}

pub(super) fn read(engine: Engine, rows: &CatalogRows) -> CurrentSchema {
    let mut current = CurrentSchema::default();
    let mut keys: BTreeMap<&str, BTreeMap<u32, String>> = BTreeMap::new();
    for row in &rows.columns {
        let table = text(row, 0);
        if is_foreign(table) {
            continue;
        }
        let column = column(engine, row);
        let place = text(row, 7).parse().unwrap_or(0);
        if place > 0 {
            keys.entry(table).or_default().insert(place, column.name.clone());
        }
        current.tables.entry(table.to_owned()).or_default().columns.push(column);
    }
    for (table, key) in keys {
        if let Some(table) = current.tables.get_mut(table) {
            table.key = key.into_values().collect();
        }
    }
    for group in groups(&rows.indexes) {
        let columns: Option<Vec<String>> = group.iter().map(|row| cell(row, 4).map(str::to_owned)).collect();
        let (Some(table), Some(columns)) = (current.tables.get_mut(text(group[0], 0)), columns) else { continue };
        table.indexes.push(CurrentIndex {
            name: text(group[0], 1).to_owned(),
            columns,
            is_unique: text(group[0], 2) == "1",
            is_valid: cell(group[0], 5) != Some("0"),
        });
    }
    for row in &rows.extras {
        if let Some(table) = current.tables.get_mut(text(row, 0)) {
            table.extras.push(text(row, 1).to_owned());
        }
    }
    for group in groups(&rows.references) {
        let reference = reference(engine, &group, &current);
        if let Some(table) = current.tables.get_mut(text(group[0], 0)) {
            table.references.push(reference);
        }
    }
    current.views = rows.views.iter().map(|row| text(row, 0).to_owned()).filter(|name| !is_foreign(name)).collect();
    current
}

/// The platform's own that no Hub of this version makes: another version's, or a customer's who took the prefix.
fn is_foreign(table: &str) -> bool {
    table.to_ascii_lowercase().starts_with("stk_") && !bookkeeping::TABLES.contains(&table)
}

fn column(engine: Engine, row: &Row) -> CurrentColumn {
    let written = text(row, 2);
    let declared = match engine {
        Engine::Sqlite => written.to_owned(),
        Engine::Postgres => written.to_ascii_lowercase(),
        Engine::Mysql | Engine::Mariadb => without_width(&written.to_ascii_lowercase()),
    };
    let default = match engine {
        Engine::Mysql => default::read_mysql(cell(row, 4), text(row, 9) == "1"),
        engine => default::read(engine, cell(row, 4)),
    };
    let is_counted = text(row, 5) == "1";
    CurrentColumn {
        name: text(row, 1).to_owned(),
        declared,
        is_nullable: text(row, 3) == "1",
        // What counts is no default.
        default: if is_counted { CurrentDefault::None } else { default },
        is_counted,
        is_computed: text(row, 6) == "1",
        collation: cell(row, 8).map(str::to_owned),
        labels: match engine {
            Engine::Sqlite => None,
            Engine::Postgres => cell(row, 9).and_then(|labels| serde_json::from_str(labels).ok()),
            Engine::Mysql | Engine::Mariadb => mysql::labels(written),
        },
    }
}

/// `int(11)` is `int`: MariaDB tells how wide it is shown. Only of `tinyint(1)` does the width mean something.
fn without_width(word: &str) -> String {
    let Some((name, rest)) = word.split_once('(') else { return word.to_owned() };
    let is_whole = matches!(name, "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint");
    match rest.split_once(')') {
        Some((width, rest)) if is_whole && (name, width) != ("tinyint", "1") => format!("{name}{rest}"),
        _ => word.to_owned(),
    }
}

fn reference(engine: Engine, group: &[&Row], current: &CurrentSchema) -> CurrentReference {
    let first = group[0];
    let named = text(first, 5);
    // SQLite keeps the name as the reference spells it, and finds the table in any case.
    let table = match engine {
        Engine::Sqlite => {
            current.tables.keys().find(|name| name.eq_ignore_ascii_case(named)).map_or(named, String::as_str)
        }
        _ => named,
    };
    let columns: Vec<String> =
        group.iter().map(|row| own_column(engine, current, text(first, 0), text(row, 3))).collect();
    // On SQLite, a reference that names no column is to the primary key.
    let targets = match group.iter().map(|row| cell(row, 6)).collect::<Option<Vec<&str>>>() {
        Some(targets) => targets.into_iter().map(|name| own_column(engine, current, table, name)).collect(),
        None => current.tables.get(table).map(|table| table.key.clone()).unwrap_or_default(),
    };
    CurrentReference {
        name: text(first, 1).to_owned(),
        columns,
        elsewhere: cell(first, 4).map(str::to_owned),
        table: table.to_owned(),
        targets,
        on_update: action(text(first, 7)),
        on_delete: action(text(first, 8)),
        is_validated: cell(first, 9) != Some("0"),
    }
}

/// As the table spells it.
fn own_column(engine: Engine, current: &CurrentSchema, table: &str, name: &str) -> String {
    let found = (engine == Engine::Sqlite)
        .then(|| current.tables.get(table)?.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)))
        .flatten();
    found.map_or_else(|| name.to_owned(), |column| column.name.clone())
}

/// PostgreSQL's letters, and the words of the others.
fn action(word: &str) -> ReferenceAction {
    match word.to_ascii_uppercase().as_str() {
        "R" | "RESTRICT" => ReferenceAction::Restrict,
        "C" | "CASCADE" => ReferenceAction::Cascade,
        "N" | "SET NULL" => ReferenceAction::SetNull,
        "D" | "SET DEFAULT" => ReferenceAction::SetDefault,
        _ => ReferenceAction::NoAction,
    }
}

/// Rows of one name after another.
fn groups(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some(group) if (text(group[0], 0), text(group[0], 1)) == (text(row, 0), text(row, 1)) => group.push(row),
            _ => groups.push(vec![row]),
        }
    }
    groups
}

fn cell(row: &Row, index: usize) -> Option<&str> {
    row.get(index)?.as_deref()
}

fn text(row: &Row, index: usize) -> &str {
    cell(row, index).unwrap_or_default()
}
