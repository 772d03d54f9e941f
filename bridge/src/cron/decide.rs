//! What there is to do for a job at a time. Pure: the job's row and the database's time are given in.

use chrono::{DateTime, TimeDelta, Utc};
use santokit_core::cron::Times;

/// Failures one after another after which a job does not run by itself any more.
pub const FAILURES_MAX: i64 = 10;

/// A tick that is this late was missed: no Bridge was there.
const LATE: TimeDelta = TimeDelta::minutes(1);

/// The longest that a Bridge is believed to be alive after a sign, as the settings have it, and for clocks of a database that are not quite one.
const LEASE_MAX: TimeDelta = TimeDelta::minutes(11);

/// About so many runs of a job are kept.
const KEPT_RUNS: i32 = 1_000;
const KEPT_MIN: TimeDelta = TimeDelta::days(1);
const KEPT_MAX: TimeDelta = TimeDelta::days(30);

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
    /// The job does not run by itself now, its schedule is another one, or the database's clock was wrong: ticks until now are not its matter.
    Pass(DateTime<Utc>),
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
    pub fn decide(&self, declared: Declared<'_>, now: DateTime<Utc>) -> Decision {
        let Some(due) = declared.times.at_or_before(now) else { return Decision::Wait };
        // A tick that is to come was dealt with by a clock that was wrong: the job does not wait for it.
        if self.times != declared.told || self.last_tick - now > LATE {
            return Decision::Pass(now);
        }
        if due <= self.last_tick {
            return Decision::Wait;
        }
        if self.opened_at.is_some() || !declared.enabled {
            return Decision::Pass(due);
        }
        let is_late = now - due > LATE;
        if is_late && !declared.catch_up {
            return Decision::Miss(due);
        }
        if self.is_running(now) {
            return Decision::Skip(due);
        }
        Decision::Run(due, if is_late { Cause::CatchUp } else { Cause::Schedule })
    }
}

impl Cause {
    /// As rows have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Schedule => "schedule",
            Cause::CatchUp => "catchUp",
            Cause::Manual => "manual",
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
mod tests {
    use santokit_core::cron::Schedule;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-03-01T{text}Z").parse().unwrap()
    }

    fn state(last_tick: &str) -> State {
        State {
            times: "hourly".to_owned(),
            last_tick: at(last_tick),
            failures: 0,
            skipped: 0,
            opened_at: None,
            run: None,
            lease_until: None,
        }
    }

    fn decided(state: &State, now: &str, catch_up: bool) -> Decision {
        let times = Times::Schedule(Schedule::parse("0 * * * *").unwrap());
        state.decide(Declared { times: &times, told: "hourly", enabled: true, catch_up }, at(now))
    }

    #[test]
    fn a_tick_is_dealt_with_once() {
        let state = state("09:00:00");
        assert_eq!(decided(&state, "09:59:59", false), Decision::Wait);
        assert_eq!(decided(&state, "10:00:00", false), Decision::Run(at("10:00:00"), Cause::Schedule));
        assert_eq!(decided(&state, "10:00:59", false), Decision::Run(at("10:00:00"), Cause::Schedule));
        let dealt_with = State { last_tick: at("10:00:00"), ..state };
        assert_eq!(decided(&dealt_with, "10:00:59", false), Decision::Wait);
    }

    #[test]
    fn what_was_missed_runs_once_or_never() {
        let state = state("03:00:00");
        assert_eq!(decided(&state, "10:30:00", false), Decision::Miss(at("10:00:00")));
        assert_eq!(decided(&state, "10:30:00", true), Decision::Run(at("10:00:00"), Cause::CatchUp));
        assert_eq!(decided(&state, "10:00:30", true), Decision::Run(at("10:00:00"), Cause::Schedule));
    }

    #[test]
    fn runs_do_not_overlap_and_a_dead_bridge_is_not_waited_for() {
        let running = State { run: Some("r".into()), lease_until: Some(at("10:00:10")), ..state("09:00:00") };
        assert_eq!(decided(&running, "10:00:00", false), Decision::Skip(at("10:00:00")));
        assert!(!running.is_lost(at("10:00:00")) && running.is_lost(at("10:00:10")));
        assert_eq!(decided(&running, "10:00:11", false), Decision::Run(at("10:00:00"), Cause::Schedule));
    }

    #[test]
    fn ten_failures_open_the_breaker_and_a_success_forgets_them() {
        let mut state = state("09:00:00");
        for _ in 1..FAILURES_MAX {
            assert!(!state.end(false, at("10:00:00")));
        }
        assert!(!state.end(true, at("10:00:00")) && state.failures == 0);
        let opened: Vec<bool> = (0..12).map(|_| state.end(false, at("10:00:00"))).collect();
        assert_eq!(opened.iter().position(|opens| *opens), Some(9));
        assert_eq!(opened.iter().filter(|opens| **opens).count(), 1, "it is opened once");
        assert_eq!(decided(&state, "11:00:00", true), Decision::Pass(at("11:00:00")));
    }

    #[test]
    fn a_clock_that_was_ahead_stops_no_job_for_as_long() {
        let ahead = state("23:00:00");
        assert_eq!(decided(&ahead, "10:00:30", true), Decision::Pass(at("10:00:30")));
        let hardly = state("10:00:00");
        assert_eq!(decided(&hardly, "09:59:30", true), Decision::Wait, "it runs once");
        let held = State { run: Some("r".into()), lease_until: Some(at("23:00:00")), ..state("09:00:00") };
        assert!(held.is_lost(at("10:00:00")) && !held.is_running(at("10:00:00")));
        assert_eq!(decided(&held, "10:00:00", false), Decision::Run(at("10:00:00"), Cause::Schedule));
    }

    #[test]
    fn another_schedule_begins_with_now() {
        let before = State { times: "0 1 * * *".into(), ..state("01:00:00") };
        assert_eq!(decided(&before, "10:30:00", true), Decision::Pass(at("10:30:00")));
    }

    #[test]
    fn rare_runs_are_kept_longer() {
        let kept = |text: &str| {
            let times = Times::Schedule(Schedule::parse(text).unwrap());
            (expires_at(&times, at("00:00:00")) - at("00:00:00")).num_days()
        };
        assert_eq!((kept("* * * * *"), kept("*/5 * * * *"), kept("0 0 * * *"), kept("0 0 29 2 *")), (1, 3, 30, 30));
    }
}
