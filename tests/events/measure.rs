//! What is measured of either side, by the same requests and in the same way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use santokit_tests::PlainClient;
use tokio::{task::JoinSet, time::sleep};

pub(crate) const KEY: &str = "x-santokit-api-key";
pub(crate) const PATH: &str = "/db/orders/insert";

const CALLERS: usize = 16;
const PUBLISHING: Duration = Duration::from_secs(2);
const BACKLOG: usize = 5_000;
/// Requests of which it is measured how soon they are handled, and the pause between two.
const TIMED: usize = 200;
const PAUSE: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(5);
const DONE_MAX: Duration = Duration::from_mins(3);

/// Who takes requests, and handles what they publish.
pub(crate) trait Side {
    /// Where a caller's requests are sent, and the key that they have. Callers are shared out, as by a balancer, where there are several places.
    fn entry(&self, caller: usize) -> (&str, &str);

    /// Publishes so many at once, past the requests.
    async fn backlog(&self, count: usize) -> Result<()>;

    /// Whether all is handled.
    async fn is_done(&self) -> Result<bool>;

    /// All that its processes have said.
    fn said(&self) -> Vec<String>;
}

/// Of one round, or their medians.
pub(crate) struct Figures {
    /// A second, by requests, while handlers run.
    pub(crate) published: f64,
    /// A second, of a backlog.
    pub(crate) handled: f64,
    /// From the request, which is longer than from the commit.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Figures {
    pub(crate) fn median(all: &[Self]) -> Self {
        let of = |which: fn(&Self) -> f64| median(&mut all.iter().map(which).collect::<Vec<f64>>());
        Self {
            published: of(|figures| figures.published),
            handled: of(|figures| figures.handled),
            p50_ms: of(|figures| figures.p50_ms),
            p99_ms: of(|figures| figures.p99_ms),
        }
    }
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One round of all.
pub(crate) async fn all(side: &impl Side) -> Result<Figures> {
    let published = published(side).await?;
    let handled = handled(side).await?;
    let (p50_ms, p99_ms) = soon(side).await?;
    Ok(Figures { published, handled, p50_ms, p99_ms })
}

async fn published(side: &impl Side) -> Result<f64> {
    let count = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    let started = Instant::now();
    for caller in 0..CALLERS {
        let (count, mut client) = (Arc::clone(&count), client(side, caller).await?);
        running.spawn(async move {
            while started.elapsed() < PUBLISHING {
                publish(&mut client, None).await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    let published = f64::from(u32::try_from(count.load(Ordering::Relaxed))?) / started.elapsed().as_secs_f64();
    until_done(side).await?;
    Ok(published)
}

/// A second, of what was there before.
pub(crate) async fn handled(side: &impl Side) -> Result<f64> {
    side.backlog(BACKLOG).await?;
    let started = Instant::now();
    // One more, so that everybody looks.
    publish(&mut client(side, 0).await?, None).await?;
    until_done(side).await?;
    Ok(f64::from(u32::try_from(BACKLOG + 1)?) / started.elapsed().as_secs_f64())
}

async fn soon(side: &impl Side) -> Result<(f64, f64)> {
    let before: Vec<usize> = side.said().iter().map(String::len).collect();
    let mut client = client(side, 0).await?;
    for _ in 0..TIMED {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        publish(&mut client, Some(now.as_secs_f64() * 1e3)).await?;
        sleep(PAUSE).await;
    }
    until_done(side).await?;
    let started = Instant::now();
    loop {
        let mut took = Vec::new();
        for (said, begun_at) in side.said().iter().zip(&before) {
            took.extend(microseconds(said.get(*begun_at..).context("what was said stays")?));
        }
        // What is handled is said a moment later.
        if took.len() < TIMED && started.elapsed() < Duration::from_secs(10) {
            sleep(PAUSE).await;
            continue;
        }
        ensure!(took.len() == TIMED, "{} of {TIMED} were told", took.len());
        took.sort_unstable_by(f64::total_cmp);
        return Ok((took[TIMED / 2] / 1e3, took[TIMED * 99 / 100] / 1e3));
    }
}

fn microseconds(said: &str) -> Vec<f64> {
    let number = |rest: &str| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        rest.get(..end)?.parse::<f64>().ok()
    };
    said.split("took ").skip(1).filter_map(number).collect()
}

async fn until_done(side: &impl Side) -> Result<()> {
    let started = Instant::now();
    while !side.is_done().await? {
        ensure!(started.elapsed() < DONE_MAX, "not all was handled: {:.4000}", side.said().join("\n"));
        sleep(LOOK).await;
    }
    Ok(())
}

async fn client(side: &impl Side, caller: usize) -> Result<PlainClient> {
    let (url, key) = side.entry(caller);
    Ok(PlainClient::connect(url).await?.with(KEY, key))
}

async fn publish(client: &mut PlainClient, sent_at: Option<f64>) -> Result<()> {
    let sent_at = sent_at.map(|at| format!(r#","sentAt":{at}"#)).unwrap_or_default();
    let body = format!(r#"{{"data":{{"title":"an order","totalCents":1200{sent_at}}}}}"#);
    let status = client.post(PATH, &body).await?;
    ensure!(status == 200, "{}", client.answer());
    Ok(())
}
