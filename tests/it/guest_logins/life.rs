//! How logins come to be, are corrected, get successors, and go.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use reqwest::Method;
use santokit_core::wire::{GuestLogin, Sealed};
use santokit_tests::{Engine, Service, TestDatabase};
use serde_json::{Value as Json, json};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};

use super::{Site, counted};

/// A query that touches no table.
const QUERY: &str = "---\nreturns: one\n---\nSELECT 1 AS one\n";
/// As long ago as a login is old, and as long as nobody needs a retired one.
const AGE: &str = "UPDATE guest_logins SET made_at = '2020-01-01T00:00:00.000Z' WHERE retired_at IS NULL";
const PASS: &str = "UPDATE guest_logins SET retired_at = '2020-01-01T00:00:00.000Z' WHERE retired_at IS NOT NULL";
/// Nothing that an env could go back to.
const FORGET: &str = "DELETE FROM pointer_moves";

impl Site {
    async fn restart(&mut self) {
        self.lab.kill_hub().await;
        self.lab.revive_hub().await;
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self).await {
            assert!(began.elapsed() < Duration::from_secs(30), "it is not {what}: {}", self.lab.hub().output());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn can_enter(&self, login: &GuestLogin) -> bool {
        match self.database.engine() {
            Engine::Postgres => PgConnection::connect(&self.url(login)).await.is_ok(),
            Engine::Mysql => MySqlConnection::connect(&self.url(login)).await.is_ok(),
        }
    }

    /// Whether a statement works as a login.
    async fn may(&self, login: &GuestLogin, sql: &str) -> bool {
        let (url, sql) = (self.url(login), AssertSqlSafe(sql.to_owned()));
        match self.database.engine() {
            Engine::Postgres => PgConnection::connect(&url).await.unwrap().execute(sql).await.is_ok(),
            Engine::Mysql => MySqlConnection::connect(&url).await.unwrap().execute(sql).await.is_ok(),
        }
    }

    /// Whether the server has a user.
    async fn has(&self, user: &str) -> bool {
        let count: i64 = match self.database.engine() {
            Engine::Postgres => {
                let mut db = PgConnection::connect(&self.database.url()).await.unwrap();
                let count = sqlx::query_scalar("SELECT count(*) FROM pg_roles WHERE rolname = $1").bind(user);
                count.fetch_one(&mut db).await.unwrap()
            }
            Engine::Mysql => {
                let mut db = MySqlConnection::connect(&self.database.url()).await.unwrap();
                let count = sqlx::query_scalar("SELECT count(*) FROM mysql.user WHERE user = ?").bind(user);
                count.fetch_one(&mut db).await.unwrap()
            }
        };
        count > 0
    }
}

fn names(all: &[GuestLogin]) -> Vec<&str> {
    all.iter().map(|login| login.user.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_makes_one_login_for_each_set_of_powers_on_postgres() {
    makes_one_for_each(Engine::Postgres, "eachpg").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_makes_one_login_for_each_set_of_powers_on_mysql() {
    makes_one_for_each(Engine::Mysql, "eachmy").await;
}

async fn makes_one_for_each(engine: Engine, project: &'static str) {
    let site = Site::start(engine, project).await;
    assert!(site.guests().await.is_empty(), "nobody needs one");
    site.grant("reads", "{numbers: [select]}");
    site.grant("reads-too", "{numbers: [select]}");
    site.grant("writes", "{numbers: [select, insert], orders: [delete]}");
    site.lab.folder.write("queries/one.sql", QUERY).unwrap();
    let manifest = "component: {path: it.wasm}\nauth: public\ngrants: {queries: [one], secrets: [TOKEN], config: [greeting], \
                    sql: [{connection: main, tables: {numbers: [select]}}]}\n";
    site.grant("asks", "{numbers: [select]}");
    site.lab.folder.write("logics/asks/logic.yaml", manifest).unwrap();

    let looked = site.lab.done(&["apply", "--dry-run"], "").await;
    let expected =
        json!(["+ main: nothing", "+ main: select on numbers", "+ main: select, insert on numbers; delete on orders",]);
    assert_eq!(looked["changes"]["login"], expected, "{looked}");
    assert!(site.guests().await.is_empty() && site.deeds().await.is_empty(), "who only looks makes nothing");

    let answer = site.apply(&[]).await;
    assert_eq!(answer["changes"]["login"], expected, "{answer}");
    let guests = site.guests().await;
    let powers: BTreeSet<String> = guests.iter().map(|login| json!(login.tables).to_string()).collect();
    assert_eq!(guests.len(), 3);
    assert_eq!(
        powers.iter().map(String::as_str).collect::<Vec<_>>(),
        [r#"{"numbers":["select","insert"],"orders":["delete"]}"#, r#"{"numbers":["select"]}"#, "{}"]
    );
    let reads = site.guest(json!({"numbers": ["select"]})).await;
    assert!(site.may(&reads, "SELECT * FROM numbers").await && !site.may(&reads, "DELETE FROM orders").await);
    let writes = site.guest(json!({"numbers": ["select", "insert"], "orders": ["delete"]})).await;
    assert!(site.may(&writes, "DELETE FROM orders").await && !site.may(&writes, "SELECT * FROM orders").await);
    may_do_nothing(&site, &site.guest(json!({})).await).await;

    let deeds = site.deeds().await;
    assert_eq!(counted(deeds.iter().map(|(action, _)| action.as_str())), [("guestlogin.create", 3)].into());
    for login in &guests {
        let told = deeds.iter().filter(|(_, detail)| detail["user"] == json!(login.user)).count();
        assert_eq!(told, 1);
        assert!(
            !json!(deeds.iter().map(|(_, detail)| detail).collect::<Vec<_>>())
                .to_string()
                .contains(login.password.expose())
        );
        assert!(!site.lab.hub().output().contains(login.password.expose()));
    }
    let again = site.apply(&[]).await;
    assert!(again["changes"]["login"].is_null(), "{again}");
    assert_eq!(names(&site.guests().await), names(&guests));
    assert_eq!(site.deeds().await.len(), 3);
}

/// One without powers logs in, and that is all. On MySQL it can name no database.
async fn may_do_nothing(site: &Site, login: &GuestLogin) {
    if site.database.engine() == Engine::Postgres {
        assert!(site.may(login, "SELECT 1").await && !site.may(login, "SELECT * FROM numbers").await);
        return;
    }
    assert!(!site.can_enter(login).await);
    let mut url = reqwest::Url::parse(&site.url(login)).unwrap();
    url.set_path("/");
    let mut db = MySqlConnection::connect(url.as_str()).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>("SELECT 1").fetch_one(&mut db).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_takes_back_what_somebody_changed_on_postgres() {
    let site = Site::start(Engine::Postgres, "backpg").await;
    site.grant("reads", "{numbers: [select]}");
    site.apply(&[]).await;
    let login = site.guest(json!({"numbers": ["select"]})).await;
    let user = &login.user;
    let before = site.guests().await;
    for change in [
        format!("GRANT DELETE ON numbers TO {user}"),
        format!("GRANT SELECT (secret) ON hidden TO {user}"),
        format!("GRANT CREATE ON SCHEMA public TO {user}"),
        format!("GRANT SELECT ON numbers TO {user} WITH GRANT OPTION"),
        format!("REVOKE SELECT ON numbers FROM {user} CASCADE"),
        format!("GRANT pg_read_all_data TO {user}"),
        format!("ALTER ROLE {user} CREATEDB CREATEROLE INHERIT CONNECTION LIMIT 7"),
        format!("ALTER ROLE {user} SET search_path TO pg_catalog"),
        format!("ALTER ROLE {user} IN DATABASE {} SET search_path TO pg_catalog", site.database.name()),
        format!("ALTER ROLE {user} NOLOGIN"),
    ] {
        site.database.execute(&change).await.unwrap();
        site.apply(&[]).await;
        assert!(site.may(&login, "SELECT id FROM numbers").await, "{change}");
        for denied in
            ["DELETE FROM numbers", "SELECT secret FROM hidden", "CREATE TABLE mine (id int)", "CREATE ROLE mine"]
        {
            assert!(!site.may(&login, denied).await, "{change}: {denied}");
        }
    }
    let mut db = PgConnection::connect(&site.database.url()).await.unwrap();
    let role: (bool, bool, bool, i32) =
        sqlx::query_as("SELECT rolinherit, rolcreatedb, rolcreaterole, rolconnlimit FROM pg_roles WHERE rolname = $1")
            .bind(user)
            .fetch_one(&mut db)
            .await
            .unwrap();
    assert_eq!(role, (false, false, false, 40));
    assert_eq!(names(&site.guests().await), names(&before), "the same logins");

    // Somebody dropped it: it comes back as it was.
    let gone = format!("DROP OWNED BY {user}; DROP ROLE {user}");
    site.database.execute(&gone).await.unwrap();
    site.apply(&[]).await;
    assert!(site.may(&login, "SELECT id FROM numbers").await);
    // What no Hub may take away blocks the release, with the statement that does.
    site.database.execute(&format!("ALTER ROLE {user} BYPASSRLS")).await.unwrap();
    let error = site.refused().await;
    assert_eq!(error["code"], "RELEASE_BLOCKED", "{error}");
    for statement in error["details"]["statements"].as_array().unwrap() {
        site.database.execute(statement.as_str().unwrap()).await.unwrap();
    }
    site.apply(&[]).await;
    // What it owns is no reason to stop, but is told.
    PgConnection::connect(&site.url(&login)).await.unwrap().execute("SELECT lo_from_bytea(4712, 'x')").await.unwrap();
    let warned = site.apply(&[]).await["changes"]["warning"].to_string();
    assert!(warned.contains("owns large object 4712"), "{warned}");
    site.database.execute("GRANT SELECT ON hidden TO PUBLIC").await.unwrap();
    let warned = site.apply(&[]).await["changes"]["warning"].to_string();
    assert!(warned.contains("PUBLIC may select public.hidden"), "{warned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_takes_back_what_somebody_changed_on_mysql() {
    let site = Site::start(Engine::Mysql, "backmy").await;
    site.grant("reads", "{numbers: [select]}");
    site.apply(&[]).await;
    let login = site.guest(json!({"numbers": ["select"]})).await;
    let (user, name) = (format!("'{}'@'%'", login.user), site.database.name());
    for change in [
        format!("GRANT DELETE ON numbers TO {user}"),
        format!("GRANT SELECT (secret) ON hidden TO {user}"),
        format!("GRANT ALL ON {name}.* TO {user}"),
        format!("GRANT FILE ON *.* TO {user}"),
        format!("GRANT SELECT ON numbers TO {user} WITH GRANT OPTION"),
        format!("REVOKE SELECT ON numbers FROM {user}"),
        format!("ALTER USER {user} IDENTIFIED BY 'somebody-else-1'"),
        format!("ALTER USER {user} ACCOUNT LOCK"),
        format!("DROP USER {user}"),
    ] {
        site.database.execute(&change).await.unwrap();
        site.apply(&[]).await;
        assert!(site.may(&login, "SELECT id FROM numbers").await, "{change}");
        for denied in ["DELETE FROM numbers", "SELECT secret FROM hidden", "CREATE TABLE mine (id int)"] {
            assert!(!site.may(&login, denied).await, "{change}: {denied}");
        }
    }
    // What everybody has is told, and blocks nobody.
    let mut db = MySqlConnection::connect(&site.database.url()).await.unwrap();
    let version: String = sqlx::query_scalar("SELECT CAST(version() AS CHAR)").fetch_one(&mut db).await.unwrap();
    if version.contains("MariaDB") {
        site.database.execute("GRANT SELECT ON hidden TO PUBLIC").await.unwrap();
        let warned = site.apply(&[]).await["changes"]["warning"].to_string();
        let tested = site.lab.done(&["connections", "test", "main"], "").await.to_string();
        site.database.execute("REVOKE SELECT ON hidden FROM PUBLIC").await.unwrap();
        for told in [warned, tested] {
            assert!(told.contains(&format!("PUBLIC may SELECT ON `{name}`.`hidden`")), "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gets_a_successor_and_goes_when_nothing_needs_it_on_postgres() {
    comes_and_goes(Engine::Postgres, "goespg").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gets_a_successor_and_goes_when_nothing_needs_it_on_mysql() {
    comes_and_goes(Engine::Mysql, "goesmy").await;
}

async fn comes_and_goes(engine: Engine, project: &'static str) {
    let site = Site::start(engine, project).await;
    site.grant("reads", "{numbers: [select]}");
    site.apply(&[]).await;
    let first = site.guest(json!({"numbers": ["select"]})).await;
    // Rotation: both are given, the newer one first, until Bridges have had their time.
    assert_eq!(site.store(AGE).await, 1);
    let answer = site.apply(&[]).await;
    assert_eq!(answer["changes"]["login"], json!(["~ main: select on numbers"]), "{answer}");
    let guests = site.guests().await;
    assert_eq!((guests.len(), &guests[1].user), (2, &first.user));
    let second = guests[0].clone();
    assert_ne!(second.password.expose(), first.password.expose());
    assert!(site.can_enter(&first).await && site.can_enter(&second).await);
    site.apply(&[]).await;
    assert_eq!(site.guests().await.len(), 2, "an hour has not passed");
    site.store(PASS).await;
    // Sessions that are open do not keep it.
    let open = session(&site, &first).await;
    site.apply(&[]).await;
    assert_eq!(names(&site.guests().await), [second.user.as_str()]);
    assert!(!site.has(&first.user).await && site.can_enter(&second).await);
    assert!(!open.can_read().await, "its sessions are ended, or may do nothing");

    // What the env could go back to is kept.
    site.ungrant("reads");
    site.apply(&[]).await;
    site.store(PASS).await;
    site.apply(&[]).await;
    assert_eq!(names(&site.guests().await), [second.user.as_str()]);
    site.store(FORGET).await;
    site.apply(&[]).await;
    assert_eq!(names(&site.guests().await), [second.user.as_str()], "retired now, and given for an hour");
    site.store(PASS).await;
    site.apply(&[]).await;
    assert!(site.guests().await.is_empty() && !site.has(&second.user).await);
    let deeds = site.deeds().await;
    let actions: Vec<&str> = deeds.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["guestlogin.create", "guestlogin.rotate", "guestlogin.drop", "guestlogin.drop"]);
    assert_eq!(deeds[1].1["insteadOf"], json!(first.user));
    assert_eq!(
        deeds[3].1,
        json!({"connection": "main", "user": second.user, "powers": "{\"numbers\":[\"select\"]}", "dropped": true})
    );
}

/// A server that asks for passwords, as those of other people do.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens_a_login_of_postgres_and_one_that_it_changed_is_set_again() {
    let server = Service::Postgres.start().await.unwrap();
    let database = TestDatabase::create_on(Engine::Postgres, server.url()).await.unwrap();
    let mut admin = PgConnection::connect(&database.url()).await.unwrap();
    let rules: String = sqlx::query_scalar("SHOW hba_file").fetch_one(&mut admin).await.unwrap();
    let rules = format!(
        "COPY (VALUES ('host all postgres 127.0.0.1/32 trust'), ('host all all 127.0.0.1/32 scram-sha-256')) TO '{rules}'"
    );
    admin.execute(AssertSqlSafe(rules)).await.unwrap();
    admin.execute("SELECT pg_reload_conf()").await.unwrap();

    let site = Site::start_on(database, "asked").await;
    site.grant("reads", "{numbers: [select]}");
    site.apply(&[]).await;
    let login = site.guest(json!({"numbers": ["select"]})).await;
    assert!(site.can_enter(&login).await);
    let wrong = GuestLogin { password: Sealed::new("0".repeat(64)), ..login.clone() };
    assert!(!site.can_enter(&wrong).await);
    assert!(site.may(&login, "ALTER ROLE CURRENT_USER PASSWORD 'of-its-own'").await);
    assert!(!site.can_enter(&login).await, "it has locked its Bridges out");
    let warned = site.apply(&[]).await["changes"]["warning"].to_string();
    assert!(warned.contains("was changed by somebody else"), "{warned}");
    assert!(site.can_enter(&login).await, "with the password that Bridges have");
    let quiet = site.apply(&[]).await;
    assert!(quiet["changes"]["warning"].is_null(), "{quiet}");
}

/// Without an apply: when it starts, and then every ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_rotates_and_drops_by_itself() {
    let mut site = Site::start(Engine::Postgres, "tended").await;
    site.grant("reads", "{numbers: [select]}");
    site.apply(&[]).await;
    let first = site.guest(json!({"numbers": ["select"]})).await;
    site.store(AGE).await;
    site.restart().await;
    site.until("rotated", async |site| site.guests().await.len() == 2).await;
    site.store(PASS).await;
    site.restart().await;
    site.until("dropped", async |site| !site.has(&first.user).await).await;
    assert_eq!(site.guests().await.len(), 1);
    let by: Vec<Json> =
        site.lab.hub().operate(Method::GET, "/v1/audit?limit=1000", &Json::Null).await.unwrap()["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["action"] == "guestlogin.rotate" || entry["action"] == "guestlogin.drop")
            .map(|entry| entry["actorType"].clone())
            .collect();
    assert_eq!(by, [json!("system"), json!("system")]);
}

enum Session {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

async fn session(site: &Site, login: &GuestLogin) -> Session {
    match site.database.engine() {
        Engine::Postgres => Session::Postgres(PgConnection::connect(&site.url(login)).await.unwrap()),
        Engine::Mysql => Session::Mysql(MySqlConnection::connect(&site.url(login)).await.unwrap()),
    }
}

impl Session {
    async fn can_read(self) -> bool {
        match self {
            Session::Postgres(mut db) => db.execute("SELECT id FROM numbers").await.is_ok(),
            Session::Mysql(mut db) => db.execute("SELECT id FROM numbers").await.is_ok(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_killed_in_between_leaves_no_login_behind_that_nobody_knows() {
    for (engine, project) in [(Engine::Postgres, "killpg"), (Engine::Mysql, "killmy")] {
        let site = Site::start(engine, project).await;
        site.grant("reads", "{numbers: [select]}");
        site.apply(&[]).await;
        let login = site.guest(json!({"numbers": ["select"]})).await;
        // As where the Hub ended after it made the user, and before it said so.
        let unsaid = "UPDATE guest_logins SET made_at = NULL, retired_at = created_at";
        site.store(unsaid).await;
        assert!(site.guests().await.is_empty(), "what may be half made is not given");
        site.apply(&[]).await;
        assert_eq!(names(&site.guests().await), [login.user.as_str()]);
        assert!(site.can_enter(&login).await);
        // And where nobody needs it any more.
        site.store(unsaid).await;
        site.ungrant("reads");
        site.store(PASS).await;
        site.apply(&[]).await;
        assert!(!site.has(&login.user).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_leads_elsewhere_leaves_its_logins_for_an_hour() {
    for (engine, project) in [(Engine::Postgres, "movepg"), (Engine::Mysql, "movemy")] {
        let mut site = Site::start(engine, project).await;
        site.grant("reads", "{numbers: [select]}");
        site.apply(&[]).await;
        let old = site.guest(json!({"numbers": ["select"]})).await;
        let elsewhere = TestDatabase::create(engine).await.unwrap();
        site.connect(&elsewhere.url(), &[]).await;
        assert!(site.guests().await.is_empty(), "those of another database open nothing here");
        site.apply(&["--accept-drift"]).await;
        let new = site.guest(json!({"numbers": ["select"]})).await;
        assert_ne!(new.user, old.user);
        assert!(site.can_enter(&old).await, "Bridges that have not asked yet use it");
        site.store(PASS).await;
        site.apply(&[]).await;
        assert!(!site.has(&old.user).await && site.has(&new.user).await);
        // One that is removed leaves them too.
        site.database = elsewhere;
        site.lab.done(&["connections", "delete", "main", "--yes"], "").await;
        let own = site.database.url();
        site.connect(&own, &[]).await;
        assert!(site.guests().await.is_empty());
        site.store(PASS).await;
        site.apply(&[]).await;
        assert!(!site.has(&new.user).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_envs_on_one_database_have_logins_of_their_own() {
    let site = Site::start(Engine::Postgres, "twoenvs").await;
    site.grant("reads", "{numbers: [select]}");
    site.lab.done(&["env", "create", "test"], "").await;
    let args = ["connections", "set", "main", "--env", "test", "--engine", "postgres", "--url-stdin"];
    site.lab.done(&args, &site.database.url()).await;
    let apply = |env: &'static str| ["apply", "--accept-grants", "--yes", "--wait", "0", "--env", env];
    let (prod, test) = (apply("prod"), apply("test"));
    // At once: they take turns at the database.
    let (one, other) = tokio::join!(site.lab.done(&prod, ""), site.lab.done(&test, ""));
    assert_eq!((&one["moved"], &other["moved"]), (&json!(true), &json!(true)));
    let deeds = site.deeds().await;
    let users: BTreeSet<String> = deeds.iter().map(|(_, detail)| detail["user"].to_string()).collect();
    assert_eq!(users.len(), 2, "{deeds:?}");
    let own = site.guests().await;
    assert_eq!(own.len(), 1);
    assert!(site.may(&own[0], "SELECT id FROM numbers").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_has_the_logins_that_it_needs() {
    let site = Site::start(Engine::Postgres, "backwards").await;
    site.grant("reads", "{numbers: [select]}");
    let first: Json = site.apply(&[]).await;
    site.grant("reads", "{orders: [select]}");
    site.apply(&[]).await;
    let login = site.guest(json!({"numbers": ["select"]})).await;
    site.database.execute(&format!("REVOKE SELECT ON numbers FROM {}", login.user)).await.unwrap();
    let id = first["releaseId"].as_str().unwrap();
    site.lab.done(&["release", "rollback", "--to", id, "--accept-grants", "--wait", "0"], "").await;
    assert!(site.may(&login, "SELECT id FROM numbers").await);
    // Promoted to an env that never had one.
    site.lab.done(&["env", "create", "test"], "").await;
    let args = ["connections", "set", "main", "--env", "test", "--engine", "postgres", "--url-stdin"];
    site.lab.done(&args, &site.database.url()).await;
    let promote = ["release", "promote", id, "--env", "test", "--accept-grants"];
    let looked = site.lab.done(&[&promote[..], &["--dry-run"]].concat(), "").await;
    assert_eq!(looked["changes"]["login"], json!(["+ main: select on numbers"]), "{looked}");
    let done = site.lab.done(&[&promote[..], &["--wait", "0", "--yes"]].concat(), "").await;
    assert_eq!(done["changes"]["login"], looked["changes"]["login"]);
}
