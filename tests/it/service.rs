//! The harness's own servers and databases: what other tests stand on.

use santokit_tests::{Engine, Service, TestDatabase};
use sqlx::{Connection, MySqlConnection, PgConnection};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_made_for_a_test_and_goes_with_it() {
    for engine in Engine::ALL {
        let database = TestDatabase::create(engine).await.unwrap();
        database.execute("CREATE TABLE t (a integer); INSERT INTO t VALUES (1)").await.unwrap();
        let other = TestDatabase::create(engine).await.unwrap();
        assert!(other.execute("SELECT a FROM t").await.is_err(), "two databases are one");
        let url = database.url();
        drop(database);
        assert!(!opens(engine, &url).await, "{engine:?}: the database is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_a_tests_own_can_be_killed_and_keeps_its_data() {
    for engine in Engine::ALL {
        let mut server = engine.service().start().await.unwrap();
        let database = TestDatabase::create_on(engine, server.url()).await.unwrap();
        database.execute("CREATE TABLE t (a integer)").await.unwrap();
        server.kill().unwrap();
        assert!(!opens(engine, &database.url()).await, "{engine:?} still answers");
        server.start_again().await.unwrap();
        database.execute("INSERT INTO t VALUES (1)").await.unwrap();
        server.stop().unwrap();
        assert!(!opens(engine, &database.url()).await, "{engine:?} still answers");
        server.start_again().await.unwrap();
        let url = server.url().to_owned();
        drop(database);
        drop(server);
        assert!(!opens(engine, &url).await, "{engine:?} outlives its test");
    }
}

/// A MariaDB that starts removes temporary tables from the folder that it is told: not those of another that runs on this machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_of_a_tests_own_shares_no_folder_for_temporary_tables() {
    let server = Service::Mysql.start().await.unwrap();
    let mut connection = MySqlConnection::connect(server.url()).await.unwrap();
    let folder: String = sqlx::query_scalar("SELECT CAST(@@tmpdir AS CHAR)").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let (folder, shared) = (std::path::Path::new(&folder), std::env::temp_dir());
    assert!(folder != shared && folder.starts_with(&shared), "{}", folder.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_found_or_started() {
    assert!(Service::Redis.url().await.unwrap().starts_with("redis://"));
    let mut own = Service::Redis.start().await.unwrap();
    own.kill().unwrap();
    own.start_again().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_is_found_or_started() {
    assert!(Service::Nats.url().await.unwrap().starts_with("nats://"));
    let mut own = Service::Nats.start().await.unwrap();
    own.stop().unwrap();
    own.lose_data().unwrap();
    own.start_again().await.unwrap();
    own.kill().unwrap();
    own.start_again().await.unwrap();
}

async fn opens(engine: Engine, url: &str) -> bool {
    match engine {
        Engine::Postgres => PgConnection::connect(url).await.is_ok(),
        Engine::Mysql => MySqlConnection::connect(url).await.is_ok(),
    }
}
