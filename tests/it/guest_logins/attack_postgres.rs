//! What a login can do on PostgreSQL for whoever has it, password and all: its grant, and what PUBLIC may do, which is listed here.

use santokit_core::wire::GuestLogin;
use santokit_tests::Engine;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{HIDDEN, Site};

/// Beside the project's tables: what others keep in the same database.
const OTHERS: &str = "CREATE SCHEMA other; CREATE TABLE other.things (id int); INSERT INTO other.things VALUES (1); \
    CREATE VIEW peek AS SELECT * FROM hidden; CREATE MATERIALIZED VIEW peeked AS SELECT * FROM hidden; \
    CREATE SEQUENCE counter; \
    CREATE FUNCTION mighty() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT secret FROM hidden'; \
    REVOKE EXECUTE ON FUNCTION mighty() FROM PUBLIC; \
    SELECT lo_from_bytea(4711, 'planted')";

/// Codes with which PostgreSQL says that one may not: for lack of a privilege, or because a function that reads may not write.
const DENIED: [&str; 2] = ["42501", "0A000"];

/// With `select` and `insert` on `numbers`.
const ATTACKS: &[&str] = &[
    // Other tables, and ways around.
    "SELECT * FROM hidden",
    "SELECT count(*) FROM hidden",
    "SELECT 1 FROM numbers WHERE EXISTS (SELECT 1 FROM hidden)",
    "TABLE other.things",
    "SELECT * FROM peek",
    "SELECT * FROM peeked",
    "REFRESH MATERIALIZED VIEW peeked",
    "SELECT mighty()",
    "SELECT nextval('counter')",
    "SELECT last_value FROM counter",
    "SELECT * FROM stk_idempotency",
    "SELECT * FROM stk_outbox",
    "INSERT INTO stk_outbox (id) VALUES ('evt_1')",
    "INSERT INTO hidden (id) VALUES ('b')",
    "INSERT INTO numbers (id, number) SELECT secret, 1 FROM hidden",
    "WITH gone AS (DELETE FROM numbers RETURNING *) SELECT * FROM gone",
    "SELECT query_to_xml('SELECT * FROM hidden', true, true, '')",
    "SELECT table_to_xml('hidden', true, true, '')",
    "SELECT ts_stat('SELECT to_tsvector(secret) FROM hidden')",
    "EXPLAIN ANALYZE SELECT * FROM hidden",
    "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM hidden",
    "COPY hidden TO STDOUT",
    "DO $$ BEGIN PERFORM * FROM hidden; END $$",
    "CREATE TEMP VIEW seen AS SELECT * FROM hidden; SELECT * FROM seen",
    // Verbs that are not granted.
    "UPDATE numbers SET number = 0",
    "DELETE FROM numbers",
    "MERGE INTO numbers USING (SELECT 1) AS x ON true WHEN MATCHED THEN DELETE",
    "INSERT INTO numbers (id, number) VALUES ('a', 1) ON CONFLICT (id) DO UPDATE SET number = 0",
    "SELECT * FROM numbers FOR UPDATE",
    "TRUNCATE numbers",
    "BEGIN; LOCK TABLE numbers IN ACCESS EXCLUSIVE MODE",
    "BEGIN; LOCK TABLE hidden IN ACCESS SHARE MODE",
    "SELECT query_to_xml('DELETE FROM numbers', true, true, '')",
    // The shape of things.
    "CREATE TABLE mine (id int)",
    "CREATE TABLE mine AS SELECT * FROM numbers",
    "SELECT * INTO mine FROM numbers",
    "CREATE VIEW mine AS SELECT * FROM numbers",
    "CREATE SEQUENCE mine",
    "CREATE TYPE mine AS (a int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "CREATE TABLE other.mine (id int)",
    "CREATE DATABASE mine",
    "CREATE TABLESPACE mine LOCATION '/tmp'",
    "CREATE EXTENSION pgcrypto",
    "CREATE EXTENSION dblink",
    "CREATE FOREIGN DATA WRAPPER mine",
    "CREATE PUBLICATION mine",
    "CREATE SUBSCRIPTION mine CONNECTION '' PUBLICATION mine",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION mine()",
    "CREATE INDEX ON numbers (number)",
    "CREATE TRIGGER mine BEFORE INSERT ON numbers FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON SELECT TO numbers DO INSTEAD SELECT * FROM hidden",
    "CREATE POLICY mine ON numbers USING (true)",
    "ALTER TABLE numbers ADD mine int",
    "ALTER TABLE numbers DISABLE TRIGGER ALL",
    "ALTER TABLE hidden OWNER TO CURRENT_USER",
    "DROP TABLE numbers",
    "DROP VIEW peek",
    "COMMENT ON TABLE numbers IS 'mine'",
    "REINDEX TABLE numbers",
    "CLUSTER numbers",
    // Other people.
    "SET ROLE pg_read_all_data",
    "SET ROLE ADMIN",
    "SET SESSION AUTHORIZATION ADMIN",
    "SELECT set_config('role', 'ADMIN', false)",
    "SELECT set_config('session_authorization', 'ADMIN', false)",
    "SET ROLE OTHER",
    "CREATE ROLE mine",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "ALTER ROLE CURRENT_USER CREATEDB",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER ROLE CURRENT_USER REPLICATION",
    "ALTER ROLE CURRENT_USER INHERIT",
    "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
    "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
    "ALTER ROLE OTHER PASSWORD 'mine'",
    "ALTER ROLE OTHER SET search_path TO other",
    "ALTER ROLE ADMIN PASSWORD 'mine'",
    "ALTER DATABASE DATABASE_NAME SET search_path TO other",
    "DROP ROLE OTHER",
    "GRANT ADMIN TO CURRENT_USER",
    "GRANT pg_read_server_files TO CURRENT_USER",
    "GRANT OTHER TO CURRENT_USER",
    "GRANT SELECT ON hidden TO CURRENT_USER",
    "REASSIGN OWNED BY ADMIN TO CURRENT_USER",
    "SELECT pg_terminate_backend(ADMIN_PID)",
    "SELECT pg_cancel_backend(ADMIN_PID)",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT rolpassword FROM pg_authid",
    "SELECT umoptions FROM pg_user_mapping",
    "SELECT subconninfo FROM pg_subscription",
    "SELECT * FROM pg_statistic",
    // The server and its machine.
    "COPY numbers TO PROGRAM 'id'",
    "COPY numbers FROM PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/stk-mine'",
    "COPY numbers FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT pg_ls_logdir()",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT * FROM pg_file_settings",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(4711, '/tmp/stk-mine')",
    "SELECT lo_get(4711)",
    "SELECT lo_unlink(4711)",
    "SELECT * FROM pg_largeobject",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('mine')",
    "SELECT pg_create_physical_replication_slot('mine')",
    "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')",
    "SELECT pg_stat_reset()",
    "SELECT pg_backup_start('mine')",
    "CHECKPOINT",
    "LOAD '/tmp/mine.so'",
    "SET session_replication_role TO replica",
    "SET log_statement TO 'none'",
    "SET lc_messages TO 'C'",
    "SELECT set_config('session_preload_libraries', 'mine', false)",
];

/// What PUBLIC may do, as PostgreSQL comes: a Bridge has to refuse or to undo it. That it is open is asserted, so that this list is
/// not longer than it has to be.
const OPEN_TO_EVERYBODY: &[&str] = &[
    "CREATE TEMP TABLE mine (id int)",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "SELECT pg_advisory_lock(1)",
    "NOTIFY mine",
    "LISTEN mine",
    "SET statement_timeout TO 0",
    "SELECT set_config('search_path', 'other', false)",
    "PREPARE mine AS SELECT 1",
    "SELECT rolname FROM pg_roles",
    "SELECT datname FROM pg_database",
    "SELECT relname FROM pg_class WHERE relname = 'hidden'",
    "SELECT lo_from_bytea(0, 'mine')",
    "ALTER ROLE CURRENT_USER SET work_mem TO '1MB'",
];

struct Attacker {
    db: PgConnection,
    login: GuestLogin,
}

impl Attacker {
    async fn enter(site: &Site, login: GuestLogin) -> Self {
        Self { db: PgConnection::connect(&site.url(&login)).await.unwrap(), login }
    }

    /// Runs it as it is; none where it worked, else its code.
    #[expect(clippy::disallowed_methods, reason = "attacks of several statements")]
    async fn run(&mut self, sql: &str) -> Option<String> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.db).await;
        let failed =
            done.err().map(|error| match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
                Some(code) => code.into_owned(),
                None => error.to_string(),
            });
        let _ = self.db.execute("ROLLBACK").await;
        failed
    }
}

async fn site(project: &'static str) -> Site {
    let site = Site::start(Engine::Postgres, project).await;
    site.database.execute(OTHERS).await.unwrap();
    site.grant("reads", "{numbers: [select, insert]}");
    site.grant("writes", "{orders: [select, insert, update, delete], numbers: [select]}");
    site.apply(&[]).await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_postgres_can_do_what_it_is_granted_and_nothing_else() {
    let site = site("attackpg").await;
    let guests = site.guests().await;
    assert_eq!(guests.len(), 2, "{guests:?}");
    let own = site.guest(json!({"numbers": ["select", "insert"]})).await;
    let other = site.guest(json!({"numbers": ["select"], "orders": ["select", "insert", "update", "delete"]})).await;
    let mut admin = PgConnection::connect(&site.database.url()).await.unwrap();
    let (name, pid): (String, i32) =
        sqlx::query_as("SELECT current_user::text, pg_backend_pid()").fetch_one(&mut admin).await.unwrap();
    let mut attacker = Attacker::enter(&site, own).await;
    assert_eq!(attacker.run("SELECT * FROM numbers").await, None);
    assert_eq!(attacker.run("INSERT INTO numbers (id, number) VALUES ('own', 2)").await, None);
    let mut open = Vec::new();
    for attack in ATTACKS {
        let sql = attack
            .replace("ADMIN_PID", &pid.to_string())
            .replace("ADMIN", &format!("\"{name}\""))
            .replace("'\"", "'")
            .replace("\"'", "'")
            .replace("OTHER", &format!("\"{}\"", other.user))
            .replace("DATABASE_NAME", site.database.name());
        match attacker.run(&sql).await {
            Some(code) if DENIED.contains(&code.as_str()) => {}
            told => open.push(format!("{sql}: {told:?}")),
        }
    }
    assert!(open.is_empty(), "not denied:\n{}", open.join("\n"));
    // Of who may not grant, PostgreSQL says so, and does nothing.
    for quiet in
        ["GRANT SELECT ON numbers TO PUBLIC", "REVOKE ALL ON numbers FROM PUBLIC", "VACUUM hidden", "ANALYZE hidden"]
    {
        attacker.run(quiet).await;
    }
    let rows: (i64, i64, i64, String) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM numbers), (SELECT count(*) FROM orders), (SELECT count(*) FROM pg_class, aclexplode(relacl) AS e \
         WHERE relname IN ('numbers', 'orders', 'hidden') AND e.grantee = 0), (SELECT secret FROM hidden)",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert_eq!(rows, (2, 1, 0, HIDDEN.to_owned()), "all is as it was but for the row that it may add");
    let seen: Vec<(String,)> =
        sqlx::query_as("SELECT coalesce(query, '') FROM pg_stat_activity WHERE usename <> current_user")
            .fetch_all(&mut attacker.db)
            .await
            .unwrap();
    assert!(seen.iter().all(|(query,)| query.is_empty() || query == "<insufficient privilege>"), "{seen:?}");
    let all: String =
        sqlx::query_scalar("SELECT database_to_xml(true, true, '')::text").fetch_one(&mut attacker.db).await.unwrap();
    assert!(!all.contains(HIDDEN) && all.contains("numbers"), "{all}");
    let shown: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stats WHERE tablename = 'hidden'")
        .fetch_one(&mut attacker.db)
        .await
        .unwrap();
    assert_eq!(shown, 0);
}

/// The record 0022 says what a Bridge does against each of these.
#[tokio::test(flavor = "multi_thread")]
async fn what_everybody_may_do_on_postgres_is_what_the_record_says() {
    let site = site("openpg").await;
    let login = site.guest(json!({"numbers": ["select", "insert"]})).await;
    let mut attacker = Attacker::enter(&site, login).await;
    for sql in OPEN_TO_EVERYBODY {
        assert_eq!(attacker.run(sql).await, None, "{sql}");
    }
    // A temporary table is not taken for one of the project.
    drop(attacker);
    let login = site.guest(json!({"numbers": ["select", "insert"]})).await;
    let mut attacker = Attacker::enter(&site, login).await;
    assert_eq!(attacker.run("CREATE TEMP TABLE numbers (id text, number int)").await, None);
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM numbers").fetch_one(&mut attacker.db).await.unwrap();
    assert_eq!(found, 1, "the project's table has a row, the temporary one has none");
    // What PUBLIC has in other databases it has for a login too; of this project's tables there are none there.
    assert!(attacker.login.user.starts_with("stk_g_") && attacker.login.user.len() <= 32);
    // The settings that every session begins with.
    for (name, value) in [
        ("statement_timeout", "5min"),
        ("idle_in_transaction_session_timeout", "5min"),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, MDY"),
        ("search_path", "public, pg_temp"),
    ] {
        let shown: String =
            sqlx::query_scalar(AssertSqlSafe(format!("SHOW {name}"))).fetch_one(&mut attacker.db).await.unwrap();
        if name != "TimeZone" {
            assert_eq!(shown, value, "{name}");
        }
    }
}
