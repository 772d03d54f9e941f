//! A canary at this Bridge: what its requests came to within its window, of both releases, and whether one of its gates has closed.
//!
//! It is told the time and asks no clock. A gate that has closed stays closed for as long as the canary lasts, also over a restart: that is
//! kept on disk, because the Hub, which would take everyone back, may be away.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use santokit_core::{
    release::{
        Canary,
        canary::{Sample, Tripped, judge},
    },
    wire::Counts,
};
use tokio::{runtime::Handle, sync::Notify};

use super::cache::{Cache, Stopped};
use crate::config::EnvName;

/// A window is counted in so many parts; the oldest goes as a whole.
const PARTS: u32 = 12;

/// Which of the two releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What most get.
    Baseline,
    /// What the share gets.
    Candidate,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Answered, whatever with, below 500.
    Answered,
    /// Answered with 500 or above.
    Failed,
    /// Likewise, and the guest is to blame.
    LogicFailed,
    /// The caller went away before.
    GivenUp,
}

/// The counts of one canary, over changes of its share and its gates.
#[derive(Debug)]
pub struct Trial {
    salt: String,
    counted: Mutex<Counted>,
    stopped: OnceLock<Tripped>,
    /// Woken when a gate closes, so that the Hub learns of it at once.
    changed: Arc<Notify>,
    keeper: Option<Keeper>,
}

/// Where it is kept that a gate has closed.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Of this Bridge.
    pub cache: Cache,
    /// Whose canary it is.
    pub env: EnvName,
}

/// A request that is counted when it ends.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Where.
    pub trial: Arc<Trial>,
    /// As whose.
    pub side: Side,
}

#[derive(Debug)]
struct Counted {
    terms: Canary,
    began: Instant,
    sides: [Window; 2],
}

/// The sum of what was counted lately.
#[derive(Debug, Default)]
struct Window {
    /// By the number of the part of the window, the newest last.
    parts: VecDeque<(u64, Sample)>,
    sum: Sample,
    requests: u64,
    errors: u64,
}

impl Side {
    /// As in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Baseline => "baseline",
            Side::Candidate => "candidate",
        }
    }
}

impl Ending {
    /// As in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Ending::Answered => "ok",
            Ending::Failed => "error",
            Ending::LogicFailed => "logicFailed",
            Ending::GivenUp => "gone",
        }
    }
}

impl Trial {
    /// With nothing counted.
    pub fn new(terms: Canary, changed: Arc<Notify>, now: Instant) -> Self {
        let counted = Counted { terms: terms.clone(), began: now, sides: Default::default() };
        Self { salt: terms.salt, counted: Mutex::new(counted), stopped: OnceLock::new(), changed, keeper: None }
    }

    /// With what is kept of it, if its gate has closed before; and it is kept when one closes. Blocks.
    #[must_use]
    pub fn kept_by(mut self, keeper: Keeper) -> Self {
        if let Some(Stopped { gate, seen, .. }) =
            keeper.cache.stopped(&keeper.env).filter(|kept| kept.salt == self.salt)
        {
            let tripped = Tripped { gate, seen };
            tracing::warn!(env = %keeper.env, reason = %tripped, "a gate of the canary had closed before; everyone gets the baseline");
            self.stopped = OnceLock::from(tripped);
        }
        self.keeper = Some(keeper);
        self
    }

    /// Whether it is the canary of these terms.
    pub fn is_of(&self, terms: &Canary) -> bool {
        self.salt == terms.salt
    }

    /// Goes on with other terms of the same canary. Another window begins anew.
    pub fn go_on(&self, terms: &Canary) {
        let mut counted = self.counted();
        if counted.terms.window != terms.window {
            for side in &mut counted.sides {
                (side.parts, side.sum) = (VecDeque::new(), Sample::default());
            }
        }
        counted.terms = terms.clone();
    }

    /// The gate that has closed.
    pub fn stopped(&self) -> Option<&Tripped> {
        self.stopped.get()
    }

    /// Counts a request that has ended, and looks at the gates.
    pub fn count(&self, side: Side, ending: Ending, took: Duration, now: Instant) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let is_error = matches!(ending, Ending::Failed | Ending::LogicFailed);
        let mut counted = self.counted();
        counted.tidy(now);
        let part = counted.part(now);
        counted.sides[side as usize].add(part, micros, is_error, ending == Ending::LogicFailed);
        if side == Side::Candidate && self.stopped.get().is_none() {
            let [baseline, candidate] = &counted.sides;
            if let Some(tripped) = judge(&counted.terms, &baseline.sum, &candidate.sum) {
                drop(counted);
                self.stop(tripped);
            }
        }
    }

    /// What was counted of the baseline and of the candidate.
    pub fn counts(&self, now: Instant) -> [Counts; 2] {
        let mut counted = self.counted();
        counted.tidy(now);
        [&counted.sides[0], &counted.sides[1]].map(|side| Counts {
            window: side.sum.clone(),
            requests: side.requests,
            errors: side.errors,
        })
    }

    fn stop(&self, tripped: Tripped) {
        let kept = Stopped { salt: self.salt.clone(), gate: tripped.gate, seen: tripped.seen.clone() };
        let reason = tripped.to_string();
        if self.stopped.set(tripped).is_err() {
            return;
        }
        tracing::error!(reason, "a gate of the canary has closed; everyone gets the baseline again");
        self.changed.notify_one();
        // Not on the way of a request.
        if let (Some(keeper), Ok(runtime)) = (self.keeper.clone(), Handle::try_current()) {
            drop(runtime.spawn_blocking(move || keeper.keep(&kept)));
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    fn keep(&self, stopped: &Stopped) {
        if let Err(error) = self.cache.put_stopped(&self.env, stopped) {
            tracing::warn!(env = %self.env, %error, "that a gate has closed could not be kept; a restart without the Hub opens it again");
        }
    }
}

impl Counted {
    fn part(&self, now: Instant) -> u64 {
        let length = (self.terms.window.duration() / PARTS).max(Duration::from_millis(1));
        let since = now.saturating_duration_since(self.began);
        u64::try_from(since.as_millis() / length.as_millis()).unwrap_or(u64::MAX)
    }

    /// Forgets what is older than the window.
    fn tidy(&mut self, now: Instant) {
        let part = self.part(now);
        for side in &mut self.sides {
            while side.parts.front().is_some_and(|(number, _)| number.saturating_add(u64::from(PARTS)) <= part) {
                if let Some((_, old)) = side.parts.pop_front() {
                    side.sum.take(&old);
                }
            }
        }
    }
}

impl Window {
    fn add(&mut self, part: u64, micros: u64, is_error: bool, is_logic_failed: bool) {
        // Of two requests that end at once, the later may have looked at the clock first.
        if self.parts.back().is_none_or(|(number, _)| *number < part) {
            self.parts.push_back((part, Sample::default()));
        }
        if let Some((_, newest)) = self.parts.back_mut() {
            newest.add(micros, is_error, is_logic_failed);
        }
        self.sum.add(micros, is_error, is_logic_failed);
        self.requests += 1;
        self.errors += u64::from(is_error);
    }
}

#[cfg(test)]
mod tests {
    use santokit_core::{quantity::Millis, release::Digest};

    use super::*;

    fn terms(gates: &[&str]) -> Canary {
        Canary {
            release_id: "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            digest: Digest::of(b"candidate"),
            percent: 10,
            salt: "golden-salt".into(),
            gates: gates.iter().map(|gate| gate.parse().unwrap()).collect(),
            min_requests: 10,
            window: Millis(60_000),
        }
    }

    fn trial(gates: &[&str]) -> (Trial, Instant) {
        let now = Instant::now();
        (Trial::new(terms(gates), Arc::new(Notify::new()), now), now)
    }

    const TOOK: Duration = Duration::from_millis(3);

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let (trial, began) = trial(&["error-rate>50%"]);
        let at = |seconds| began + Duration::from_secs(seconds);
        // Nine old failures and nine new ones are not ten within a minute.
        for second in [0, 61] {
            for _ in 0..9 {
                trial.count(Side::Candidate, Ending::LogicFailed, TOOK, at(second));
            }
        }
        assert_eq!(trial.stopped(), None);
        let [baseline, candidate] = trial.counts(at(62));
        assert_eq!((baseline, candidate.window.requests, candidate.window.logic_failed), (Counts::default(), 9, 9));
        assert_eq!((candidate.requests, candidate.errors), (18, 18), "the totals are of all");
        trial.count(Side::Candidate, Ending::Failed, TOOK, at(62));
        assert_eq!(trial.stopped().unwrap().to_string(), "error-rate>50%: 100% of 10 requests failed");
        assert_eq!(trial.counts(at(200))[1].window, Sample::default());
    }

    #[test]
    fn a_closed_gate_stays_closed_and_is_told_once() {
        let (trial, now) = trial(&["error-rate>5%"]);
        for number in 0..30 {
            // The baseline may fail as it likes.
            trial.count(Side::Baseline, Ending::Failed, TOOK, now);
            trial.count(Side::Candidate, if number == 9 { Ending::Failed } else { Ending::Answered }, TOOK, now);
        }
        assert_eq!(trial.stopped().unwrap().seen, "10% of 10 requests failed");
        trial.go_on(&Canary { percent: 50, gates: Vec::new(), ..terms(&[]) });
        assert!(trial.stopped().is_some(), "no change of terms opens it");
    }

    #[test]
    fn a_caller_who_gives_up_counts_as_slow_and_not_as_failed() {
        let (trial, now) = trial(&["error-rate>0%", "p95>1s"]);
        for _ in 0..9 {
            trial.count(Side::Candidate, Ending::GivenUp, Duration::from_secs(30), now);
        }
        assert_eq!(trial.stopped(), None);
        trial.count(Side::Candidate, Ending::GivenUp, Duration::from_secs(30), now);
        assert_eq!(trial.stopped().unwrap().gate.to_string(), "p95>1s");
    }

    #[test]
    fn the_counts_go_on_over_a_change_of_the_share() {
        let (trial, now) = trial(&["error-rate>5%"]);
        trial.count(Side::Candidate, Ending::Answered, TOOK, now);
        trial.go_on(&Canary { percent: 20, ..terms(&["error-rate>1%"]) });
        assert!(trial.is_of(&terms(&[])) && !trial.is_of(&Canary { salt: "another-salt".into(), ..terms(&[]) }));
        assert_eq!(trial.counts(now)[1].window.requests, 1);
        trial.go_on(&Canary { window: Millis(120_000), ..terms(&[]) });
        let counts = &trial.counts(now)[1];
        assert_eq!((counts.window.requests, counts.requests), (0, 1), "another window begins anew");
    }

    #[test]
    fn memory_is_bounded_however_long_it_lasts() {
        let (trial, began) = trial(&[]);
        for second in 0..10_000 {
            trial.count(
                Side::Baseline,
                Ending::Answered,
                Duration::from_micros(second),
                began + Duration::from_secs(second),
            );
        }
        let counted = trial.counted();
        assert!(counted.sides[0].parts.len() <= PARTS as usize);
        drop(counted);
        assert!(trial.counts(began + Duration::from_secs(9_999))[0].window.requests <= 60);
    }
}
