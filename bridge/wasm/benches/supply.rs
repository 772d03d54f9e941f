//! A call with instances made ahead, beside one that makes its own, and beside one in an instance that is kept (wasmtime alone,
//! which Santokit never does): the same components, in the same run, in turn.
//!
//! Two loads: callers that wait between their calls, so that the machine has half of what it can do, which shows what a caller sees; and callers
//! that never wait, which shows what the machine can do in all. Arguments are `name=component.wasm`. Prints lines of JSON. Run by
//! `cargo xtask bench`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "invocation/bare.rs"]
mod bare;
#[expect(dead_code, reason = "shared with the tests of the sandbox, which use all of it")]
#[path = "../tests/sandbox/host.rs"]
mod host;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{limit::InvocationLimits, quantity::Millis};
use santokit_wasm::{LoadedLogic, Sandbox, SandboxConfig, SupplyConfig};
use serde_json::json;

use crate::{
    bare::{Bare, INPUT, Live},
    host::{Fake, Record},
};

const ROUNDS: usize = 6;
/// Of one caller, in one round.
const ROUND: Duration = Duration::from_millis(700);
/// Alive at once, to see what one keeps resident.
const LIVE: usize = 32;

/// What the callers call.
#[derive(Clone)]
enum Called {
    Sandbox(Arc<LoadedLogic<Fake>>),
    Kept(Arc<Bare>),
}

/// What one way of calling took.
#[derive(Default)]
struct Measured {
    times: Vec<Duration>,
    /// Calls a second, round by round.
    rates: Vec<f64>,
    supplied: usize,
    /// How often a thread of this process had to give its processor to another one.
    preempted: u64,
}

async fn load(bytes: &[u8], name: &str, supply: SupplyConfig) -> Called {
    let sandbox = Sandbox::new(&SandboxConfig { supply, ..SandboxConfig::default() }).unwrap();
    Called::Sandbox(Arc::new(sandbox.load(bytes, name).await.unwrap()))
}

/// Calls until the round is over; the pause is between two calls.
async fn caller(called: Called, pause: Duration) -> (Vec<Duration>, usize) {
    let limits = InvocationLimits { cpu: Millis(5_000), ..InvocationLimits::default() };
    let mut kept: Option<Live> = match &called {
        Called::Kept(bare) => Some(bare.instance().await),
        Called::Sandbox(_) => None,
    };
    let (mut times, mut supplied) = (Vec::new(), 0);
    let begun = Instant::now();
    while begun.elapsed() < ROUND {
        let started = Instant::now();
        match (&called, &mut kept) {
            (Called::Sandbox(logic), _) => {
                let answered = logic.call(Record::default().host(), INPUT.to_vec(), &limits).await;
                drop(answered.host);
                times.push(started.elapsed());
                supplied += usize::from(answered.usage.is_supplied);
                assert!(answered.outcome.is_ok_and(|answer| answer == INPUT), "the guest answers its input");
            }
            (Called::Kept(_), live) => {
                live.as_mut().unwrap().call().await;
                times.push(started.elapsed());
            }
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    (times, supplied)
}

async fn round(called: &Called, concurrent: usize, pause: Duration, measured: &mut Measured) {
    let (started, before) = (Instant::now(), preempted());
    let callers: Vec<_> = (0..concurrent).map(|_| tokio::spawn(caller(called.clone(), pause))).collect();
    let mut calls = 0_u32;
    for caller in callers {
        let (mut times, supplied) = caller.await.unwrap();
        calls += u32::try_from(times.len()).unwrap();
        measured.times.append(&mut times);
        measured.supplied += supplied;
    }
    measured.preempted += preempted().saturating_sub(before);
    measured.rates.push(f64::from(calls) / started.elapsed().as_secs_f64());
}

/// All ways in turn; the first round warms up.
async fn rounds(ways: &[Called], concurrent: usize, pause: Duration) -> Vec<Measured> {
    let mut measured: Vec<Measured> = ways.iter().map(|_| Measured::default()).collect();
    for number in 0..=ROUNDS {
        for (called, measured) in ways.iter().zip(&mut measured) {
            round(called, concurrent, pause, measured).await;
            if number == 0 {
                *measured = Measured::default();
            }
        }
    }
    measured
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    for argument in std::env::args().skip(1) {
        // `cargo bench` adds flags of its own.
        let Some((name, path)) = argument.split_once('=') else { continue };
        let bytes = std::fs::read(path).unwrap();
        let bare = Arc::new(Bare::new(&bytes));
        let [made_kib, called_kib] = resident(&bare).await;
        let ways = [
            load(&bytes, name, SupplyConfig::NONE).await,
            load(&bytes, name, SupplyConfig::default()).await,
            Called::Kept(bare),
        ];
        for concurrent in [1_u32, 16] {
            let full = rounds(&ways, concurrent as usize, Duration::ZERO).await;
            // So that all callers together ask for half of what the machine can do without a supply.
            let half = full[0].rate() / 2.0;
            let pause = Duration::from_secs_f64(f64::from(concurrent) / half).max(Duration::from_millis(1));
            let mut paced = rounds(&ways, concurrent as usize, pause).await;
            report(name, concurrent, [made_kib, called_kib], &mut paced, &full);
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
fn report(name: &str, concurrent: u32, [made_kib, called_kib]: [u64; 2], paced: &mut [Measured], full: &[Measured]) {
    let [plain, supplied, kept] = paced else { return };
    let share = |measured: &Measured| {
        let count = |count: usize| f64::from(u32::try_from(count).unwrap());
        100.0 * count(measured.supplied) / count(measured.times.len())
    };
    let preempted = |measured: &Measured| {
        let count = |count: u64| f64::from(u32::try_from(count).unwrap());
        1_000.0 * count(measured.preempted) / count(measured.times.len() as u64)
    };
    let line = json!({
        "plainPreempted": preempted(plain), "suppliedPreempted": preempted(supplied),
        "bench": "supply", "name": name, "concurrent": concurrent, "madeKiB": made_kib, "calledKiB": called_kib,
        "plainP50Us": plain.percentile(50), "plainP99Us": plain.percentile(99),
        "suppliedP50Us": supplied.percentile(50), "suppliedP99Us": supplied.percentile(99), "suppliedPercent": share(supplied),
        "keptP50Us": kept.percentile(50), "keptP99Us": kept.percentile(99),
        "plainPerSecond": full[0].rate(), "suppliedPerSecond": full[1].rate(), "keptPerSecond": full[2].rate(),
        "fullSuppliedPercent": share(&full[1]),
    });
    println!("{line}");
}

impl Measured {
    /// In microseconds.
    fn percentile(&mut self, percent: usize) -> f64 {
        self.times.sort_unstable();
        self.times[(self.times.len() - 1) * percent / 100].as_secs_f64() * 1e6
    }

    /// The median of the rounds.
    fn rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_unstable_by(f64::total_cmp);
        rates[rates.len() / 2]
    }
}

/// KiB that one more instance keeps resident: one that was only made, and one that was called.
async fn resident(bare: &Bare) -> [u64; 2] {
    // Touches once what all have in common.
    bare.call().await;
    let before = resident_kib();
    let mut live = Vec::with_capacity(LIVE);
    for _ in 0..LIVE {
        live.push(bare.instance().await);
    }
    let made = resident_kib();
    for live in &mut live {
        live.call().await;
    }
    let called = resident_kib();
    [made, called].map(|kib| kib.saturating_sub(before) / LIVE as u64)
}

fn resident_kib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

/// Of all threads that there are now.
fn preempted() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let of = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:")?.trim().parse::<u64>().ok())
    };
    threads.filter_map(of).sum()
}
