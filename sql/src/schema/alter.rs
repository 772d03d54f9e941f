//! Statements that change what is there on PostgreSQL and MySQL. SQLite has few of them: see `rebuild`.

use santokit_core::schema::{Column, Reference, Schema, Table};
use sea_query::{
    Alias, ForeignKey, Index, MysqlQueryBuilder, PostgresQueryBuilder, SqliteQueryBuilder, Table as TableStatement,
};

use super::{
    CurrentColumn, CurrentDefault, Engine, Part,
    cast::Cast,
    ddl::{self, Impossible},
    default,
    fit::Declared,
    mysql, names,
};

/// A column as it is, as it is declared, and the difference.
pub(super) struct Altered<'a> {
    pub(super) schema: &'a Schema,
    pub(super) name: &'a str,
    pub(super) table: &'a Table,
    pub(super) column: &'a Column,
    pub(super) found: &'a CurrentColumn,
    pub(super) parts: &'a [Part],
    /// Where the type is another.
    pub(super) cast: Option<Cast>,
}

/// One statement for all that changes of a column; not for SQLite.
pub(super) fn column(engine: Engine, altered: &Altered<'_>) -> Result<String, Impossible> {
    if engine == Engine::Postgres {
        return postgres(altered);
    }
    let Altered { schema, name, table, column, found, parts, .. } = *altered;
    let is_type = parts.iter().any(|part| matches!(part, Part::Type { .. }));
    let kind = if is_type {
        Declared::column(schema, name, table, column).sql_type(engine)
    } else {
        // As it is: somebody else's column may be narrower than one that the platform makes, or an enum.
        mysql::as_found(found)
    };
    let mut statement = TableStatement::alter();
    statement.table(Alias::new(name)).modify_column(ddl::definition_of(engine, (schema, name, table), column, &kind)?);
    Ok(ddl::text(engine, &statement))
}

/// Rows without a value get the default.
pub(super) fn backfill(
    engine: Engine,
    schema: &Schema,
    (name, table): (&str, &Table),
    column: &Column,
) -> Result<Option<String>, Impossible> {
    let is_large = mysql::is_large(&Declared::column(schema, name, table, column));
    let value = default::expression(engine, column, is_large)?;
    let (table, column) = (quoted(engine, name), quoted(engine, &column.name));
    Ok(value.map(|value| format!("UPDATE {table} SET {column} = {value} WHERE {column} IS NULL")))
}

pub(super) fn rename_column(engine: Engine, table: &str, from: &str, to: &str) -> String {
    ddl::text(engine, TableStatement::alter().table(Alias::new(table)).rename_column(Alias::new(from), Alias::new(to)))
}

pub(super) fn drop_column(engine: Engine, table: &str, column: &str) -> String {
    ddl::text(engine, TableStatement::alter().table(Alias::new(table)).drop_column(Alias::new(column)))
}

pub(super) fn drop_table(engine: Engine, table: &str) -> String {
    ddl::text(engine, TableStatement::drop().table(Alias::new(table)))
}

pub(super) fn drop_index(engine: Engine, table: &str, index: &str) -> String {
    let mut statement = Index::drop();
    statement.name(index);
    // An index is of a table on MySQL only.
    if engine.is_mysql() {
        statement.table(Alias::new(table));
    }
    match engine {
        Engine::Sqlite => statement.to_string(SqliteQueryBuilder),
        Engine::Postgres => statement.to_string(PostgresQueryBuilder),
        Engine::Mysql | Engine::Mariadb => statement.to_string(MysqlQueryBuilder),
    }
}

/// By the constraint's name; not for SQLite.
pub(super) fn drop_reference(engine: Engine, table: &str, name: &str) -> String {
    ddl::text(engine, ForeignKey::drop().name(name).table(Alias::new(table)))
}

/// Without looking at the rows that are there; for PostgreSQL, where `validate_reference` looks at them without holding anybody up.
pub(super) fn add_unvalidated_reference(table: &str, column: &str, reference: &Reference) -> String {
    format!("{} NOT VALID", ddl::add_reference(Engine::Postgres, table, column, reference))
}

pub(super) fn validate_reference(table: &str, name: &str) -> String {
    let (table, name) = (quoted(Engine::Postgres, table), quoted(Engine::Postgres, name));
    format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
}

/// Name and statement of an index that is made while others write; for PostgreSQL.
pub(super) fn create_index_concurrently(table: &str, index: &santokit_core::schema::Index) -> (String, String) {
    let (name, sql) = ddl::create_index(Engine::Postgres, table, index);
    (name, sql.replacen(" INDEX ", " INDEX CONCURRENTLY ", 1))
}

pub(super) fn quoted(engine: Engine, name: &str) -> String {
    if engine.is_mysql() {
        format!("`{}`", name.replace('`', "``"))
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The default goes before the type and comes after it: the old one need not be a value of the new type.
fn postgres(altered: &Altered<'_>) -> Result<String, Impossible> {
    let Altered { schema, name, table, column, found, parts, cast } = *altered;
    let place = quoted(Engine::Postgres, &column.name);
    let wanted = default::expression(Engine::Postgres, column, false)?;
    let mut orders = Vec::new();
    let is_type = parts.iter().any(|part| matches!(part, Part::Type { .. }));
    if is_type && found.default != CurrentDefault::None {
        orders.push(format!("ALTER COLUMN {place} DROP DEFAULT"));
    }
    if is_type {
        let kind = Declared::column(schema, name, table, column).sql_type(Engine::Postgres);
        let value = cast.unwrap_or("{}").replace("{}", &place);
        orders.push(format!("ALTER COLUMN {place} TYPE {kind} USING {value}"));
    }
    if parts.contains(&Part::Default) || (is_type && wanted.is_some()) {
        orders.push(match wanted {
            Some(value) => format!("ALTER COLUMN {place} SET DEFAULT {value}"),
            None => format!("ALTER COLUMN {place} DROP DEFAULT"),
        });
    }
    if parts.contains(&Part::AllowNull) {
        orders.push(format!("ALTER COLUMN {place} DROP NOT NULL"));
    }
    if parts.contains(&Part::RequireValue) {
        orders.push(format!("ALTER COLUMN {place} SET NOT NULL"));
    }
    Ok(format!("ALTER TABLE {} {}", quoted(Engine::Postgres, name), orders.join(", ")))
}

/// What the platform calls an index or a constraint, so that it may also remove it.
pub(super) fn is_own(name: &str) -> bool {
    names::PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
