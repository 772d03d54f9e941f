//! Whether threads that run calls wait for a processor that the maker has. Then it would only do their work late, and rests.
//!
//! How many calls run at a moment does not tell: on a full machine it falls for an instant between any two calls, and what the process does
//! between them is no call. The kernel counts for each thread how long it ran and how long it waited to run (`/proc/self/task/TID/schedstat`).
//! Where it does not, only [`Busy`](super::busy::Busy) counts.

use std::{
    cell::Cell,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    thread::gettid,
    time::{ClockId, clock_gettime},
};

/// For so long it is looked at what the making does to the calls.
const WINDOW: Duration = Duration::from_millis(5);
/// Of the time for which the threads ran, so many hundredths of waiting are too much, on a machine that this process fills: where calls come
/// in bursts and processors are idle between them, there is waiting in each burst, and no harm in the making.
const WAITED_PERCENT: u64 = 15;
/// Of all processors' time, so many hundredths fill the machine.
const FULL_PERCENT: u64 = 90;
/// How long it rests; twice as long each time that it finds nothing better.
const REST: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];
/// More are not looked at.
const THREADS_MAX: usize = 128;

/// The threads of the process that have run calls.
static THREADS: Mutex<Vec<i32>> = Mutex::new(Vec::new());

thread_local! {
    static IS_KNOWN: Cell<bool> = const { Cell::new(false) };
}

/// What the maker knows of it.
#[derive(Debug)]
pub(super) struct Pressure {
    /// When it looked, and what it saw.
    seen: Option<(Instant, Times)>,
    rest: Duration,
    rests_until: Option<Instant>,
    processors: u64,
}

/// In nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    /// All those threads together, on a processor.
    ran: u64,
    /// And waiting for one.
    waited: u64,
    /// All threads of the process, on a processor.
    process: u64,
}

/// Notes that this thread runs calls.
pub(super) fn here() {
    if !IS_KNOWN.replace(true) {
        let mut threads = threads();
        if threads.len() < THREADS_MAX {
            threads.push(gettid().as_raw_nonzero().get());
        }
    }
}

impl Pressure {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, |processors| processors.get() as u64);
        Self { seen: None, rest: REST[0], rests_until: None, processors }
    }

    /// For how long it rests from now, if it does. What it makes until it asks again is looked at.
    pub(super) fn rest(&mut self, now: Instant) -> Option<Duration> {
        if let Some(until) = self.rests_until {
            if now < until {
                return Some(until - now);
            }
            self.rests_until = None;
            self.seen = Some((now, waited()));
            return None;
        }
        match self.seen {
            Some((since, _)) if now.duration_since(since) < WINDOW => return None,
            // It has slept in between, and made nothing.
            Some((since, _)) if now.duration_since(since) > 4 * WINDOW => self.seen = Some((now, waited())),
            Some((since, before)) => {
                let waited = waited();
                self.seen = Some((now, waited));
                return self.judge((now, now.duration_since(since)), before, waited);
            }
            None => self.seen = Some((now, waited())),
        }
        None
    }

    /// Whether the process had all processors.
    fn fills(&self, window: Duration, process: u64) -> bool {
        let all = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX).saturating_mul(self.processors);
        process.saturating_mul(100) >= all.saturating_mul(FULL_PERCENT)
    }

    fn judge(&mut self, (now, window): (Instant, Duration), before: Times, after: Times) -> Option<Duration> {
        let ran = after.ran.saturating_sub(before.ran);
        let waited = after.waited.saturating_sub(before.waited);
        let is_full = self.fills(window, after.process.saturating_sub(before.process));
        if !is_full || ran == 0 || waited.saturating_mul(100) < ran.saturating_mul(WAITED_PERCENT) {
            self.rest = REST[0];
            return None;
        }
        let rest = self.rest;
        self.rest = (rest * 2).min(REST[1]);
        self.rests_until = Some(now + rest);
        Some(rest)
    }
}

fn waited() -> Times {
    let process = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(process.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000);
    let mut all = Times { process: seconds + u64::try_from(process.tv_nsec).unwrap_or(0), ..Times::default() };
    // One that has ended is forgotten.
    threads().retain(|thread| {
        let of = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok().and_then(|text| parse(&text));
        if let Some((ran, waited)) = of {
            all = Times { ran: all.ran.wrapping_add(ran), waited: all.waited.wrapping_add(waited), ..all };
        }
        of.is_some()
    });
    all
}

/// The first two numbers: nanoseconds on a processor, and nanoseconds of waiting for one.
fn parse(schedstat: &str) -> Option<(u64, u64)> {
    let mut numbers = schedstat.split_ascii_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn threads() -> MutexGuard<'static, Vec<i32>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_others_wait_rests_and_tries_again_less_and_less_often() {
        let mut pressure = Pressure { processors: 2, ..Pressure::new() };
        let now = Instant::now();
        let mut judge = |before: Times, after: Times| pressure.judge((now, Duration::from_micros(1)), before, after);
        let of = |ran, waited, process| Times { ran, waited, process };
        let nothing = Times::default();
        let pressed = of(1_000, 150, 1_800);
        for fine in [of(1_000, 149, 2_000), of(1_000, 900, 1_799), of(0, 0, 2_000)] {
            assert_eq!(judge(nothing, fine), None, "{fine:?}");
        }
        for rest in [20, 40, 80, 160, 320, 640, 1_000, 1_000] {
            assert_eq!(judge(nothing, pressed), Some(Duration::from_millis(rest)));
        }
        // A thread that ended in between makes the sums smaller.
        assert_eq!(judge(pressed, nothing), None);
        assert_eq!(judge(nothing, pressed), Some(REST[0]));
        assert_eq!(pressure.rest(now + Duration::from_millis(5)), Some(Duration::from_millis(15)));
        assert_eq!(pressure.rest(now + REST[0]), None);
    }

    #[test]
    fn the_kernel_says_how_long_a_thread_waited() {
        assert_eq!(parse("725218 2556718 3\n"), Some((725_218, 2_556_718)));
        for text in ["", "7", "a b c", "1 x"] {
            assert_eq!(parse(text), None);
        }
        here();
        here();
        let own = gettid().as_raw_nonzero().get();
        assert_eq!(threads().iter().filter(|thread| **thread == own).count(), 1);
    }
}
