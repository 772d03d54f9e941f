//! What transactions leave behind, and what happens to them after a failure.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_open_is_rolled_back_before_the_connection_is_used_again() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(1)).await;
        let before = chaos.connection_id().await;
        for id in 0..3 {
            let mut session = chaos.database.begin(Mode::Write, Share::Platform, deadline()).await.unwrap();
            insert(&mut session, id).await.unwrap();
            drop(session);
            assert_eq!(chaos.count().await.unwrap(), 0, "{engine:?}");
        }
        assert_eq!(chaos.connection_id().await, before, "{engine:?}");
        // What is not left open is stored.
        chaos.database.execute(&insertion(chaos.database.dialect(), 7), deadline()).await.unwrap();
        let mut session = chaos.database.begin(Mode::Write, Share::Platform, deadline()).await.unwrap();
        insert(&mut session, 8).await.unwrap();
        session.commit(deadline()).await.unwrap();
        drop(session);
        assert_eq!(chaos.count().await.unwrap(), 2, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_only_the_way_back_is_open() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(2)).await;
        let mut session = chaos.database.begin(Mode::Write, Share::Platform, deadline()).await.unwrap();
        insert(&mut session, 1).await.unwrap();
        session.savepoint(0, deadline()).await.unwrap();
        insert(&mut session, 2).await.unwrap();
        let error = insert(&mut session, 1).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Unique, "{engine:?} {error:?}");
        assert_eq!(error.problem().code.as_str(), "CONFLICT");
        assert!(insert(&mut session, 3).await.is_err(), "{engine:?}");
        session.rollback_to(0, deadline()).await.unwrap();
        insert(&mut session, 4).await.unwrap();
        session.release(0, deadline()).await.unwrap();
        session.commit(deadline()).await.unwrap();
        drop(session);
        assert_eq!(chaos.count().await.unwrap(), 2, "{engine:?}");

        let mut session = chaos.database.begin(Mode::Write, Share::Platform, deadline()).await.unwrap();
        insert(&mut session, 10).await.unwrap();
        insert(&mut session, 10).await.unwrap_err();
        // A commit that stores nothing must not look like one that does.
        assert!(session.commit(deadline()).await.is_err(), "{engine:?}");
        drop(session);
        assert_eq!(chaos.count().await.unwrap(), 2, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loser_of_a_deadlock_may_try_again_and_stores_nothing_alone() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(4)).await;
        for id in [1, 2] {
            chaos.database.execute(&insertion(chaos.database.dialect(), id), deadline()).await.unwrap();
        }
        let both = tokio::sync::Barrier::new(2);
        let transaction = |first: i64, second: i64| {
            let (chaos, both) = (&chaos, &both);
            async move {
                let mut session = chaos.database.begin(Mode::Write, Share::Platform, deadline()).await.unwrap();
                let update = |id: i64| statement(&format!("UPDATE t SET n = n + 10 WHERE id = {id}"), &[], &[]);
                session.execute(&update(first), deadline()).await.unwrap();
                both.wait().await;
                let done = session.execute(&update(second), deadline()).await;
                let Err(error) = done else { return session.commit(deadline()).await };
                // MySQL has rolled back by itself: the next statement would be stored at once.
                assert!(insert(&mut session, 3).await.is_err());
                assert!(session.commit(deadline()).await.is_err());
                Err(error)
            }
        };
        let (a, b) = ends("a deadlock", async { tokio::join!(transaction(1, 2), transaction(2, 1)) }).await;
        let errors: Vec<DbError> = [a, b].into_iter().filter_map(Result::err).collect();
        assert_eq!(errors.len(), 1, "{engine:?} {errors:?}");
        assert!(errors[0].kind.is_retryable(), "{engine:?} {errors:?}");
        assert_eq!(chaos.count().await.unwrap(), 2, "{engine:?}");
        let sum = statement("SELECT CAST(sum(n) AS DECIMAL(20,0)) FROM t", &[], &[Type::Bigint]);
        let rows = chaos.database.rows(Mode::Read, &sum, deadline()).await.unwrap();
        assert_eq!(integer(&rows[0][0]), 23, "one of the two was stored, and wholly");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_changes_is_read_on_with_the_statements_of_before() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(2)).await;
        chaos.database.execute(&insertion(chaos.database.dialect(), 1), deadline()).await.unwrap();
        let read = statement("SELECT n FROM t", &[], &[Type::Decimal]);
        for (kind, expected) in [("DECIMAL(30,2)", "1"), ("BIGINT", "1"), ("DECIMAL(10,0)", "1")] {
            for _ in 0..2 {
                let rows = chaos.database.rows(Mode::Read, &read, deadline()).await;
                let rows = rows.unwrap_or_else(|error| panic!("{engine:?} {kind}: {error} {}", error.message));
                let Value::Typed(_, digits) = &rows[0][0] else { panic!("{rows:?}") };
                assert_eq!(digits.trim_end_matches(".00"), expected, "{engine:?}");
            }
            let alter = match engine {
                Engine::Postgres => format!("ALTER TABLE t ALTER COLUMN n TYPE {kind}"),
                Engine::Mysql => format!("ALTER TABLE t MODIFY n {kind} NOT NULL"),
            };
            chaos.server.execute(&alter).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_the_same_whatever_the_server_is_set_to() {
    let chaos = Chaos::new(Engine::Postgres, small(1)).await;
    let name = chaos.server.name();
    let odd = format!(
        "ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'; ALTER DATABASE {name} SET standard_conforming_strings = off; \
         ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    );
    chaos.server.execute(&odd).await.unwrap();
    let asked = "SELECT current_setting('timezone') || current_setting('standard_conforming_strings') || \
        current_setting('transaction_isolation')";
    let rows = chaos.database.rows(Mode::Read, &statement(asked, &[], &[Type::String]), deadline()).await.unwrap();
    assert_eq!(rows, [[Value::Text("UTConread committed".to_owned())]]);

    let chaos = Chaos::new(Engine::Mysql, small(1)).await;
    let asked = "SELECT CONCAT(@@time_zone, ' ', @@sql_mode LIKE '%STRICT_ALL_TABLES%', \
        @@sql_mode LIKE '%NO_BACKSLASH_ESCAPES%', @@sql_mode LIKE '%ANSI_QUOTES%', ' ', @@collation_connection, ' ', \
        @@character_set_results, ' ', '\\\\')";
    let rows = chaos.database.rows(Mode::Read, &statement(asked, &[], &[Type::String]), deadline()).await.unwrap();
    let Value::Text(told) = &rows[0][0] else { panic!("{rows:?}") };
    assert!(told.starts_with("+00:00 110 utf8mb4_") && told.ends_with("_bin utf8mb4 \\\\"), "{told}");
}
