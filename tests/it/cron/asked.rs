//! What an operator asks of any Bridge: the next one is asked where nobody has heard it, and not where somebody may have.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpListener};

use super::{ID, lab, ticks, until, until_operated};

/// Behind the other in every list.
const NEXT: &str = "brg_01ARZ3NDEKTSV4RRFFQ69G5FZ1";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_not_triggered_twice_because_an_answer_is_lost() {
    let lab = lab("heard", &[("rare", "schedule: \"0 0 29 2 *\"\nhandler: logics/tick")]).await;
    // Where the first Bridge says that it takes operators, requests are heard, and nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let deaf = format!("http://{}", listener.local_addr().unwrap());
    let heard: Arc<AtomicUsize> = Arc::default();
    let counted = Arc::clone(&heard);
    let listening = tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let length = connection.read(&mut [0; 4_096]).await.unwrap_or(0);
            counted.fetch_add(usize::from(length > 0), Ordering::Relaxed);
        }
    });
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let settings = [("STK_BRIDGE_ID", ID), ("STK_BRIDGE_ADMIN_LISTEN", "127.0.0.1:0"), ("STK_BRIDGE_ADMIN_URL", &deaf)];
    let _first = lab.bridge("one", &settings).await;
    let settings = [("STK_BRIDGE_ID", NEXT), ("STK_BRIDGE_ADMIN_LISTEN", &listen), ("STK_BRIDGE_ADMIN_URL", &url)];
    let next = lab.bridge("two", &settings).await;
    lab.apply().await;
    until_operated(&lab, &deaf).await;
    until_operated(&lab, &url).await;

    let lost = lab.stk(&["cron", "trigger", "rare"], "").await;
    assert!(lost.code == 1 && format!("{lost:?}").contains("it may have done it"), "{lost:?}");
    assert_eq!(heard.load(Ordering::Relaxed), 1);
    // What changes nothing is asked of the next one.
    let status = lab.done(&["cron", "status", "rare"], "").await;
    assert_eq!((&status["runs"], heard.load(Ordering::Relaxed)), (&json!([]), 2), "nobody runs it: {status}");

    // Whom nobody can reach has heard nothing.
    listening.abort();
    drop(listening.await);
    let run = lab.done(&["cron", "trigger", "rare"], "").await["run"].clone();
    let is_ok = |runs: &[serde_json::Value]| runs.iter().any(|one| one["id"] == run && one["outcome"] == "ok");
    until(&next, "rare", "the next one has run it", is_ok).await;
    assert_eq!(ticks(&next).await, 1);
}
