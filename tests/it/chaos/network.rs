//! Connections that are cut, stall, and are refused.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_in_a_transaction_leaves_nothing() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(4)).await;
        let mut session = chaos.database.begin(Mode::Write, Share::Platform, deadline()).await.unwrap();
        insert(&mut session, 1).await.unwrap();
        chaos.proxy.cut().await;
        let error = insert(&mut session, 2).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Lost, "{engine:?} {error:?}");
        // It cannot go on somewhere else, as if nothing had happened.
        assert!(insert(&mut session, 3).await.is_err());
        assert!(session.commit(deadline()).await.is_err());
        drop(session);
        assert_eq!(chaos.count().await.unwrap(), 0, "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_on_connections_that_died_at_rest_are_done_on_others() {
    for engine in Engine::ALL {
        let chaos = Chaos::new(engine, small(8)).await;
        let all_at_once = || async {
            let sessions: Vec<_> =
                (0..8).map(|_| chaos.database.session(Mode::Read, Share::Platform, deadline())).collect();
            let sessions = futures_util::future::join_all(sessions).await;
            assert!(sessions.iter().all(Result::is_ok));
        };
        all_at_once().await;
        assert!(chaos.database.pool_use().1 > 1, "several rest");
        for _ in 0..3 {
            chaos.proxy.cut().await;
            let reads = futures_util::future::join_all((0..8).map(|_| chaos.count())).await;
            assert!(reads.iter().all(|read| matches!(read, Ok(0))), "{engine:?} {reads:?}");
            // A transaction that has not begun anything yet, too.
            chaos.proxy.cut().await;
            let begun = chaos.database.begin(Mode::Write, Share::Platform, deadline()).await;
            begun.unwrap().rollback(deadline()).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_keeps_no_place_of_the_pool() {
    for engine in Engine::ALL {
        let settings = DatabaseSettings { pool_wait: Duration::from_secs(1), ..small(2) };
        let chaos = Chaos::new(engine, settings).await;
        assert_eq!(chaos.count().await.unwrap(), 0);
        chaos.proxy.stall();
        let read = statement("SELECT count(*) FROM t", &[], &[Type::Bigint]);
        let stalled = (0..6).map(|_| async {
            let deadline = Instant::now() + Duration::from_secs(1);
            chaos.database.rows(Mode::Read, &read, deadline).await
        });
        for result in ends("statements on a stalled server", futures_util::future::join_all(stalled)).await {
            let error = result.unwrap_err();
            let told = [FailureKind::Interrupted, FailureKind::Exhausted, FailureKind::Unavailable];
            assert!(told.contains(&error.kind), "{engine:?} {error:?}");
        }
        ends("giving places back", async {
            while chaos.database.pool_use().0 > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        })
        .await;
        chaos.proxy.resume();
        for _ in 0..4 {
            assert_eq!(at_last("an answer after the stall", async || chaos.count().await).await, 0, "{engine:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_away_is_used_again_by_itself() {
    for engine in Engine::ALL {
        let settings = DatabaseSettings { pool_wait: Duration::from_millis(500), ..small(6) };
        let mut chaos = Chaos::new(engine, settings).await;
        let seen = Arc::new(Seen::default());
        let stopped = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..8)
            .map(|_| tokio::spawn(ask_until(Arc::clone(&stopped), Arc::clone(&chaos.database), Arc::clone(&seen))))
            .collect();
        for _ in 0..2 {
            ends("answers", seen.until_more(&seen.answers)).await;
            chaos.proxy.refuse().await;
            // It stays away for as long as it takes the load to notice.
            ends("refusals while the database is away", seen.until_more(&seen.refusals)).await;
            chaos.proxy.accept_again().await.unwrap();
            ends("answers of the database that is back", seen.until_more(&seen.answers)).await;
        }
        stopped.store(true, Ordering::Relaxed);
        for worker in workers {
            ends("the load", worker).await.unwrap();
        }
        for _ in 0..20 {
            at_last("an answer when the load is over", async || chaos.count().await).await;
        }
    }
}

/// What the workers of a load came to, in sum: how it is spread over them is the scheduler's matter.
#[derive(Default)]
struct Seen {
    answers: AtomicU64,
    refusals: AtomicU64,
}

impl Seen {
    /// Until there is one more than now.
    async fn until_more(&self, number: &AtomicU64) {
        let before = number.load(Ordering::Relaxed);
        while number.load(Ordering::Relaxed) == before {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

async fn ask_until(stopped: Arc<AtomicBool>, database: Arc<Database>, seen: Arc<Seen>) {
    while !stopped.load(Ordering::Relaxed) {
        match count(&database).await {
            Ok(_) => seen.answers.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                assert_is_away(error);
                seen.refusals.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_let_in_learns_nothing_of_the_url() {
    for engine in Engine::ALL {
        let server = TestDatabase::create(engine).await.unwrap();
        let url = server.url().replacen("://", "://nobody:planted-secret@", 1);
        let url = url.replacen("@postgres@", "@", 1).replacen("@root@", "@", 1);
        let database =
            open(engine.as_str(), url, &DatabaseSettings { pool_wait: Duration::from_millis(200), ..small(1) });
        let error = count(&database).await.unwrap_err();
        assert!(!format!("{error} {error:?} {}", error.message).contains("planted"), "{error:?}");
        assert_is_away(error);
    }
}
