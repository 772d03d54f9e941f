//! The thread that makes instances and ends used ones. While calls have all processors it makes none: calls make their own, which is
//! no more work, and nobody waits for a thread that waits for a processor.
//!
//! One at a time. It keeps no component alive while it waits. Its priority is the usual one: it holds locks of the pool and of the kernel's
//! memory that calls need too, and with a low one it would hold them for long just when the machine is busy.

use std::{
    pin::pin,
    sync::{Arc, PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};

use super::{Made, Shared, Shelf, Used, busy::Quiet, pressure::Pressure, room::Place};
use crate::{
    call,
    engine::{Compiled, SandboxError},
    error::CallError,
    host::Host,
};

/// How often shelves are looked at.
const SWEEP: Duration = Duration::from_secs(1);
/// When it looks again whether a processor is free: soon at first, since calls are short, and then less and less often.
const BUSY: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(1)];

/// When it looks again while there is something to do all the time. Calls then do not wake it: that costs each of them a system call, and it would
/// often take the very processor of who has woken it.
const TICK: Duration = Duration::from_micros(250);
/// For so long after there was something to do.
const LIVELY: Duration = Duration::from_millis(20);

enum Work<H: 'static> {
    /// Is dropped.
    End(Used<H>),
    Make(Arc<Compiled<H>>),
    Sweep,
    /// Whether it still rests.
    Look,
    Close,
}

pub(super) fn start<H: Host>(shared: Arc<Shared<H>>) -> Result<(), SandboxError> {
    // Of its own: a making that waits for nothing needs no other threads, and must not take theirs.
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| SandboxError::new(error.to_string()))?;
    thread::Builder::new()
        .name("wasm-supply".to_owned())
        .spawn(move || work(&shared, &runtime))
        .map(drop)
        .map_err(|error| SandboxError::new(error.to_string()))
}

fn work<H: Host>(shared: &Shared<H>, runtime: &Runtime) {
    let mut next_sweep = Instant::now() + SWEEP;
    let mut lively_until = Instant::now();
    let mut pressure = Pressure::new();
    let mut quiet = Quiet::new();
    loop {
        let rest = pressure.rest(Instant::now());
        shared.is_at_rest.store(rest.is_some(), Ordering::Relaxed);
        match shared.next(next_sweep, lively_until, (rest, &mut quiet)) {
            Work::End(used) => {
                runtime.block_on(end(used));
                lively_until = Instant::now() + LIVELY;
            }
            Work::Make(compiled) => {
                lively_until = Instant::now() + LIVELY;
                if make_one(shared, runtime, &compiled) {
                    shared.lock().wanted.push_back(Arc::downgrade(&compiled));
                } else {
                    compiled.shelf.is_wanted.store(false, Ordering::Relaxed);
                }
            }
            Work::Sweep => {
                sweep(shared);
                next_sweep = Instant::now() + SWEEP;
            }
            Work::Look => {}
            Work::Close => return,
        }
        // A call that has become ready meanwhile does not wait until the kernel thinks that this thread has had enough.
        thread::yield_now();
    }
}

impl<H: 'static> Shared<H> {
    /// Waits for something to do. Ends come first: they give room for what is to be made.
    fn next(
        &self,
        next_sweep: Instant,
        lively_until: Instant,
        (rest, quiet): (Option<Duration>, &mut Quiet),
    ) -> Work<H> {
        let mut queue = self.lock();
        let mut busy = BUSY[0];
        loop {
            if queue.is_closed {
                return Work::Close;
            }
            let now = Instant::now();
            let until_sweep = next_sweep.saturating_duration_since(now);
            if until_sweep.is_zero() && !queue.known.is_empty() {
                return Work::Sweep;
            }
            let is_idle = queue.used.is_empty() && queue.wanted.is_empty();
            // What it was given before it rests is ended still.
            let is_busy = rest.is_none() && !quiet.is_quiet(&self.busy, now);
            if !is_busy && let Some(used) = queue.used.pop() {
                return Work::End(used);
            }
            let is_busy = is_busy || rest.is_some();
            // One whose last release has gone is not there any more.
            while !is_busy && let Some(wanted) = queue.wanted.pop_front() {
                if let Some(compiled) = wanted.upgrade() {
                    return Work::Make(compiled);
                }
            }
            let soon = if is_idle { (now < lively_until).then_some(TICK) } else { Some(rest.unwrap_or(busy)) };
            busy = (busy * 2).min(BUSY[1]);
            queue.is_asleep = soon.is_none();
            let pause = if queue.known.is_empty() {
                soon
            } else {
                Some(soon.map_or(until_sweep, |soon| soon.min(until_sweep)))
            };
            queue = match pause {
                Some(pause) => self.wake.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner).0,
                None => self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
            queue.is_asleep = false;
            if rest.is_some() {
                return Work::Look;
            }
        }
    }
}

/// Drops what a call has left, and looks before at which pages it has written.
async fn end<H: Host>(mut used: Used<H>) {
    if let Some((probe, compiled)) = &used.lesson
        && let Some(compiled) = compiled.upgrade()
    {
        compiled.shelf.pages.see_used(&mut used.store, probe).await;
    }
}

/// Whether there are still too few.
fn make_one<H: Host>(shared: &Shared<H>, runtime: &Runtime, compiled: &Arc<Compiled<H>>) -> bool {
    let shelf = &compiled.shelf;
    shelf.demand.learn();
    let is_short = || shelf.ready_count.load(Ordering::Relaxed) < shelf.target();
    // Without room the next call asks again.
    let place = shared.room.place(shelf.weight, shelf.memory_bytes.load(Ordering::Relaxed));
    let Some(place) = place.filter(|_| is_short()) else { return false };
    match runtime.block_on(made(shared, compiled, place)) {
        Ok(Some(made)) => {
            let mut ready = shelf.ready();
            ready.push(made);
            shared.counts.made_ahead.fetch_add(1, Ordering::Relaxed);
            shelf.ready_count.store(ready.len(), Ordering::Relaxed);
            drop(ready);
            is_short()
        }
        Ok(None) => false,
        Err(reason) => {
            shelf.is_barred.store(true, Ordering::Relaxed);
            tracing::debug!(%reason, "no instances of a component are made ahead");
            false
        }
    }
}

/// None where there is no room for it now; the reason where there will be none ever.
async fn made<H: Host>(shared: &Shared<H>, compiled: &Compiled<H>, place: Place) -> Result<Option<Made<H>>, String> {
    let (mut store, instance, probe) = match call::make(&shared.engine, compiled, compiled.memory_bytes_max).await {
        Ok(made) => made,
        // The pool has none now.
        Err(CallError::Host(_)) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !store.data().is_pure() {
        return Err("its making asks for something".to_owned());
    }
    if let Some(probe) = &probe {
        compiled.shelf.pages.see_fresh(&mut store, probe).await;
        // It counts against the call, which would have waited for these pages itself.
        let cpu = Arc::clone(&store.data().cpu);
        match cpu.measure(pin!(compiled.shelf.pages.prepare(&mut store, probe))).await {
            Ok(is_prepared) => shared.counts.prepared.fetch_add(u64::from(is_prepared), Ordering::Relaxed),
            Err(error) => return Err(format!("its pages cannot be prepared: {error:#}")),
        };
    }
    let state = store.data();
    let (memory_bytes, cpu) = (state.limiter.memory_bytes_peak(), state.cpu.spent());
    compiled.shelf.memory_bytes.store(memory_bytes, Ordering::Relaxed);
    Ok(place.sized(memory_bytes).map(|place| Made { store, instance, probe, memory_bytes, cpu, _place: place }))
}

/// Drops what is not needed any more.
fn sweep<H: Host>(shared: &Shared<H>) {
    let quiet_max = usize::try_from(shared.config.idle.as_secs() / SWEEP.as_secs()).unwrap_or(usize::MAX).max(1);
    let known = std::mem::take(&mut shared.lock().known);
    let mut kept = Vec::with_capacity(known.len());
    for weak in known {
        let Some(compiled) = weak.upgrade() else { continue };
        let shelf: &Shelf<H> = &compiled.shelf;
        let needed = shelf.demand.look(quiet_max);
        shelf.shrink(shelf.target());
        if needed > 0 {
            kept.push(weak);
        } else {
            shelf.is_known.store(false, Ordering::Relaxed);
        }
    }
    shared.lock().known.append(&mut kept);
}
