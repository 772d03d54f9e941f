//! The connections of a pool, kept ready between two statements: what stands around a statement (its deadline, its border) is set
//! where it differs from the one before. Each of these would be a round trip to the connection's thread, several times the
//! statement itself.
//!
//! A connection that was not given back in so many words is rolled back and cleared before it is used again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use santokit_sqlite::memory::Memory;

use super::{Authorized, DbError, Deadline, Share, budget::WORKING_BYTES};

/// How many steps of SQLite's machine between two looks at the clock.
const STEPS_BETWEEN_CHECKS: i32 = 2_000;

/// For what clears a connection that was given up midway.
const CLEARING_BYTES: usize = 4 << 20;

/// At most so many connections to one database.
#[derive(Debug)]
pub(super) struct Connections {
    pool: SqlitePool,
    free: Arc<Semaphore>,
    /// Of them, those that guests may hold.
    of_guests: Arc<Semaphore>,
    /// How long a caller waits for one.
    wait_max: Duration,
    idle: Idle,
}

/// Last in, first out: the one that was used last has its statements and pages at hand.
type Idle = Arc<Mutex<Vec<Ready>>>;

/// A connection that is taken out of its pool, or one of its own.
#[derive(Debug)]
pub struct Connection {
    ready: Ready,
    /// Where it goes when it is given back.
    home: Option<(Idle, Vec<OwnedSemaphorePermit>)>,
}

#[derive(Debug)]
enum Source {
    Pool(PoolConnection<Sqlite>),
    Own(SqliteConnection),
}

#[derive(Debug)]
struct Ready {
    source: Source,
    watch: Arc<Watch>,
    border: Border,
    memory: Arc<Memory>,
    /// Whether its thread has ended, or may have.
    is_broken: bool,
}

/// What the engine asks while it works.
#[derive(Debug)]
struct Watch {
    begin: Instant,
    /// In nanoseconds after the begin.
    deadline: AtomicU64,
    /// Set when the engine rolls back, asked or by itself.
    is_rolled_back: Arc<AtomicBool>,
}

/// What was set on the connection last.
#[derive(Debug)]
enum Border {
    None,
    Set(Authorized),
    /// A future that would have set it was dropped.
    Unknown,
}

impl Connections {
    /// Guests hold at most so many.
    pub(super) fn new(pool: SqlitePool, wait_max: Duration, guests_max: usize) -> Self {
        let free = Arc::new(Semaphore::new(pool.options().get_max_connections() as usize));
        let of_guests = Arc::new(Semaphore::new(guests_max));
        Self { pool, free, of_guests, wait_max, idle: Idle::default() }
    }

    pub(super) async fn take(&self, share: Share) -> Result<Connection, DbError> {
        let guests = (share == Share::Guest).then_some(&self.of_guests);
        // The narrowest first: who waits for it keeps none of the others.
        let waiting = tokio::time::timeout(self.wait_max, async {
            let mut permits = Vec::with_capacity(2);
            for places in guests.into_iter().chain([&self.free]) {
                permits.push(Arc::clone(places).acquire_owned().await?);
            }
            Ok::<_, AcquireError>(permits)
        });
        let permits = waiting.await.map_err(|_| DbError::busy())?.map_err(|_| DbError::busy())?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let ready = if let Some(ready) = idle {
            ready
        } else {
            let connection = self.pool.acquire().await.map_err(|error| DbError::from_sqlite(&error))?;
            Ready::new(Source::Pool(connection)).await?
        };
        Ok(Connection { ready, home: Some((Arc::clone(&self.idle), permits)) })
    }

    /// (in use, idle).
    pub(super) fn count(&self) -> (i64, i64) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let ready = self.idle.lock().unwrap_or_else(PoisonError::into_inner).len();
        let idle = whole(self.pool.num_idle() + ready);
        (i64::from(self.pool.size()).saturating_sub(idle).max(0), idle)
    }
}

impl Connection {
    /// One that no pool has.
    pub async fn alone(connection: SqliteConnection) -> Result<Self, DbError> {
        Ok(Self { ready: Ready::new(Source::Own(connection)).await?, home: None })
    }

    /// For the next statement: until when, and what it may touch and how many bytes it may read; everything where there is no access.
    pub(super) async fn arm(&mut self, guest: Option<(&Authorized, u64)>, deadline: Deadline) -> Result<(), DbError> {
        let Ready { source, watch, border, memory, .. } = &mut self.ready;
        let connection = source.driver();
        let access = guest.map(|(access, _)| access);
        watch.set(deadline);
        match guest {
            Some((_, bytes)) => {
                memory.bound(usize::try_from(WORKING_BYTES.saturating_add(bytes)).unwrap_or(usize::MAX));
            }
            None => memory.unbound(),
        }
        let is_set = match (&border, access) {
            (Border::None, None) => true,
            (Border::Set(set), Some(wanted)) => set.is_same(wanted),
            _ => false,
        };
        if is_set {
            return Ok(());
        }
        *border = Border::Unknown;
        let set = match access {
            Some(access) => santokit_sqlite::restrict(connection, access.clone()).await,
            None => santokit_sqlite::clear(connection).await,
        };
        set.map_err(|error| DbError::from_sqlite(&error))?;
        *border = access.map_or(Border::None, |access| Border::Set(access.clone()));
        Ok(())
    }

    /// The driver's own.
    pub(super) fn driver(&mut self) -> &mut SqliteConnection {
        self.ready.source.driver()
    }

    /// Waits until the engine has left a statement whose rows nobody wants any more: still under that statement's deadline.
    pub(super) async fn settle(&mut self) -> Result<(), DbError> {
        let settled = self.driver().ping().await.map_err(|error| DbError::from_sqlite(&error));
        self.ready.is_broken |= settled.is_err();
        settled
    }

    /// Whether the statement wanted more memory than it may have.
    pub(super) fn is_memory_refused(&self) -> bool {
        self.ready.memory.is_refused()
    }

    /// Set by the engine when it rolls back.
    pub(super) fn rolled_back(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ready.watch.is_rolled_back)
    }

    /// Gives it back as it is: no transaction is open on it, and nothing that was begun on it was dropped midway.
    pub fn give_back(self) {
        let Self { ready, home } = self;
        // What guests were held to is not the next one's, nor that of who clears it.
        ready.memory.unbound();
        if ready.is_broken {
            return;
        }
        if let Some((idle, permits)) = home {
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(ready);
            drop(permits);
        }
    }
}

impl Source {
    fn driver(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Pool(connection) => connection,
            Self::Own(connection) => connection,
        }
    }
}

impl Ready {
    async fn new(mut source: Source) -> Result<Self, DbError> {
        let watch = Arc::new(Watch {
            begin: Instant::now(),
            deadline: AtomicU64::new(0),
            is_rolled_back: Arc::new(AtomicBool::new(false)),
        });
        let (asked, rolled_back) = (Arc::clone(&watch), Arc::clone(&watch.is_rolled_back));
        let memory = Memory::of(source.driver()).await.map_err(|error| DbError::from_sqlite(&error))?;
        memory.unbound();
        let mut handle = source.driver().lock_handle().await.map_err(|error| DbError::from_sqlite(&error))?;
        handle.set_progress_handler(STEPS_BETWEEN_CHECKS, move || asked.is_in_time());
        handle.set_rollback_hook(move || rolled_back.store(true, Ordering::Release));
        drop(handle);
        // A connection comes from the pool new or cleared.
        Ok(Self { source, watch, border: Border::None, memory, is_broken: false })
    }
}

/// What is left on it is still to be rolled back, which takes a little.
impl Drop for Ready {
    fn drop(&mut self) {
        self.memory.bound(CLEARING_BYTES);
    }
}

impl Watch {
    fn set(&self, deadline: Deadline) {
        let after = deadline.saturating_duration_since(self.begin).as_nanos();
        self.deadline.store(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Release);
    }

    fn is_in_time(&self) -> bool {
        self.begin.elapsed().as_nanos() < u128::from(self.deadline.load(Ordering::Acquire))
    }
}
