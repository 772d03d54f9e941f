//! A login that publishes events: it does not write them itself, and neither does who has its password. The procedure that does asks for a
//! token, writes for its own project and env, and goes with the login.

use santokit_core::{release::logins::Publisher, wire::GuestLogin};
use santokit_tests::Engine;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection};

use super::Site;

const TOPIC: &str = "name: placed\nschema: {note: {type: string}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    only_the_host_publishes(Engine::Postgres, "publishing-pg").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    only_the_host_publishes(Engine::Mysql, "publishing-my").await;
}

async fn only_the_host_publishes(engine: Engine, project: &'static str) {
    let site = Site::start(engine, project).await;
    site.grant("reads", "{numbers: [select]}");
    site.grant("tells", "{numbers: [select]}");
    site.lab.folder.write("events/topics/placed.yaml", TOPIC).unwrap();
    let manifest = site.lab.folder.path().join("logics/tells/logic.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("  secrets:", "  events: {publish: [placed]}\n  secrets:")).unwrap();
    site.apply(&[]).await;
    let silent = site.guest(json!({"numbers": ["select"]})).await;
    let telling = site.guest(json!({"numbers": ["select"], "stk_outbox": ["insert"]})).await;
    let publisher = Publisher::of(&telling.user, telling.password.expose());

    // What a session of the login can try, whoever has it.
    let call = |token: &str| called(engine, &publisher.procedure, token);
    let (hash, other) = (publisher.hash(), Publisher::of(&silent.user, silent.password.expose()));
    for text in [
        "INSERT INTO stk_outbox (id) VALUES ('evt_1')".to_owned(),
        "SELECT payload FROM stk_outbox".to_owned(),
        "DELETE FROM stk_outbox".to_owned(),
        call("NULL"),
        call("''"),
        call(&format!("'{hash}'")),
        call(&format!("'{}'", other.token.expose())),
    ] {
        assert!(run(&site, engine, &telling, &text).await.is_err(), "{engine:?} {text}");
    }
    // Another login has no part of it, token or not; nor has it one of its own.
    let token = format!("'{}'", publisher.token.expose());
    assert!(run(&site, engine, &silent, &call(&token)).await.is_err());
    assert!(run(&site, engine, &silent, &called(engine, &other.procedure, &token)).await.is_err());
    assert_eq!(count(&site, engine, "stk_outbox").await, 0);

    // The host does.
    run(&site, engine, &telling, &call(&token)).await.unwrap();
    let of_us = format!("stk_outbox WHERE project = '{project}' AND env = 'prod' AND topic = 'placed'");
    assert_eq!(count(&site, engine, &of_us).await, 1);

    // Applied again, it is as it was; somebody's changes are taken back.
    let broken = match engine {
        Engine::Mysql => format!("DROP PROCEDURE `{}`", publisher.procedure),
        Engine::Postgres => format!(
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO \"{}\"; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC",
            silent.user
        ),
    };
    site.database.execute(&broken).await.unwrap();
    site.lab.folder.write("logics/version.sql", "---\nauth: public\n---\nSELECT 2 AS number\n").unwrap();
    site.apply(&[]).await;
    assert!(run(&site, engine, &silent, &call(&token)).await.is_err(), "{engine:?}: it is one login's again");
    run(&site, engine, &telling, &call(&token).replace("evt_1", "evt_2")).await.unwrap();

    let routines = match engine {
        Engine::Mysql => {
            "information_schema.routines WHERE routine_schema = database() AND routine_name LIKE 'stk_p_%'"
        }
        Engine::Postgres => "pg_proc WHERE proname LIKE 'stk_p_%'",
    };
    assert_eq!(count(&site, engine, routines).await, 1);
    site.lab.done(&["env", "delete", "prod", "--yes"], "").await;
    assert_eq!(count(&site, engine, routines).await, 0, "{engine:?}: it goes with its login");
}

fn called(engine: Engine, procedure: &str, token: &str) -> String {
    let rest = "'evt_1', 'rel_1', 'placed', 'x', '2026-01-31 08:00:00', 'tells', NULL, 0, '2026-02-28 08:00:00'";
    match engine {
        Engine::Mysql => format!("CALL `{procedure}`({token}, {rest})"),
        Engine::Postgres => format!("SELECT \"{procedure}\"({token}, {rest})"),
    }
}

async fn run(site: &Site, engine: Engine, login: &GuestLogin, sql: &str) -> Result<(), sqlx::Error> {
    let (url, sql) = (site.url(login), AssertSqlSafe(sql.to_owned()));
    match engine {
        Engine::Mysql => MySqlConnection::connect(&url).await?.execute(sql).await.map(drop),
        Engine::Postgres => PgConnection::connect(&url).await?.execute(sql).await.map(drop),
    }
}

async fn count(site: &Site, engine: Engine, from: &str) -> i64 {
    let (url, sql) = (site.database.url(), AssertSqlSafe(format!("SELECT count(*) FROM {from}")));
    match engine {
        Engine::Mysql => {
            let mut db = MySqlConnection::connect(&url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap()
        }
        Engine::Postgres => {
            let mut db = PgConnection::connect(&url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap()
        }
    }
}
