//! Telling the Hub what runs here and how the process is doing: after each change, and at every poll interval.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{SecondsFormat, Utc};
use santokit_core::{
    release::{VERSION, VerifyingKey},
    wire::{AdminListener, Report, Standing, build},
};
use tokio::sync::{Notify, watch};

use super::{EnvSlot, fetch::HubClient};
use crate::{
    broker::Broker,
    config::{BridgeConfig, EnvName},
    metrics::Metrics,
};

/// Shortest time between two reports, so that a burst of changes is one report.
const PAUSE: Duration = Duration::from_millis(50);

/// While a canary lasts, the Hub looks at what is counted here.
const OF_CANARY: Duration = Duration::from_secs(5);

/// The use of keys by env, as the Hub was told it last.
type Told = BTreeMap<EnvName, BTreeMap<String, String>>;

/// Knows what there is to report, and what was.
#[derive(Debug)]
pub struct Reporter {
    hub: HubClient,
    config: Arc<BridgeConfig>,
    slots: Arc<[Arc<EnvSlot>]>,
    metrics: Arc<Metrics>,
    broker: Option<Arc<Broker>>,
    started: Instant,
    told: Mutex<Told>,
}

impl Reporter {
    /// Of a Bridge that starts now.
    pub fn new(
        hub: HubClient,
        config: Arc<BridgeConfig>,
        slots: Arc<[Arc<EnvSlot>]>,
        metrics: Arc<Metrics>,
        broker: Option<Arc<Broker>>,
    ) -> Self {
        Self { hub, config, slots, metrics, broker, started: Instant::now(), told: Mutex::default() }
    }

    /// Sends reports until shutdown. A report that fails is not kept: the next one says it all.
    pub async fn run(self: Arc<Self>, changed: Arc<Notify>, mut shutdown: watch::Receiver<bool>) {
        loop {
            self.send().await;
            tokio::select! {
                () = pause(&changed, self.interval()) => {}
                _ = shutdown.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// So that nobody waits for this Bridge. Without it the Hub forgets it by itself, later.
    pub async fn say_goodbye(&self) {
        let goodbye = Report { version: VERSION.to_owned(), envs: Vec::new(), standing: None };
        if let Err(error) = self.hub.report(&self.config.id, &goodbye).await {
            tracing::debug!(error = &error as &dyn Error, "the last report did not reach the Hub");
        }
    }

    /// What runs now.
    pub fn now(&self) -> Report {
        let now = Instant::now();
        let envs = self.slots.iter().map(|slot| slot.report(now)).collect();
        Report { version: VERSION.to_owned(), envs, standing: Some(self.standing()) }
    }

    fn interval(&self) -> Duration {
        let has_canary = self.slots.iter().any(|slot| slot.has_canary());
        if has_canary { self.config.poll_wait().min(OF_CANARY) } else { self.config.poll_wait() }
    }

    async fn send(&self) {
        let (mut report, mut told) = (self.now(), Told::new());
        for (slot, env) in self.slots.iter().zip(&mut report.envs) {
            let used = slot.keys_used();
            let before = self.told().get(&slot.name).cloned().unwrap_or_default();
            env.keys_used = used.clone().into_iter().filter(|(id, time)| before.get(id) != Some(time)).collect();
            told.insert(slot.name.clone(), used);
        }
        match self.hub.report(&self.config.id, &report).await {
            Ok(()) => *self.told() = told,
            Err(error) => tracing::debug!(error = &error as &dyn Error, "the report did not reach the Hub"),
        }
    }

    fn standing(&self) -> Standing {
        let trust = &self.config.trust;
        Standing {
            build: build(),
            uptime_seconds: self.started.elapsed().as_secs(),
            sent_at: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            every_seconds: self.config.poll_wait().as_secs().max(1),
            trusted_keys: trust.signers.iter().map(|keys| keys.iter().map(VerifyingKey::id).collect()).collect(),
            required_signers: trust.required,
            limits_hit: self.metrics.limits_hit(),
            hub_failures: self.metrics.polls_failed(),
            events_wait: self.broker.as_ref().is_some_and(|broker| !broker.is_there()),
            seals_cache: self.config.cache_key.is_some(),
            admin: self.config.admin.as_ref().map(|admin| AdminListener {
                url: admin.url.as_ref().map(ToString::to_string),
                keys: self.config.admin_keys().iter().map(VerifyingKey::id).collect(),
            }),
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until there is something to say.
async fn pause(changed: &Notify, interval: Duration) {
    if tokio::time::timeout(interval, changed.notified()).await.is_ok() {
        tokio::time::sleep(PAUSE).await;
    }
}
