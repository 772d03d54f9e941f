//! What there is to do for a job at a time. Pure: the job's row and the database's time are given in.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use santokit_core::cron::{Every, Schedule, Times};

/// Before an interval, where times are told.
pub const EVERY: &str = "every ";

/// Failures one after another after which a job does not run by itself any more.
pub const FAILURES_MAX: i64 = 10;

/// A tick that is this late was missed: no Bridge was there.
const LATE: TimeDelta = TimeDelta::minutes(1);

/// The longest that a Bridge is believed to be alive after a sign, as the settings have it, and for clocks of a database that are not quite one.
const LEASE_MAX: TimeDelta = TimeDelta::minutes(11);

/// Ticks that were missed are counted so far. Of more it is told that they are more.
const MISSED_MAX: usize = 10_000;

/// In the place of a schedule, where a job does not run by itself: it has no ticks.
const NEVER: &str = "never";

/// About so many runs of a job are kept.
const KEPT_RUNS: i32 = 1_000;
const KEPT_MIN: TimeDelta = TimeDelta::days(1);
/// The longest that a row of a run is kept.
pub const KEPT_MAX: TimeDelta = TimeDelta::days(30);

/// A job's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The schedule that the last tick is of.
    pub times: String,
    /// The last tick that was dealt with.
    pub last_tick: DateTime<Utc>,
    /// Runs that failed one after another.
    pub failures: i64,
    /// Ticks at which a run went on still.
    pub skipped: i64,
    /// Since when it does not run by itself any more.
    pub opened_at: Option<DateTime<Utc>>,
    /// The run that goes on.
    pub run: Option<String>,
    /// Until when its Bridge is believed to be alive.
    pub lease_until: Option<DateTime<Utc>>,
}

/// What began a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its tick.
    Schedule,
    /// A tick that was missed.
    CatchUp,
    /// An operator.
    Manual,
    /// Too many failures one after another.
    Breaker,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Wait,
    /// The tick is run.
    Run(DateTime<Utc>, Cause),
    /// A run goes on still: the tick is not run.
    Skip(DateTime<Utc>),
    /// Nobody was there, and the job does not catch up.
    Miss(DateTime<Utc>),
    /// The tick was dealt with already, the job does not run by itself now, its schedule is another one, or the database's clock was wrong: ticks
    /// until then are not its matter.
    Pass(DateTime<Utc>),
}

/// Ticks that nobody has run, one after another: one row tells of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// How many, as far as they are counted.
    pub count: usize,
    /// The first.
    pub first: DateTime<Utc>,
    /// The last.
    pub last: DateTime<Utc>,
}

/// What a job says of its ticks.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'d> {
    /// When it runs.
    pub times: &'d Times,
    /// The same, as its row has it.
    pub told: &'d str,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// Whether a tick that was missed runs once.
    pub catch_up: bool,
}

/// What a Bridge knows when it looks.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// What time it is.
    pub now: DateTime<Utc>,
    /// Since when it has had the job as it is: ticks from then on are its matter, whatever other releases do.
    pub since: DateTime<Utc>,
    /// Whether there is a run of the tick that is due.
    pub is_claimed: bool,
}

impl State {
    /// Whether a run goes on, as far as is known. A lease beyond any that there is was given by a clock that was wrong.
    pub fn is_running(&self, now: DateTime<Utc>) -> bool {
        self.run.is_some() && self.lease_until.is_some_and(|until| until > now && until - now <= LEASE_MAX)
    }

    /// Whether a run's Bridge has not been heard of for too long.
    pub fn is_lost(&self, now: DateTime<Utc>) -> bool {
        self.run.is_some() && !self.is_running(now)
    }

    /// Notes how a run ended. True: now it does not run by itself any more.
    pub fn end(&mut self, is_ok: bool, now: DateTime<Utc>) -> bool {
        (self.run, self.lease_until) = (None, None);
        self.failures = if is_ok { 0 } else { self.failures.saturating_add(1) };
        let opens = self.failures >= FAILURES_MAX && self.opened_at.is_none();
        if opens {
            self.opened_at = Some(now);
        }
        opens
    }

    /// What there is to do now.
    ///
    /// Bridges of several releases may look at one row, in any order, for as long as one of them is behind. Each runs the ticks of its release that have
    /// come since it has it, by whether there is a run of the tick; what the row says of another schedule is for those that begin later.
    pub fn decide(&self, declared: Declared<'_>, seen: Seen) -> Decision {
        let Seen { now, since, is_claimed } = seen;
        let is_of = self.times == declared.row_times();
        if !declared.enabled {
            return if is_of { Decision::Wait } else { Decision::Pass(now) };
        }
        let Some(due) = declared.times.at_or_before(now) else { return Decision::Wait };
        if is_of && due == self.last_tick {
            return Decision::Wait;
        }
        // A tick that is to come was dealt with by a clock that was wrong: the job does not wait for it.
        let is_ahead = self.last_tick - now > LATE;
        let is_next = due > self.last_tick && (is_of || self.had(due));
        // Runs are kept for longer than this, so that one that is not there was not.
        let is_own = due >= since && now - due < KEPT_MIN;
        if !is_next && !is_own {
            return if is_of && !is_ahead { Decision::Wait } else { Decision::Pass(now) };
        }
        if is_claimed || self.opened_at.is_some() {
            return Decision::Pass(due);
        }
        let is_late = now - due > LATE;
        if is_late && !declared.catch_up {
            return Decision::Miss(due);
        }
        if self.is_running(now) {
            return Decision::Skip(due);
        }
        // One run stands for all that were missed, also where its own tick is not late: of a job that runs more often than that none is.
        let catches_up = declared.catch_up && (is_late || self.first_missed(declared, due, now).is_some());
        Decision::Run(due, if catches_up { Cause::CatchUp } else { Cause::Schedule })
    }

    /// What nobody has run and nobody will, of the ticks since the last that was dealt with. To be asked before what was decided is noted.
    pub fn missed(&self, decision: Decision, declared: Declared<'_>, now: DateTime<Utc>) -> Option<Missed> {
        let (due, is_due_missed) = match decision {
            Decision::Miss(due) => (due, true),
            Decision::Skip(due) | Decision::Run(due, Cause::Schedule) => (due, false),
            Decision::Wait | Decision::Pass(_) | Decision::Run(..) => return None,
        };
        let first = self.first_missed(declared, due, now);
        let next = |tick: &DateTime<Utc>| declared.times.next_after(*tick).filter(|next| *next < due);
        let count = std::iter::successors(first, next).take(MISSED_MAX + 1).count() + usize::from(is_due_missed);
        // No two ticks are in one second.
        let last = if is_due_missed { due } else { declared.times.at_or_before(due - TimeDelta::seconds(1))? };
        (count > 0).then(|| Missed { count, first: first.unwrap_or(last), last })
    }

    /// The first tick after the last that was dealt with, where another one is due by now and nobody was there for this one. Of another schedule nobody
    /// knows what became of its ticks.
    fn first_missed(&self, declared: Declared<'_>, due: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let first = declared.times.next_after(self.last_tick).filter(|_| self.times == declared.row_times())?;
        (first < due && now - first > LATE).then_some(first)
    }

    /// Notes what was decided.
    pub fn note(&mut self, decision: Decision, declared: Declared<'_>) {
        let tick = match decision {
            Decision::Wait => return,
            Decision::Run(tick, _) | Decision::Skip(tick) | Decision::Miss(tick) | Decision::Pass(tick) => tick,
        };
        (self.times, self.last_tick) = (declared.row_times().to_owned(), tick);
        if matches!(decision, Decision::Skip(_)) {
            self.skipped = self.skipped.saturating_add(1);
        }
    }

    /// Whether a tick is one of the schedule that the row has, whatever the release has now.
    fn had(&self, tick: DateTime<Utc>) -> bool {
        let times = match self.times.strip_prefix(EVERY) {
            Some(every) => every.parse().ok().and_then(|every| Every::of(every).ok()).map(Times::Every),
            None => Schedule::parse(&self.times).ok().map(Times::Schedule),
        };
        times.and_then(|times| times.at_or_before(tick)) == Some(tick)
    }
}

impl Declared<'_> {
    /// What its row has as the schedule. A job that does not run by itself is one without ticks.
    pub const fn row_times(&self) -> &str {
        if self.enabled { self.told } else { NEVER }
    }
}

impl fmt::Display for Missed {
    /// For operators, in the row.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.first.to_rfc3339_opts(SecondsFormat::Secs, true);
        match self.count {
            1 => write!(f, "one tick was missed, that of {since}"),
            2..=MISSED_MAX => write!(f, "{} ticks were missed, from that of {since} on", self.count),
            _ => write!(f, "more than {MISSED_MAX} ticks were missed, from that of {since} on"),
        }
    }
}

impl Cause {
    /// As rows have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Schedule => "schedule",
            Cause::CatchUp => "catchUp",
            Cause::Manual => "manual",
            Cause::Breaker => "breaker",
        }
    }
}

/// From when on the run of a time may be removed: the rarer runs are, the longer they are kept.
pub fn expires_at(times: &Times, now: DateTime<Utc>) -> DateTime<Utc> {
    let interval = times.next_after(now).and_then(|next| Some(times.next_after(next)? - next));
    let kept = interval.and_then(|interval| interval.checked_mul(KEPT_RUNS)).unwrap_or(KEPT_MAX);
    now + kept.clamp(KEPT_MIN, KEPT_MAX)
}

#[cfg(test)]
mod tests;
