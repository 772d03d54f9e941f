//! Bridges over one PostgreSQL tell one another of events. What is told is a reason to look and no more, whoever tells it; and where it does not get
//! through, events are found by looking.

use std::time::{Duration, Instant};

use reqwest::Url;
use santokit_tests::{Engine, TestDatabase};
use serde_json::{Value as Json, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, postgres::PgListener};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{Asking, WAIT, fleet::lab, server};

/// The longest that there is: who waits for it has failed. What is told of comes well before.
const POLL: (&str, &str) = ("STK_BRIDGE_EVENTS_POLL_INTERVAL", "1m");
const AT_ONCE: Duration = Duration::from_secs(45);

/// Between two words of a Bridge, at least.
const GAP: Duration = Duration::from_millis(20);

/// Of the connections that listen in a database.
const LISTENING: &str = "SELECT query FROM pg_stat_activity WHERE datname = current_database() \
    AND application_name = 'santokit-bridge listens' AND query LIKE 'LISTEN%'";

/// An event that no Bridge tells of.
const BY_HAND: &str = "INSERT INTO stk_outbox (id, project, env, release, topic, payload, published_at, published_by, depth, expires_at) \
    SELECT 'evt_by_hand', project, env, release, topic, payload, published_at, published_by, depth, expires_at FROM stk_outbox LIMIT 1";

/// The one channel that so many Bridges listen on.
async fn channel(database: &TestDatabase, bridges: usize) -> String {
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    let began = Instant::now();
    loop {
        let rows = connection.fetch_all(LISTENING).await.unwrap();
        let mut channels: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)).collect();
        if channels.len() == bridges {
            channels.dedup();
            assert_eq!(channels.len(), 1, "{channels:?}");
            return channels[0].split('"').nth(1).unwrap().to_owned();
        }
        assert!(began.elapsed() < WAIT, "{channels:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bridges_on_postgres_tell_one_another() {
    let (database, _) = server(Engine::Postgres).await;
    let url = database.url();
    let more = "timeout: 2s\nretry: {maxRetries: 5, minBackoff: 10ms, maxBackoff: 50ms}\n";
    let lab = lab("told", Some((Engine::Postgres, url.clone())), &[("loose", "loose", more)]).await;
    let (one, other) = (lab.bridge("one", &[POLL]).await, lab.bridge("other", &[POLL]).await);
    lab.apply().await;
    let channel = channel(&database, 2).await;
    let mut heard = PgListener::connect(&url).await.unwrap();
    heard.listen(&channel).await.unwrap();

    // Many events are few words, with nothing of the events in them.
    let asking = Asking::at(&one);
    let began = Instant::now();
    let events = (0..40).map(|number| asking.publish(json!({"action": "note", "number": number, "key": "planted"})));
    futures_util::future::join_all(events).await;
    asking.until("handled", "all forty", |rows| rows.len() == 40).await;
    let took = began.elapsed();
    let mut words = Vec::new();
    while let Ok(word) = tokio::time::timeout(Duration::from_secs(1), heard.recv()).await {
        words.push(word.unwrap().payload().to_owned());
    }
    // Bridges ask now and then whether they are heard.
    words.retain(|word| !word.starts_with("probe "));
    // On a machine that is busy with others they come one by one, and then each is told of.
    let most = 2 + usize::try_from(took.as_millis() / GAP.as_millis()).unwrap();
    assert!((1..=most).contains(&words.len()), "{} in {took:?}: {words:?}", words.len());
    assert!(words.iter().all(|word| word.starts_with("brg_")), "{words:?}");

    // Whatever a stranger tells, and however often: each Bridge looks, and finds what is there.
    let mut stranger = PgConnection::connect(&url).await.unwrap();
    for word in ["''", "'probe 0'", "'; DROP TABLE stk_outbox; --'", "repeat('x', 7000)"] {
        let flood = format!("SELECT pg_notify('{channel}', {word} || n) FROM generate_series(1, 500) AS n");
        stranger.execute(AssertSqlSafe(flood)).await.unwrap();
    }
    stranger.execute(BY_HAND).await.unwrap();
    let began = Instant::now();
    stranger.execute(AssertSqlSafe(format!("SELECT pg_notify('{channel}', 'look')"))).await.unwrap();
    let is_there = |rows: &[Json]| rows.iter().any(|row| row["event"] == "evt_by_hand");
    asking.until("handled", "what was there when a stranger told", is_there).await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());

    // The other one knows of an event whose Bridge is killed in the middle, and takes it when the claim is over.
    let event = asking.publish(json!({"action": "spin", "number": 1_500})).await;
    asking.until("rows", "it is tried", |rows| rows.iter().any(|row| row["claim"].is_string())).await;
    drop(asking);
    let began = Instant::now();
    one.kill().await.unwrap();
    let asking = Asking::at(&other);
    asking.until("handled", "by the other", |rows| rows.iter().any(|row| row["event"] == json!(event))).await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_proxy_refuses_to_listen_events_are_found_by_looking() {
    unheard("refused", ("LISTEN \"stk_events", "LISTAN \"stk_events")).await;
}

/// As a pooler does that gives each transaction another session.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_proxy_swallows_what_is_told_events_are_found_by_looking() {
    unheard("swallowed", ("LISTEN \"stk_events", "LISTEN \"xxx_events")).await;
}

async fn unheard(name: &'static str, (from, to): (&'static str, &'static str)) {
    let (database, _) = server(Engine::Postgres).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut url = Url::parse(&database.url_via(listener.local_addr().unwrap()).unwrap()).unwrap();
    // In TLS the proxy would read nothing.
    url.query_pairs_mut().append_pair("sslmode", "disable");
    let target = database.address().unwrap();
    let proxy = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(changed(client, target.clone(), from, to));
        }
    });
    let lab = lab(name, Some((Engine::Postgres, url.into())), &[("loose", "loose", "")]).await;
    let quick = ("STK_BRIDGE_EVENTS_POLL_INTERVAL", "200ms");
    let bridge = lab.bridge("one", &[quick]).await;
    lab.apply().await;
    let asking = Asking::at(&bridge);
    let began = Instant::now();
    while !bridge.output().contains("are found by looking alone") {
        assert!(began.elapsed() < WAIT, "nobody was warned: {}", bridge.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for number in 0..5 {
        asking.publish(json!({"action": "note", "number": number})).await;
    }
    asking.until("handled", "all five", |rows| rows.len() == 5).await;
    // It is tried again, and told once.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(bridge.output().matches("are found by looking alone").count(), 1, "{}", bridge.output());
    proxy.abort();
}

/// Passes what a client sends with a word changed, and what it is answered as it is.
async fn changed(client: TcpStream, target: String, from: &str, to: &str) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let answers = async { tokio::io::copy(&mut from_server, &mut to_client).await.map(drop) };
    let asks = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = from_client.read(&mut buffer).await?;
            if count == 0 {
                return Ok::<(), std::io::Error>(());
            }
            let sent = &mut buffer[..count];
            if let Some(at) = sent.windows(from.len()).position(|window| window == from.as_bytes()) {
                sent[at..at + from.len()].copy_from_slice(to.as_bytes());
            }
            to_server.write_all(sent).await?;
        }
    };
    tokio::select! { _ = answers => {} _ = asks => {} }
}
