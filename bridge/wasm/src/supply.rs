//! Instances that are made ahead of the calls that take them, so that a call waits neither for its instance nor for the end of it.
//!
//! Each is used once. One is kept only if its making asked for nothing: no host call, no time, no chance, no output, no memory that
//! was refused. Such a making does the same every time, so that an instance made ahead and one made in the call cannot be told
//! apart; the limits, the clock and the host are those of the call that takes it (docs/decisions/0028).
//!
//! It must never be what a call waits for: a call that finds none makes its own.

mod busy;
mod demand;
mod maker;
mod pages;
mod pressure;
mod room;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use santokit_core::limit::InvocationLimits;
use wasmtime::{Engine, Store};

use crate::{
    call,
    engine::{Compiled, Instance, SandboxError},
    host::Host,
    state::State,
};
use busy::{Busy, Counted};
use demand::Demand;
use pages::Pages;
pub(crate) use pages::Probe;
use room::{Place, Room};

/// Used instances that wait for their end; with more the thread does not keep up.
const ENDS_MAX: usize = 16;

/// What the supply may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupplyConfig {
    /// Instances that wait for a call, or after one for their end; 0 makes none ahead. They do not count as live instances of
    /// [`SandboxConfig::instances_max`](crate::SandboxConfig::instances_max): calls lose nothing to them.
    pub instances_max: u32,
    /// Their linear memories, in bytes, as large as the guest sees them; what is resident of it is a fraction.
    pub memory_bytes_max: usize,
    /// Those of a component that was not called for so long are dropped.
    pub idle: Duration,
}

/// What the supply did since the sandbox was made, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SupplyUsage {
    /// Calls that found an instance.
    pub taken: u64,
    /// Calls that made their own.
    pub made_in_call: u64,
    /// Instances that were made ahead.
    pub made_ahead: u64,
    /// Of them, those with pages that were written before a call needs them.
    pub prepared: u64,
    /// Of all that were made, those that no call took.
    pub unused: u64,
    /// Instances alive: those of calls, and those that are held.
    pub live: u64,
    /// Instances that wait for a call, or for their end.
    pub held: u64,
    /// Their linear memories, in bytes.
    pub held_memory_bytes: u64,
    /// Memory that is kept for the next instances, in bytes: that of slots of the pool that no instance has.
    pub idle_resident_bytes: u64,
}

/// The supply of one sandbox. Its thread ends with it.
pub(crate) struct Supply<H: 'static>(Arc<Shared<H>>);

/// What callers and the thread share.
struct Shared<H: 'static> {
    engine: Engine,
    config: SupplyConfig,
    queue: Mutex<Queue<H>>,
    wake: Condvar,
    room: Arc<Room>,
    busy: Busy,
    /// Whether the thread leaves the processors to calls.
    is_at_rest: AtomicBool,
    counts: Counts,
}

struct Queue<H: 'static> {
    /// Whose shelves are to be filled, in turn.
    wanted: VecDeque<Weak<Compiled<H>>>,
    /// All with a shelf that may have something.
    known: Vec<Weak<Compiled<H>>>,
    used: Vec<Used<H>>,
    /// Until somebody wakes it. Where it looks again in a moment by itself, nobody has to.
    is_asleep: bool,
    is_closed: bool,
}

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    made_in_call: AtomicU64,
    made_ahead: AtomicU64,
    prepared: AtomicU64,
    unused: AtomicU64,
}

/// The instances of one component.
pub(crate) struct Shelf<H: 'static> {
    shared: Arc<Shared<H>>,
    /// The newest at the end.
    ready: Mutex<Vec<Made<H>>>,
    ready_count: AtomicUsize,
    demand: Demand,
    pages: Pages,
    /// Places that one takes in the room.
    weight: u32,
    /// Memory of one; 0 until one was made.
    memory_bytes: AtomicU64,
    /// Its making is not the same every time, or fails: none are made.
    is_barred: AtomicBool,
    is_wanted: AtomicBool,
    is_known: AtomicBool,
}

/// An instance that nobody has called. It has no host yet.
pub(crate) struct Made<H: 'static> {
    store: Store<State<H>>,
    instance: Instance,
    probe: Option<Probe>,
    memory_bytes: u64,
    cpu: Duration,
    /// Dropped last: what it stands for must be gone.
    _place: Place,
}

/// An instance with the host of a call.
type Taken<H> = (Store<State<H>>, Instance, Option<Probe>);

/// An instance whose call has ended.
struct Used<H: 'static> {
    store: Store<State<H>>,
    /// Where there is something to learn of it.
    lesson: Option<(Probe, Weak<Compiled<H>>)>,
    _place: Place,
}

/// A call that runs. At its end the shelf is looked after.
pub(crate) struct Running<'a, H: Host>(&'a Arc<Compiled<H>>);

impl SupplyConfig {
    /// None is made ahead.
    pub const NONE: Self = Self { instances_max: 0, memory_bytes_max: 0, idle: Duration::ZERO };
}

impl Default for SupplyConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, |cores| u32::try_from(cores.get()).unwrap_or(64));
        Self { instances_max: (16 * cores).clamp(64, 1_024), memory_bytes_max: 1 << 30, idle: Duration::from_secs(30) }
    }
}

impl<H: Host> Supply<H> {
    /// Starts the thread, if there is anything to make.
    pub(crate) fn start(engine: &Engine, config: SupplyConfig) -> Result<Self, SandboxError> {
        let shared = Arc::new(Shared {
            engine: engine.clone(),
            config,
            queue: Mutex::new(Queue {
                wanted: VecDeque::new(),
                known: Vec::new(),
                used: Vec::new(),
                is_asleep: false,
                is_closed: false,
            }),
            wake: Condvar::new(),
            room: Arc::new(Room::new(config.instances_max, config.memory_bytes_max as u64)),
            busy: Busy::new(),
            is_at_rest: AtomicBool::new(false),
            counts: Counts::default(),
        });
        if config.instances_max > 0 {
            maker::start(Arc::clone(&shared))?;
        }
        Ok(Self(shared))
    }

    /// For one component.
    pub(crate) fn shelf(&self, weight: u32) -> Shelf<H> {
        Shelf {
            shared: Arc::clone(&self.0),
            ready: Mutex::default(),
            ready_count: AtomicUsize::new(0),
            demand: Demand::default(),
            pages: Pages::default(),
            weight,
            memory_bytes: AtomicU64::new(0),
            is_barred: AtomicBool::new(false),
            is_wanted: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
        }
    }

    pub(crate) fn usage(&self) -> SupplyUsage {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { taken, made_in_call, made_ahead, prepared, unused } = &self.0.counts;
        let (held, held_memory_bytes) = self.0.room.held();
        let pool = self.0.engine.pooling_allocator_metrics();
        let live = pool.as_ref().map_or(0, wasmtime::PoolingAllocatorMetrics::component_instances);
        let idle_resident_bytes = pool.map_or(0, |pool| {
            let stacks = pool.unused_stack_bytes_resident().unwrap_or(0);
            pool.unused_memory_bytes_resident() + pool.unused_table_bytes_resident() + stacks
        });
        SupplyUsage {
            taken: count(taken),
            made_in_call: count(made_in_call),
            made_ahead: count(made_ahead),
            prepared: count(prepared),
            unused: count(unused),
            live,
            held: u64::from(held),
            held_memory_bytes,
            idle_resident_bytes: idle_resident_bytes as u64,
        }
    }
}

impl<H: 'static> Drop for Supply<H> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.wake.notify_all();
    }
}

impl<H: 'static> Shared<H> {
    fn lock(&self) -> MutexGuard<'_, Queue<H>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the thread something to do.
    fn tell(&self, add: impl FnOnce(&mut Queue<H>)) {
        let mut queue = self.lock();
        add(&mut queue);
        let is_asleep = std::mem::take(&mut queue.is_asleep);
        drop(queue);
        if is_asleep {
            self.wake.notify_one();
        }
    }
}

impl<H: Host> Shelf<H> {
    /// Notes that a call begins.
    pub(crate) fn begin(compiled: &Arc<Compiled<H>>) -> Running<'_, H> {
        compiled.shelf.demand.begin();
        Running(compiled)
    }

    /// An instance with the host and the limits of a call, if there is one that the call could have made itself.
    pub(crate) fn take(&self, host: H, limits: &InvocationLimits) -> Result<Taken<H>, H> {
        let made = if host.fixed().is_for_served() { self.pop(limits) } else { None };
        let counts = &self.shared.counts;
        let Some(Made { mut store, instance, probe, .. }) = made else {
            counts.made_in_call.fetch_add(1, Ordering::Relaxed);
            return Err(host);
        };
        counts.taken.fetch_add(1, Ordering::Relaxed);
        store.data_mut().begin(host, limits);
        call::arm(&mut store);
        Ok((store, instance, probe))
    }

    /// The one that was made last: what it has touched is most likely still near a processor.
    fn pop(&self, limits: &InvocationLimits) -> Option<Made<H>> {
        if self.ready_count.load(Ordering::Relaxed) == 0 {
            if self.memory_bytes.load(Ordering::Relaxed) > 0 {
                self.demand.miss();
            }
            return None;
        }
        let mut ready = self.ready();
        // With less memory or time than its making took, the call itself has to fail, as it does without a supply.
        let made = ready.pop_if(|made| made.memory_bytes <= limits.memory.0 && made.cpu < limits.cpu.duration());
        self.ready_count.store(ready.len(), Ordering::Relaxed);
        made
    }

    /// Ends an instance, behind the answer where there is room for it.
    pub(crate) fn put_away(compiled: &Arc<Compiled<H>>, store: Store<State<H>>, probe: Option<Probe>) {
        let Self { shared, weight, pages, .. } = &compiled.shelf;
        // Where the thread would take the processor of another call, nothing is won: it ends here.
        if shared.busy.is_full_beside_one() || shared.is_at_rest.load(Ordering::Relaxed) {
            return;
        }
        let memory_bytes = store.data().limiter.memory_bytes_peak();
        // So it does without room, or a thread that keeps up.
        let Some(place) = shared.room.place(*weight, memory_bytes) else { return };
        let lesson = probe.filter(|_| pages.is_learning()).map(|probe| (probe, Arc::downgrade(compiled)));
        let mut used = Some(Used { store, lesson, _place: place });
        shared.tell(|queue| {
            if queue.used.len() < ENDS_MAX {
                queue.used.extend(used.take());
            }
        });
    }

    /// How many there should be now.
    fn target(&self) -> usize {
        if self.is_barred.load(Ordering::Relaxed) {
            return 0;
        }
        // Half of the room at most, so that no component has all of it.
        let most = (self.shared.config.instances_max / self.weight).div_ceil(2) as usize;
        self.demand.wanted().min(most)
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Made<H>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops those that are too many, the oldest first.
    fn shrink(&self, target: usize) {
        let mut ready = self.ready();
        let excess = ready.len().saturating_sub(target);
        let dropped: Vec<_> = ready.drain(..excess).collect();
        self.ready_count.store(ready.len(), Ordering::Relaxed);
        drop(ready);
        self.shared.counts.unused.fetch_add(dropped.len() as u64, Ordering::Relaxed);
    }

    /// Asks for more, when half are gone: each asking may have to wake a thread.
    fn refill(compiled: &Arc<Compiled<H>>) {
        let shelf = &compiled.shelf;
        let is_enough = shelf.ready_count.load(Ordering::Relaxed) > shelf.target() / 2;
        if is_enough || shelf.target() == 0 || shelf.is_wanted.swap(true, Ordering::Relaxed) {
            return;
        }
        let is_new = !shelf.is_known.swap(true, Ordering::Relaxed);
        shelf.shared.tell(|queue| {
            queue.wanted.push_back(Arc::downgrade(compiled));
            if is_new {
                queue.known.push(Arc::downgrade(compiled));
            }
        });
    }
}

impl<'a, H: Host> Running<'a, H> {
    /// Notes when the call has a processor.
    pub(crate) fn count<F: Future + Unpin>(&self, future: F) -> Counted<'a, F> {
        self.0.shelf.shared.busy.count(future)
    }
}

impl<H: Host> Drop for Running<'_, H> {
    fn drop(&mut self) {
        self.0.shelf.demand.end();
        Shelf::refill(self.0);
    }
}

impl<H: 'static> Drop for Shelf<H> {
    fn drop(&mut self) {
        let left = self.ready.get_mut().unwrap_or_else(PoisonError::into_inner).len();
        self.shared.counts.unused.fetch_add(left as u64, Ordering::Relaxed);
    }
}
