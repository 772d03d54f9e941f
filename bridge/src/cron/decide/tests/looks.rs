//! Looks of Bridges at one row, as `store::look` makes them, with the time given in: all of it but the database.

use std::collections::BTreeMap;

use super::*;

/// What runs have of each tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    Run(Cause),
    Skipped,
    Missed,
}

/// A Bridge, with the job as its release has it.
#[derive(Clone, Debug)]
pub(super) struct Bridge {
    pub(super) times: Times,
    pub(super) told: String,
    pub(super) enabled: bool,
    pub(super) catch_up: bool,
    pub(super) since: Option<DateTime<Utc>>,
}

/// What Bridges have in common.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) row: Option<State>,
    /// How long a run takes.
    pub(super) runs_for: TimeDelta,
    pub(super) ends_at: Option<DateTime<Utc>>,
    pub(super) became: BTreeMap<DateTime<Utc>, Became>,
    pub(super) looks: usize,
    /// How many ticks each row tells that nobody has run.
    pub(super) missed: Vec<usize>,
}

impl Bridge {
    pub(super) fn of(told: &str) -> Self {
        let times = match told.strip_prefix(EVERY) {
            Some(every) => Times::Every(Every::of(every.parse().unwrap()).unwrap()),
            None => Times::Schedule(Schedule::parse(told).unwrap()),
        };
        Self { times, told: told.to_owned(), enabled: true, catch_up: false, since: None }
    }

    fn declared(&self) -> Declared<'_> {
        Declared { times: &self.times, told: &self.told, enabled: self.enabled, catch_up: self.catch_up }
    }

    /// The process ends, and another one begins.
    pub(super) fn restart(&mut self) {
        self.since = None;
    }

    /// It loads another release.
    pub(super) fn load(&mut self, other: &Bridge) {
        *self = Self { since: None, ..other.clone() };
    }
}

impl World {
    pub(super) fn look(&mut self, bridge: &mut Bridge, now: DateTime<Utc>) -> Decision {
        self.looks += 1;
        let since = *bridge.since.get_or_insert(now);
        let declared = bridge.declared();
        let mut row = self.row.take().unwrap_or_else(|| State {
            times: declared.row_times().to_owned(),
            last_tick: now,
            failures: 0,
            skipped: 0,
            opened_at: None,
            run: None,
            lease_until: None,
        });
        match self.ends_at {
            Some(end) if end <= now => {
                row.end(true, now);
                self.ends_at = None;
            }
            // Its Bridge lives, and has said so.
            Some(_) => row.lease_until = Some(now + TimeDelta::seconds(30)),
            None => {}
        }
        let due = declared.times.at_or_before(now).unwrap();
        let decision = row.decide(declared, Seen { now, since, is_claimed: self.became.contains_key(&due) });
        self.missed.extend(row.missed(decision, declared, now).map(|missed| missed.count));
        row.note(decision, declared);
        let became = match decision {
            Decision::Wait | Decision::Pass(_) => None,
            Decision::Run(tick, cause) => {
                (row.run, row.lease_until) = (Some(tick.to_rfc3339()), Some(now + TimeDelta::seconds(30)));
                self.ends_at = Some(now + self.runs_for);
                Some((tick, Became::Run(cause)))
            }
            Decision::Skip(tick) => Some((tick, Became::Skipped)),
            Decision::Miss(tick) => Some((tick, Became::Missed)),
        };
        if let Some((tick, became)) = became {
            assert_eq!(self.became.insert(tick, became), None, "{tick} is dealt with twice");
        }
        self.row = Some(row);
        decision
    }

    pub(super) fn count(&self, became: Became) -> usize {
        self.became.values().filter(|found| **found == became).count()
    }

    pub(super) fn skipped(&self) -> i64 {
        self.row.as_ref().map_or(0, |row| row.skipped)
    }
}
