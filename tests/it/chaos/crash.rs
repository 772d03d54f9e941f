//! Servers that crash and come back, of the test's own.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_under_load_is_used_again_by_itself() {
    for engine in Engine::ALL {
        let mut server = engine.service().start().await.unwrap();
        let test = TestDatabase::create_on(engine, server.url()).await.unwrap();
        test.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)").await.unwrap();
        let settings = DatabaseSettings { pool_wait: Duration::from_secs(1), ..small(6) };
        let database = Arc::new(open(engine.as_str(), test.url(), &settings));
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let writers: Vec<_> = (0..4_i64)
            .map(|writer| {
                let (database, mut stopped) = (Arc::clone(&database), stopped.clone());
                tokio::spawn(async move {
                    let mut stored = Vec::new();
                    for number in 0.. {
                        if *stopped.borrow_and_update() {
                            break;
                        }
                        let id = writer * 1_000_000 + number;
                        match database.execute(&insertion(database.dialect(), id), deadline()).await {
                            Ok(_) => stored.push(id),
                            Err(error) => assert_is_away(error),
                        }
                    }
                    stored
                })
            })
            .collect();
        ends("the first rows", async { while count(&database).await.unwrap_or(0) < 20 {} }).await;
        server.kill().unwrap();
        ends("an error of a server that is away", async { while count(&database).await.is_ok() {} }).await;
        server.start_again().await.unwrap();
        let back = at_last("an answer of the server that is back", async || count(&database).await).await;
        ends("rows after the crash", async { while count(&database).await.unwrap_or(0) < back + 20 {} }).await;
        stop.send(true).unwrap();
        let mut stored = Vec::new();
        for writer in writers {
            stored.extend(ends("a writer", writer).await.unwrap());
        }
        // What was said to be stored is there: once, for the key is unique.
        let read = statement("SELECT id FROM t", &[], &[Type::Bigint]);
        let rows = at_last("all rows", async || database.rows(Mode::Read, &read, deadline()).await).await;
        let there: std::collections::BTreeSet<i64> = rows.iter().map(|row| integer(&row[0])).collect();
        let lost: Vec<_> = stored.iter().filter(|id| !there.contains(id)).collect();
        assert!(lost.is_empty(), "{engine:?}: {} of {} rows are lost", lost.len(), stored.len());
        drop(test);
    }
}
