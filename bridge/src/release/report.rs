//! Telling the Hub what runs here: after each change, and at every poll interval.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{release::VERSION, wire::Report};
use tokio::sync::{Notify, watch};

use super::{EnvSlot, fetch::HubClient};

/// Shortest time between two reports, so that a burst of changes is one report.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends reports until shutdown. A report that fails is not kept: the next one says it all.
pub async fn run(
    (hub, id, interval): (HubClient, String, Duration),
    slots: Arc<[Arc<EnvSlot>]>,
    changed: Arc<Notify>,
    mut shutdown: watch::Receiver<bool>,
) {
    loop {
        let report = now(&slots);
        if let Err(error) = hub.report(&id, &report).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the report did not reach the Hub");
        }
        tokio::select! {
            () = pause(&changed, interval) => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
    }
}

/// Until there is something to say.
async fn pause(changed: &Notify, interval: Duration) {
    if tokio::time::timeout(interval, changed.notified()).await.is_ok() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// What runs now.
pub fn now(slots: &[Arc<EnvSlot>]) -> Report {
    let now = Instant::now();
    Report { version: VERSION.to_owned(), envs: slots.iter().map(|slot| slot.report(now)).collect() }
}
