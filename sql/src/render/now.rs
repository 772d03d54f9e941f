//! The clock of the database: the one that machines whose own differ have in common.

use santokit_core::schema::Type;

use crate::{
    dialect::Dialect,
    statement::{OutputColumn, Statement},
};

pub(super) fn now(dialect: Dialect) -> Statement {
    let sql = match dialect {
        // In the one form in which texts of times sort as times.
        Dialect::Sqlite => "SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') AS \"now\"",
        Dialect::Postgres => "SELECT clock_timestamp() AS \"now\"",
        Dialect::Mysql => "SELECT UTC_TIMESTAMP(6) AS `now`",
    };
    let columns = vec![OutputColumn { name: "now".to_owned(), kind: Type::Timestamp }];
    Statement { sql: sql.to_owned(), params: Vec::new(), columns }
}
