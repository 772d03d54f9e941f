//! Deadlines that hold on the server, callers that go away, and a pool that is full.

use std::collections::{BTreeMap, BTreeSet};

use santokit_core::{
    logic::Verb,
    wire::{GuestLogin, RuntimeConnection, Sealed},
};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_is_stopped_on_the_server_and_its_connection_used_again() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(1)).await;
        let mut times_kept = 0;
        ends("a stopped statement whose connection is kept", async {
            // A machine that is too busy to stop it in time costs the connection, and nothing else.
            while times_kept < 2 {
                let before = chaos.connection_id().await;
                let slow = chaos.sleep();
                let deadline = Instant::now() + Duration::from_millis(300);
                let error = chaos.database.rows(Mode::Read, &slow, deadline).await.unwrap_err();
                assert_eq!(error.kind, FailureKind::Interrupted, "{engine:?} {error:?}");
                let problem = error.problem();
                let told = (problem.code.as_str(), &problem.details["limit"]);
                assert_eq!(told, ("INTERNAL_ERROR", &"queryTimeout".into()));
                if chaos.connection_id().await == before {
                    assert_eq!(chaos.running().await, 0, "{engine:?}");
                    times_kept += 1;
                }
                // The order to stop does not meet the next one.
                for _ in 0..3 {
                    assert_eq!(chaos.count().await.unwrap(), 0, "{engine:?}");
                }
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_takes_longer_than_the_settings_say() {
    for engine in Engine::ALL {
        let settings = DatabaseSettings { query_timeout: Duration::from_millis(300), ..small(1) };
        let chaos = Chaos::new(engine, settings).await;
        let slow = chaos.sleep();
        let error = ends("a slow statement", chaos.database.rows(Mode::Read, &slow, deadline())).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Interrupted, "{engine:?} {error:?}");
        chaos.until_running(0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_takes_its_statement_with_it() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(1)).await;
        let (database, slow) = (Arc::clone(&chaos.database), chaos.sleep());
        let call = tokio::spawn(async move { database.rows(Mode::Read, &slow, deadline()).await });
        chaos.until_running(1).await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        chaos.until_running(0).await;
        // And its place in the pool, of which there is one.
        assert_eq!(ends("the next statement", chaos.count()).await.unwrap(), 0, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_ends_its_transaction_and_no_other() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(2)).await;
        let mut session = chaos.database.begin(Mode::Write, Share::Platform, deadline()).await.unwrap();
        insert(&mut session, 1).await.unwrap();
        let slow = chaos.sleep();
        let error = session.rows(&slow, Instant::now() + Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Interrupted);
        assert!(insert(&mut session, 2).await.is_err(), "{engine:?}");
        assert!(session.commit(deadline()).await.is_err(), "{engine:?}");
        drop(session);
        assert_eq!(chaos.count().await.unwrap(), 0, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_refuses_and_recovers() {
    for engine in Engine::ALL {
        let settings = DatabaseSettings { pool_wait: Duration::from_millis(300), ..small(2) };
        let chaos = Chaos::new(engine, settings).await;
        let take = async || chaos.database.session(Mode::Write, Share::Platform, deadline()).await;
        let held = [at_last("a place", take).await, at_last("a place", take).await];
        assert_eq!(chaos.database.pool_use().0, 2);
        let error = take().await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Exhausted);
        let problem = error.problem();
        assert_eq!((problem.code.as_str(), &problem.details["limit"]), ("SERVICE_UNAVAILABLE", &"poolSize".into()));
        drop(held);
        assert_eq!(at_last("a place that is free again", async || chaos.count().await).await, 0, "{engine:?}");
        assert_eq!(chaos.database.pool_use().0, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_cannot_take_the_whole_pool() {
    for engine in Engine::ALL {
        let settings = DatabaseSettings { guest_pool_size: Some(1), pool_wait: Duration::from_millis(300), ..small(2) };
        let chaos = Chaos::new(engine, settings).await;
        let guest = async || chaos.database.begin(Mode::Write, Share::Guest, deadline()).await;
        let held = at_last("the one place of guests", guest).await;
        assert_eq!(guest().await.unwrap_err().kind, FailureKind::Exhausted);
        assert_eq!(at_last("a place of the platform's", async || chaos.count().await).await, 0, "{engine:?}");
        drop(held);
        at_last("a guest's place", guest).await;
    }
}

/// Guests' SQL runs as logins, each with connections of its own: all of them together are within the bound.
#[tokio::test(flavor = "multi_thread")]
async fn logins_of_guests_cannot_take_the_whole_pool() {
    for engine in Engine::ALL {
        let server = TestDatabase::create(engine).await.unwrap();
        // Which login it is matters to the database alone.
        let user = server.name();
        let (made, gone) = match engine {
            Engine::Postgres => (format!("CREATE ROLE {user} LOGIN PASSWORD 'guest'"), format!("DROP ROLE {user}")),
            Engine::Mysql => (
                format!("CREATE USER {user} IDENTIFIED BY 'guest'; GRANT SELECT ON {user}.* TO {user}"),
                format!("DROP USER {user}"),
            ),
        };
        server.execute(&made).await.unwrap();
        let login = |table: &str| GuestLogin {
            tables: BTreeMap::from([(table.to_owned(), BTreeSet::from([Verb::Select]))]),
            user: user.to_owned(),
            password: Sealed::new("guest"),
        };
        let logins = ["a", "b"].map(login);
        let connection = RuntimeConnection {
            engine: engine.as_str().to_owned(),
            url: Sealed::new(server.url()),
            guests: logins.to_vec(),
        };
        let settings = DatabaseSettings { guest_pool_size: Some(1), pool_wait: Duration::from_millis(300), ..small(2) };
        let database = Database::open("main", &connection, &settings).unwrap();
        let guest = async |at: usize| database.guest_session(&logins[at].tables, deadline()).await;
        let held = at_last("the one place of guests", async || guest(0).await).await;
        assert_eq!(guest(1).await.unwrap_err().kind, FailureKind::Exhausted, "{engine:?}");
        let platform = async || database.session(Mode::Read, Share::Platform, deadline()).await;
        drop(at_last("a place of the platform's", platform).await);
        drop(held);
        at_last("a guest's place", async || guest(1).await).await;
        let unknown = guest_session_of_nobody(&database).await;
        assert_eq!(unknown.kind, FailureKind::Unavailable, "{engine:?} {unknown:?}");
        drop(database);
        server.execute(&gone).await.unwrap();
    }
}

/// Powers that no login has.
async fn guest_session_of_nobody(database: &Database) -> DbError {
    database.guest_session(&BTreeMap::new(), deadline()).await.unwrap_err()
}
