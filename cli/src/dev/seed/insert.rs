//! Writing what seed files hold: rows with bound values, and scripts as they are.

use futures_util::TryStreamExt;
use indicatif::ProgressBar;
use santokit_core::schema::{Generate, Schema};
use sqlx::{AssertSqlSafe, Executor, MySql, Postgres, QueryBuilder, Sqlite};

use super::Rows;
use crate::dev::database::Opened;

/// SQLite takes 32,766 bound values in a statement, the others 65,535.
const VALUES_MAX: usize = 30_000;
const ROWS_MAX: usize = 500;

/// Runs the developer's own text on the developer's own database; answers the rows that it wrote.
pub(super) async fn script(connection: &mut Opened, text: &str, bar: &ProgressBar) -> anyhow::Result<u64> {
    macro_rules! run {
        ($connection:expr) => {{
            #[expect(
                clippy::disallowed_methods,
                reason = "the developer's own file, run on the developer's own database"
            )]
            let script = sqlx::raw_sql(AssertSqlSafe(text));
            let (mut rows, mut results) = (0, $connection.execute_many(script));
            while let Some(result) = results.try_next().await? {
                rows += result.rows_affected();
                bar.set_position(rows);
            }
            rows
        }};
    }
    Ok(match connection {
        Opened::Sqlite(connection) => run!(connection),
        Opened::Postgres(connection) => run!(connection),
        Opened::Mysql(connection) => run!(connection),
    })
}

/// Inserts rows, many in a statement.
pub(super) async fn rows(connection: &mut Opened, table: &str, rows: &Rows, bar: &ProgressBar) -> anyhow::Result<u64> {
    if rows.columns.is_empty() {
        return Ok(0);
    }
    // Identifiers are the schema's own: letters, digits and `_` (core::name).
    let quote = if matches!(connection, Opened::Mysql(_)) { '`' } else { '"' };
    let columns: Vec<String> = rows.columns.iter().map(|name| format!("{quote}{name}{quote}")).collect();
    let head = format!("INSERT INTO {quote}{table}{quote} ({}) ", columns.join(", "));
    let mut written = 0;
    for chunk in rows.cells.chunks((VALUES_MAX / rows.columns.len()).clamp(1, ROWS_MAX)) {
        written += match connection {
            Opened::Sqlite(connection) => {
                let mut builder = QueryBuilder::<Sqlite>::new(head.clone());
                builder.push_values(chunk, |mut row, cells| cells.iter().for_each(|cell| cell.bind_sqlite(&mut row)));
                builder.build().execute(connection).await?.rows_affected()
            }
            Opened::Postgres(connection) => {
                let mut builder = QueryBuilder::<Postgres>::new(head.clone());
                builder.push_values(chunk, |mut row, cells| {
                    cells.iter().zip(&rows.kinds).for_each(|(cell, kind)| cell.bind_postgres(*kind, &mut row));
                });
                builder.build().execute(connection).await?.rows_affected()
            }
            Opened::Mysql(connection) => {
                let mut builder = QueryBuilder::<MySql>::new(head.clone());
                builder.push_values(chunk, |mut row, cells| {
                    cells.iter().zip(&rows.kinds).for_each(|(cell, kind)| cell.bind_mysql(*kind, &mut row));
                });
                builder.build().execute(connection).await?.rows_affected()
            }
        };
        bar.set_position(written);
    }
    Ok(written)
}

/// Keys that a file brings with it are passed by the database's own counting, or a later insert would meet one of them.
/// SQLite and MySQL see to that themselves.
pub(super) async fn count_on(connection: &mut Opened, schema: &Schema) -> anyhow::Result<()> {
    let Opened::Postgres(connection) = connection else { return Ok(()) };
    let counted = schema.tables.iter().filter(|(_, table)| table.id.generate == Generate::AutoIncrement);
    for (name, id) in counted.map(|(name, table)| (name, &table.id.name)) {
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('\"{name}\"', '{id}'), max(\"{id}\")) FROM \"{name}\" \
             HAVING max(\"{id}\") IS NOT NULL"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}
