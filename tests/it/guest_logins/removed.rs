//! An env is removed: the users that the Hub has made on its server go with it, or it is told which are left.

use santokit_tests::{Engine, FaultProxy, TestDatabase};
use serde_json::json;

use super::Site;

#[tokio::test(flavor = "multi_thread")]
async fn logins_go_with_their_env_or_are_named() {
    let database = TestDatabase::create(Engine::Postgres).await.unwrap();
    let mut proxy = FaultProxy::start(database.address().unwrap()).await.unwrap();
    let site = Site::start_on(database, "leaving").await;
    let via = site.database.url_via(proxy.address()).unwrap();
    site.connect(&via, &[]).await;
    site.grant("reads", "{numbers: [select]}");
    site.apply(&[]).await;
    let login = site.guests().await.remove(0);
    let exists = async || {
        let mut db = <sqlx::PgConnection as sqlx::Connection>::connect(&site.database.url()).await.unwrap();
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_roles WHERE rolname = $1")
            .bind(&login.user)
            .fetch_one(&mut db)
            .await
            .unwrap();
        count == 1
    };
    assert!(exists().await);

    // The server cannot be reached: nothing is removed that could not be found again.
    proxy.refuse().await;
    let refused = site.lab.stk(&["env", "delete", "prod", "--yes"], "").await;
    let error = &refused.json()["error"];
    assert_eq!(
        (refused.code, &error["code"], &error["details"]["logins"]),
        (1, &json!("CONFLICT"), &json!([login.user]))
    );
    assert!(exists().await);
    proxy.accept_again().await.unwrap();
    let gone = site.lab.done(&["env", "delete", "prod", "--yes"], "").await;
    assert_eq!(gone["leftLogins"], json!([]), "{gone}");
    assert!(!exists().await, "it is gone from the server");
    let dropped = site.deeds().await.into_iter().filter(|(action, _)| action == "guestlogin.drop").count();
    assert_eq!(dropped, 1);
}
