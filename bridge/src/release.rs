//! What this Bridge runs for each env, and how sure it is of it: the running generation, its age, and a refused successor.
//!
//! The parts below it bring a release here: `watch` (when), `fetch` (from the Hub), `cache` (on disk), `report` (back to the
//! Hub). No request waits for any of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwapOption;
use santokit_core::{
    access::Actor,
    wire::{EnvReport, EnvState, Refused},
};

use sync::Syncs;

use crate::{config::EnvName, generation::Generation};

pub mod cache;
pub mod canary;
pub mod fetch;
pub mod probe;
pub mod report;
pub mod serving;
pub mod sync;
pub mod watch;

use canary::Tally;
use serving::{Origin, Serving};

/// One env that this Bridge serves.
#[derive(Debug)]
pub struct EnvSlot {
    /// Which one.
    pub name: EnvName,
    /// Those who want the watcher to look at once.
    pub syncs: Syncs,
    bounds: Bounds,
    serving: ArcSwapOption<Serving>,
    standing: Mutex<Standing>,
}

/// The settings that decide the state of an env.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// As configured; a release confirmed within two of them is fresh.
    pub poll_interval: Duration,
    /// After this long, requests are refused.
    pub max_stale: Duration,
    /// After this long, a canary's candidate is not served any more.
    pub canary_max_stale: Duration,
}

/// What is known about an env beside its generation.
#[derive(Clone, Debug, Default)]
struct Standing {
    confirmed: Option<Confirmed>,
    refused: Option<Refused>,
    /// Why nothing is loaded, for `/readyz`.
    waiting_for: Option<String>,
    /// Jobs that have failed too often, as they were seen last.
    stopped_jobs: BTreeSet<String>,
}

/// The last time that the Hub said which release is current. The clock of the machine is read once, at a restart.
#[derive(Clone, Copy, Debug)]
struct Confirmed {
    noted: Instant,
    age_then: Duration,
}

/// The state that follows from what is loaded and how long ago the Hub confirmed it.
pub fn state_of(loaded: bool, age: Option<Duration>, bounds: Bounds) -> EnvState {
    match age {
        _ if !loaded => EnvState::Empty,
        Some(age) if age <= bounds.poll_interval * 2 => EnvState::Fresh,
        Some(age) if age < bounds.max_stale => EnvState::Stale,
        _ => EnvState::Expired,
    }
}

impl EnvSlot {
    /// An env for which nothing is loaded yet.
    pub fn new(name: EnvName, bounds: Bounds) -> Self {
        let standing = Standing { waiting_for: Some("the first answer of the Hub".to_owned()), ..Standing::default() };
        Self { name, syncs: Syncs::default(), bounds, serving: ArcSwapOption::empty(), standing: Mutex::new(standing) }
    }

    /// The baseline, whatever its age.
    pub fn generation(&self) -> Option<Arc<Generation>> {
        self.serving.load().as_ref().map(|serving| serving.baseline.clone())
    }

    /// The baseline and the candidate.
    pub fn serving(&self) -> Option<Arc<Serving>> {
        self.serving.load_full()
    }

    /// Whether the pointer names a candidate.
    pub fn has_canary(&self) -> bool {
        self.serving.load().as_ref().is_some_and(|serving| serving.canary.is_some())
    }

    /// The generation of a release, or the baseline where it has gone meanwhile.
    pub fn running(&self, release_id: &str) -> Option<Arc<Generation>> {
        let serving = self.serving()?;
        let found = serving.generations().into_iter().find(|generation| generation.release_id == release_id);
        Some(found.unwrap_or_else(|| serving.baseline.clone()))
    }

    /// The generation of the two that a caller's request pins, and where it is counted.
    pub fn pick(&self, actor: &Actor, origin: Origin<'_>, now: Instant) -> Option<(Arc<Generation>, Option<Tally>)> {
        let serving = self.serving.load();
        Some(serving.as_ref()?.pick(actor, origin, self.is_canary_away(now)))
    }

    /// Swaps what is served, in one step, and gives back what was before.
    pub fn swap(&self, next: Serving) -> Option<Arc<Serving>> {
        let previous = self.serving.swap(Some(Arc::new(next)));
        let mut standing = self.standing();
        standing.refused = None;
        standing.waiting_for = None;
        previous
    }

    /// Notes that the Hub confirmed the pointer now.
    pub fn confirm(&self) {
        self.standing().confirmed = Some(Confirmed { noted: Instant::now(), age_then: Duration::ZERO });
    }

    /// Notes when it did so before a restart. A time in the future counts as never: the clock went back.
    pub fn confirm_at(&self, then: SystemTime) {
        let confirmed = SystemTime::now().duration_since(then).ok();
        self.standing().confirmed = confirmed.map(|age_then| Confirmed { noted: Instant::now(), age_then });
    }

    /// Notes that a release was not loaded; what runs goes on running.
    pub fn refuse(&self, refused: Refused) {
        self.standing().refused = Some(refused);
    }

    /// Forgets a refusal that was not of this pointer: of one before it, or of one whose signatures did not hold.
    pub fn accept(&self, sequence: u64) {
        let mut standing = self.standing();
        standing.refused = standing.refused.take().filter(|refused| refused.sequence == sequence);
    }

    /// Notes why there is nothing to run yet.
    pub fn wait_for(&self, what: impl Into<String>) {
        self.standing().waiting_for = Some(what.into());
    }

    /// Notes which jobs have failed too often and do not run by themselves any more.
    pub fn stop_jobs(&self, names: BTreeSet<String>) {
        self.standing().stopped_jobs = names;
    }

    /// Time since the Hub last confirmed the pointer.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let confirmed = self.standing().confirmed?;
        Some(confirmed.age_then + now.saturating_duration_since(confirmed.noted))
    }

    /// The state at a time.
    pub fn state(&self, now: Instant) -> EnvState {
        state_of(self.serving.load().is_some(), self.age(now), self.bounds)
    }

    /// Why requests are refused, or what an operator should look at. None: all is well. It is for anyone who can reach the
    /// Bridge: what exactly is wrong with a release is in [`EnvSlot::report`] and the log.
    pub fn reason(&self, now: Instant) -> Option<String> {
        let standing = self.standing().clone();
        let refused = standing.refused.map(|refused| match refused.release_id.as_str() {
            "" => format!("the Hub's pointer was refused ({})", refused.code),
            release => format!("release {release} was refused ({})", refused.code),
        });
        match self.state(now) {
            EnvState::Empty => refused.or_else(|| standing.waiting_for.map(|what| format!("waiting for {what}"))),
            EnvState::Expired => Some("the Hub has not confirmed the release for longer than maxStale".to_owned()),
            EnvState::Stale => Some("the Hub is away; serving the last good release".to_owned()),
            EnvState::Fresh => refused,
        }
    }

    /// The keys of this env that were used since the process started, and when.
    pub fn keys_used(&self) -> BTreeMap<String, String> {
        let mut used = BTreeMap::new();
        for generation in self.serving().iter().flat_map(|serving| serving.generations()) {
            for (id, time) in generation.runtime.load().keys_used() {
                let latest: &mut String = used.entry(id).or_default();
                // As texts they are in the order of time.
                *latest = time.max(std::mem::take(latest));
            }
        }
        used
    }

    /// The Hub's view of this env; the use of keys is told by who sends it.
    pub fn report(&self, now: Instant) -> EnvReport {
        let serving = self.serving();
        let generation = serving.as_ref().map(|serving| &serving.baseline);
        let canary = serving.as_ref().and_then(|serving| serving.report(self.is_canary_away(now), now));
        // Once: what it is taken from stays locked to the end of the answer.
        let Standing { refused, stopped_jobs, .. } = self.standing().clone();
        EnvReport {
            project: self.name.project.clone(),
            env: self.name.env.clone(),
            state: self.state(now),
            release_id: generation.map(|generation| generation.release_id.clone()),
            sequence: generation.map_or(0, |generation| generation.sequence),
            cache_age_seconds: self.age(now).map_or(0, |age| age.as_secs()),
            refused,
            keys_used: BTreeMap::new(),
            stopped_jobs,
            canary,
        }
    }

    /// Whether the Hub has not confirmed the pointer for so long that no candidate may be served: it may have ended the canary.
    fn is_canary_away(&self, now: Instant) -> bool {
        self.age(now).is_none_or(|age| age >= self.bounds.canary_max_stale)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use santokit_core::code::Code;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        poll_interval: Duration::from_secs(30),
        max_stale: Duration::from_hours(1),
        canary_max_stale: Duration::from_mins(2),
    };

    #[test]
    fn the_state_follows_the_age() {
        let state = |seconds| state_of(true, Some(Duration::from_secs(seconds)), BOUNDS);
        assert_eq!(state_of(false, Some(Duration::ZERO), BOUNDS), EnvState::Empty);
        assert_eq!(state(0), EnvState::Fresh);
        assert_eq!(state(60), EnvState::Fresh);
        assert_eq!(state(61), EnvState::Stale);
        assert_eq!(state(3599), EnvState::Stale);
        assert_eq!(state(3600), EnvState::Expired);
        assert_eq!(state_of(true, None, BOUNDS), EnvState::Expired, "a cache whose age is unknown is too old");
    }

    #[test]
    fn a_refusal_lasts_as_long_as_its_pointer() {
        let slot = EnvSlot::new(EnvName::parse("shop/dev").unwrap(), BOUNDS);
        let refuse = |sequence| {
            let message = "why".to_owned();
            slot.refuse(Refused { release_id: String::new(), sequence, code: Code::ReleaseBlocked, message });
        };
        for (refused, accepted, is_kept) in [(7, 7, true), (7, 8, false), (0, 7, false)] {
            refuse(refused);
            slot.accept(accepted);
            assert_eq!(slot.report(Instant::now()).refused.is_some(), is_kept, "{refused} then {accepted}");
        }
    }

    #[test]
    fn the_age_goes_on_over_a_restart() {
        let slot = EnvSlot::new(EnvName::parse("shop/dev").unwrap(), BOUNDS);
        assert_eq!(slot.age(Instant::now()), None);
        slot.confirm_at(SystemTime::now() - Duration::from_secs(100));
        let later = Instant::now() + Duration::from_secs(10);
        assert!(slot.age(later).unwrap() >= Duration::from_secs(110));
        slot.confirm_at(SystemTime::now() + Duration::from_secs(1000));
        assert_eq!(slot.age(later), None);
        slot.confirm();
        assert!(slot.age(Instant::now()).unwrap() < Duration::from_secs(1));
        assert_eq!(slot.state(Instant::now()), EnvState::Empty);
        assert!(slot.reason(Instant::now()).unwrap().contains("waiting for"));
    }
}
