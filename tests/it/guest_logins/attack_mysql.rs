//! What a login can do on MySQL or MariaDB for whoever has it, password and all.

use santokit_tests::{Engine, TestDatabase};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, mysql::MySqlDatabaseError};

use super::{HIDDEN, Site};

const OTHERS: &[&str] = &[
    "CREATE VIEW peek AS SELECT * FROM hidden",
    "CREATE PROCEDURE mighty() SQL SECURITY DEFINER SELECT * FROM hidden",
    "CREATE FUNCTION mightier() RETURNS TEXT SQL SECURITY DEFINER READS SQL DATA RETURN (SELECT secret FROM hidden LIMIT 1)",
];

/// Numbers with which the server says that one may not: of a database, a table, a column, a routine, the server.
const DENIED: &[u16] = &[1044, 1045, 1142, 1143, 1227, 1370, 1410, 1356, 1419, 1698, 1959, 1961, 1290, 1901, 1095];

/// With `select` and `insert` on `numbers`.
const ATTACKS: &[&str] = &[
    "SELECT * FROM hidden",
    "SELECT COUNT(*) FROM hidden",
    "SELECT 1 FROM numbers WHERE EXISTS (SELECT 1 FROM hidden)",
    "SELECT * FROM peek",
    "CALL mighty()",
    "SELECT mightier()",
    "SELECT * FROM stk_idempotency",
    "SELECT * FROM stk_outbox",
    "INSERT INTO stk_outbox (id) VALUES ('evt_1')",
    "INSERT INTO hidden (id) VALUES ('b')",
    "INSERT INTO numbers (id, number) SELECT secret, 1 FROM hidden",
    "SHOW CREATE TABLE hidden",
    "DESCRIBE hidden",
    "CHECKSUM TABLE hidden",
    "HANDLER hidden OPEN",
    "SELECT * FROM OTHER.things",
    "USE OTHER",
    "SELECT * FROM mysql.user",
    "SELECT * FROM mysql.global_priv",
    "SELECT * FROM mysql.tables_priv",
    "SELECT * FROM mysql.innodb_table_stats",
    "UPDATE numbers SET number = 0",
    "DELETE FROM numbers",
    "REPLACE INTO numbers (id, number) VALUES ('a', 0)",
    "INSERT INTO numbers (id, number) VALUES ('a', 1) ON DUPLICATE KEY UPDATE number = 0",
    "TRUNCATE TABLE numbers",
    "LOCK TABLES numbers WRITE",
    "LOCK TABLES numbers READ",
    "CREATE TABLE mine (id INT)",
    "CREATE TABLE mine AS SELECT * FROM numbers",
    "CREATE TEMPORARY TABLE mine (id INT)",
    "CREATE VIEW mine AS SELECT * FROM numbers",
    "CREATE PROCEDURE mine() SELECT 1",
    "CREATE FUNCTION mine RETURNS INTEGER SONAME 'mine.so'",
    "CREATE TRIGGER mine BEFORE INSERT ON numbers FOR EACH ROW SET NEW.number = 0",
    "CREATE EVENT mine ON SCHEDULE EVERY 1 DAY DO DELETE FROM numbers",
    "CREATE INDEX mine ON numbers (number)",
    "CREATE DATABASE mine",
    "CREATE SERVER mine FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')",
    "ALTER TABLE numbers ADD mine INT",
    "RENAME TABLE numbers TO mine",
    "DROP TABLE numbers",
    "DROP DATABASE DATABASE_NAME",
    "CREATE USER mine",
    "CREATE ROLE mine",
    "ALTER USER 'NEIGHBOUR'@'%' IDENTIFIED BY 'mine'",
    "SET PASSWORD FOR 'NEIGHBOUR'@'%' = PASSWORD('mine')",
    "DROP USER 'NEIGHBOUR'@'%'",
    "RENAME USER 'NEIGHBOUR'@'%' TO mine",
    "SHOW GRANTS FOR 'NEIGHBOUR'@'%'",
    "SET ROLE root",
    "GRANT SELECT ON numbers TO 'NEIGHBOUR'@'%'",
    "GRANT ALL ON *.* TO CURRENT_USER()",
    "REVOKE SELECT ON numbers FROM 'NEIGHBOUR'@'%'",
    "KILL ADMIN_ID",
    "SELECT 1 INTO OUTFILE '/tmp/stk-mine'",
    "SELECT 1 INTO DUMPFILE '/tmp/stk-mine'",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE numbers",
    "SET GLOBAL max_connections = 1",
    "SET GLOBAL general_log = 0",
    "SET SESSION sql_log_bin = 0",
    "INSTALL SONAME 'mine'",
    "FLUSH TABLES",
    "FLUSH PRIVILEGES",
    "FLUSH TABLES WITH READ LOCK",
    "RESET MASTER",
    "SHOW BINARY LOGS",
    "SHOW ENGINE INNODB STATUS",
    "CHANGE MASTER TO MASTER_HOST = '127.0.0.1'",
    "SHUTDOWN",
];

async fn site(project: &'static str) -> Site {
    let site = Site::start(Engine::Mysql, project).await;
    for statement in OTHERS {
        site.database.execute(statement).await.unwrap();
    }
    site.grant("reads", "{numbers: [select, insert]}");
    site.grant("writes", "{orders: [select, insert, update, delete], numbers: [select]}");
    site.apply(&[]).await;
    site
}

#[expect(clippy::disallowed_methods, reason = "attacks, some of which cannot be prepared")]
async fn run(db: &mut MySqlConnection, sql: &str) -> Result<(), (u16, String)> {
    match sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(db).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) => {
            let number = error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
            Err((number, error.message().to_owned()))
        }
        Err(error) => Err((0, error.to_string())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_mysql_can_do_what_it_is_granted_and_nothing_else() {
    let site = site("attackmy").await;
    let other = TestDatabase::create(Engine::Mysql).await.unwrap();
    other.execute("CREATE TABLE things (id INT)").await.unwrap();
    let own = site.guest(json!({"numbers": ["select", "insert"]})).await;
    let neighbour =
        site.guest(json!({"numbers": ["select"], "orders": ["select", "insert", "update", "delete"]})).await;
    let mut admin = MySqlConnection::connect(&site.database.url()).await.unwrap();
    let id: u64 = sqlx::query_scalar("SELECT CAST(connection_id() AS UNSIGNED)").fetch_one(&mut admin).await.unwrap();
    let mut db = MySqlConnection::connect(&site.url(&own)).await.unwrap();
    run(&mut db, "SELECT * FROM numbers").await.unwrap();
    run(&mut db, "INSERT INTO numbers (id, number) VALUES ('own', 2)").await.unwrap();
    let mut open = Vec::new();
    for attack in ATTACKS {
        let sql = attack
            .replace("OTHER", other.name())
            .replace("NEIGHBOUR", &neighbour.user)
            .replace("DATABASE_NAME", site.database.name())
            .replace("ADMIN_ID", &id.to_string());
        match run(&mut db, &sql).await {
            Err((number, _)) if DENIED.contains(&number) => {}
            told => open.push(format!("{sql}: {told:?}")),
        }
    }
    assert!(open.is_empty(), "not denied:\n{}", open.join("\n"));
    // What is not denied aloud shows nothing.
    let file: Option<Vec<u8>> = sqlx::query_scalar("SELECT LOAD_FILE('/etc/passwd')").fetch_one(&mut db).await.unwrap();
    assert_eq!(file, None);
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema IN (?, ?)",
    )
    .bind(site.database.name())
    .bind(other.name())
    .fetch_all(&mut db)
    .await
    .unwrap();
    assert_eq!(tables, ["numbers"], "it does not even see the others");
    let sessions: Vec<String> = sqlx::query_scalar("SELECT CAST(user AS CHAR) FROM information_schema.processlist")
        .fetch_all(&mut db)
        .await
        .unwrap();
    assert!(sessions.iter().all(|user| *user == own.user), "{sessions:?}");
    let rows: (i64, i64, String) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM numbers), (SELECT count(*) FROM orders), (SELECT CAST(secret AS CHAR) FROM hidden)",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(rows, (2, 1, HIDDEN.to_owned()), "all is as it was but for the row that it may add");
    MySqlConnection::connect(&site.url(&neighbour)).await.unwrap();
}

/// The record 0022 says what a Bridge does against each of these.
#[tokio::test(flavor = "multi_thread")]
async fn what_every_login_may_do_on_mysql_is_what_the_record_says() {
    let site = site("openmy").await;
    let login = site.guest(json!({"numbers": ["select", "insert"]})).await;
    let mut db = MySqlConnection::connect(&site.url(&login)).await.unwrap();
    for sql in [
        "SELECT GET_LOCK('mine', 0)",
        "SET @mine = 1",
        "SET SESSION sql_mode = 'ANSI_QUOTES'",
        "SET SESSION max_statement_time = 0",
        "SELECT SLEEP(0)",
        "SELECT * FROM numbers FOR UPDATE",
        "OPTIMIZE TABLE numbers",
        "ANALYZE TABLE numbers",
        "SET PASSWORD = PASSWORD('changed-by-itself-1')",
    ] {
        run(&mut db, sql).await.unwrap_or_else(|told| panic!("{sql}: {told:?}"));
    }
    // It has locked itself, and its Bridges, out: the next apply sets the password that they have again.
    assert!(MySqlConnection::connect(&site.url(&login)).await.is_err());
    site.apply(&[]).await;
    MySqlConnection::connect(&site.url(&login)).await.unwrap();
}
