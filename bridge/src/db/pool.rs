//! Connections to a database server: as many as the settings allow, kept between uses, each watched while it works.
//!
//! A place in the pool is held by a value and freed with it, whatever the server does: nothing here waits for an answer without a
//! bound. A statement at its deadline is stopped on the server, from a connection that is no part of the pool. What a call leaves
//! behind (a statement that runs, a transaction that is open) is ended before the connection is used again, or the connection is
//! closed.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use santokit_core::{
    release::logins::{Publisher, publishes},
    wire::GuestLogin,
};
use santokit_sql::{dialect::Dialect, failure::FailureKind, statement::Bound};
use sqlx::Error;
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    time::{sleep, sleep_until, timeout, timeout_at},
};

use super::{
    DatabaseSettings, DbError, Share,
    cell::Answered,
    link::{Connector, Link, Ran},
    listen::Listener,
    relay::Gauge,
    session::Sink,
};

/// A server's connections.
pub(super) struct Pool {
    dialect: Dialect,
    connector: Connector,
    settings: DatabaseSettings,
    places: Arc<Semaphore>,
    /// Of all places, those that guests' work may hold.
    guest_places: Arc<Semaphore>,
    /// Of those of guests, the ones that a login may hold. Its connections count as the platform's do.
    login_places: Option<Arc<Semaphore>>,
    /// Of a login that publishes events.
    publisher: Option<Publisher>,
    idle: Mutex<Vec<Kept>>,
    /// Raised when a connection turns out dead: those of before are likely dead too.
    epoch: AtomicU64,
    /// Since when nobody could connect.
    away_since: Mutex<Option<Instant>>,
    /// Stops statements.
    control: tokio::sync::Mutex<Option<Link>>,
}

/// A connection between two uses.
struct Kept {
    link: Link,
    /// Its number on the server.
    id: u64,
    epoch: u64,
    made: Instant,
    used: Instant,
}

/// A connection in use, and its place in the pool.
pub(super) struct Lease {
    pool: Arc<Pool>,
    /// Empty once it was given back or lost.
    kept: Option<Kept>,
    state: State,
    /// Whether it was in the pool before, so that its first statement may find it dead.
    is_reused: bool,
    /// Whether it is closed after this use.
    is_last: bool,
    /// How many bytes a statement may answer, where guests say what is asked.
    answer_most: u64,
    places: Places,
}

/// What is held in the pool: a place, for guests' work one of those that it may hold, for a login's one of its own. Freed when dropped.
type Places = Vec<OwnedSemaphorePermit>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// A transaction is open; whether a statement of it has failed.
    Open {
        failed: bool,
    },
    /// A statement was begun, and its end was not seen.
    Running,
    /// Not to be used again.
    Spent,
}

/// How a statement ended.
enum Ended<T> {
    InTime(Result<T, Error>),
    /// At its deadline, on our order.
    Stopped(Result<T, Error>),
    /// It did not even obey.
    Abandoned,
}

/// What rests for longer is asked whether it lives before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
const PING_MAX: Duration = Duration::from_secs(2);
const IDLE_MAX: Duration = Duration::from_mins(10);
const AGE_MAX: Duration = Duration::from_mins(30);
/// For a statement to end after it was ordered to.
const STOP_MAX: Duration = Duration::from_secs(3);
/// For what a call left behind to be ended.
const CLEAN_MAX: Duration = Duration::from_secs(3);
/// What a guest's statement may answer whose rows nobody asked for.
const EFFECT_BYTES_MAX: u64 = 2 << 20;
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

impl Pool {
    /// Connects to nothing yet.
    pub(super) fn new(dialect: Dialect, url: &str, settings: &DatabaseSettings) -> Result<Self, DbError> {
        Ok(Self::of(dialect, Connector::new(dialect, url, settings)?, settings))
    }

    /// As another user than the URL's, of whose connections there are at most so many. All logins share the places of the pool that
    /// they stand beside.
    pub(super) fn of_login(&self, url: &str, login: &GuestLogin, most: usize) -> Result<Self, DbError> {
        let (dialect, settings) = (self.dialect, &self.settings);
        let url =
            if dialect == Dialect::Mysql && login.tables.is_empty() { without_database(url) } else { url.to_owned() };
        let connector = Connector::new(dialect, &url, settings)?.with_login(login);
        let mut pool = Self::of(dialect, connector, settings);
        pool.places = Arc::clone(&self.places);
        pool.guest_places = Arc::clone(&self.guest_places);
        pool.login_places = Some(Arc::new(Semaphore::new(most)));
        pool.publisher = publishes(&login.tables).then(|| Publisher::of(&login.user, login.password.expose()));
        Ok(pool)
    }

    fn of(dialect: Dialect, connector: Connector, settings: &DatabaseSettings) -> Self {
        Self {
            dialect,
            connector,
            settings: settings.clone(),
            places: Arc::new(Semaphore::new(settings.pool_size)),
            guest_places: Arc::new(Semaphore::new(settings.guest_places())),
            login_places: None,
            publisher: None,
            idle: Mutex::default(),
            epoch: AtomicU64::new(0),
            away_since: Mutex::default(),
            control: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// How its login publishes events, if it does.
    pub(super) fn publisher(&self) -> Option<&Publisher> {
        self.publisher.as_ref()
    }

    /// The longest that a statement may take from now, whatever its caller allows.
    pub(super) fn deadline(&self, wanted: Instant) -> Instant {
        wanted.min(Instant::now() + self.settings.query_timeout)
    }

    /// Listens on a channel, on a connection that is none of the pool's.
    pub(super) async fn listen(&self, channel: &str) -> Result<Listener, DbError> {
        let none = || DbError::unsupported("to be told by others", self.dialect.as_str());
        Listener::open(self.connector.postgres().ok_or_else(none)?, channel).await
    }

    /// (in use, idle).
    pub(super) fn usage(&self) -> (i64, i64) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let used = self.settings.pool_size.saturating_sub(self.places.available_permits());
        (count(used), count(self.kept().len()))
    }

    /// A connection, within the bounds of waiting.
    pub(super) async fn acquire(self: &Arc<Self>, share: Share, deadline: Instant) -> Result<Lease, DbError> {
        let places = self.place(share, deadline).await?;
        let lease = |kept, is_reused| Lease {
            pool: Arc::clone(self),
            kept: Some(kept),
            state: State::Ready,
            is_reused,
            is_last: false,
            answer_most: EFFECT_BYTES_MAX,
            places,
        };
        while let Some(mut kept) = self.take_kept() {
            if kept.used.elapsed() < TRUSTED_FOR {
                return Ok(lease(kept, true));
            }
            if matches!(timeout(PING_MAX, Box::pin(kept.link.ping())).await, Ok(Ok(()))) {
                return Ok(lease(kept, true));
            }
            self.distrust(kept.epoch);
        }
        // Rarely done, and a large future.
        Ok(lease(Box::pin(self.connect(deadline)).await?, false))
    }

    async fn place(&self, share: Share, deadline: Instant) -> Result<Places, DbError> {
        let bound = Instant::now() + self.settings.pool_wait;
        let guests = (share == Share::Guest).then_some(&self.guest_places);
        // The narrowest first: who waits for it keeps none of the others.
        let all = self.login_places.iter().chain(guests).chain([&self.places]);
        let waiting = async {
            let mut places = Places::new();
            for free in all {
                places.push(Arc::clone(free).acquire_owned().await?);
            }
            Ok::<_, AcquireError>(places)
        };
        match timeout_at(bound.min(deadline).into(), waiting).await {
            Ok(Ok(places)) => Ok(places),
            // They are never closed.
            Ok(Err(_)) => Err(DbError::unavailable("the pool is closed")),
            Err(_) if deadline < bound => Err(DbError::interrupted()),
            Err(_) => Err(DbError::exhausted()),
        }
    }

    /// Tries until the bound of waiting, for a server that comes back; once only where it is away for longer than that.
    async fn connect(&self, deadline: Instant) -> Result<Kept, DbError> {
        let until = deadline.min(Instant::now() + self.settings.pool_wait);
        let mut backoff = BACKOFF_MIN;
        loop {
            let epoch = self.epoch.load(Ordering::Acquire);
            let error = match timeout_at(until.into(), self.connector.connect()).await {
                Ok(Ok((link, id))) => {
                    *lock(&self.away_since) = None;
                    let now = Instant::now();
                    return Ok(Kept { link, id, epoch, made: now, used: now });
                }
                Ok(Err(error)) => DbError::from_sqlx(&error),
                Err(_) => DbError::unavailable("the database does not answer"),
            };
            let away = lock(&self.away_since).get_or_insert_with(Instant::now).elapsed();
            let may_come_back = matches!(error.kind, FailureKind::Lost | FailureKind::Unavailable);
            let is_out_of_time = Instant::now() + backoff >= until;
            if !may_come_back || is_out_of_time || away > self.settings.pool_wait {
                tracing::warn!(cause = &error as &dyn std::error::Error, "cannot connect to the database");
                return Err(DbError::unavailable("the database cannot be reached"));
            }
            sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// The one that was used last, so that the others can age.
    fn take_kept(&self) -> Option<Kept> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let mut kept = self.kept();
        kept.retain(|kept| kept.epoch == epoch && kept.used.elapsed() < IDLE_MAX && kept.made.elapsed() < AGE_MAX);
        kept.pop()
    }

    /// All connections of that time are not used again, unless they show that they live by being in use.
    fn distrust(&self, epoch: u64) {
        // Only the first of those that find out raises it.
        let _ = self.epoch.compare_exchange(epoch, epoch + 1, Ordering::AcqRel, Ordering::Acquire);
    }

    fn keep(&self, mut kept: Kept) {
        kept.used = Instant::now();
        if kept.epoch == self.epoch.load(Ordering::Acquire) && kept.made.elapsed() < AGE_MAX {
            self.kept().push(kept);
        }
    }

    /// Waits for the end of a statement until its deadline, then stops it on the server and waits a little more.
    async fn watch<T>(&self, id: u64, deadline: Instant, work: impl Future<Output = Result<T, Error>>) -> Ended<T> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            ended = &mut work => return Ended::InTime(ended),
            () = sleep_until(deadline.into()) => {}
        }
        match timeout(STOP_MAX, async { tokio::join!(&mut work, Box::pin(self.stop(id))) }).await {
            Ok((ended, ())) => Ended::Stopped(ended),
            Err(_) => Ended::Abandoned,
        }
    }

    /// Stops what a connection runs.
    async fn stop(&self, id: u64) {
        let mut control = self.control.lock().await;
        if control.is_none() {
            match self.connector.connect().await {
                Ok((link, _)) => *control = Some(link),
                Err(error) => {
                    let error = DbError::from_sqlx(&error);
                    tracing::warn!(cause = &error as &dyn std::error::Error, "a statement cannot be stopped");
                    return;
                }
            }
        }
        // Taken out while it works: one that is left in the middle is not used again.
        let Some(mut link) = control.take() else { return };
        match link.stop(id).await {
            // An error of the database's: what was to be stopped has ended by itself.
            Ok(()) | Err(Error::Database(_)) => *control = Some(link),
            Err(error) => {
                let error = DbError::from_sqlx(&error);
                tracing::warn!(cause = &error as &dyn std::error::Error, "a statement cannot be stopped");
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        lock(&self.idle)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let kept = std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner));
        let control = self.control.get_mut().take();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let links: Vec<Link> = kept.into_iter().map(|kept| kept.link).chain(control).collect();
        if !links.is_empty() {
            runtime.spawn(timeout(CLEAN_MAX, async move {
                for link in links {
                    drop(link.close().await);
                }
            }));
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

impl Lease {
    /// The pool that it is of.
    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Whether its first statement may fail for what happened before.
    pub(super) fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Whether a statement of the open transaction has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.state == State::Open { failed: true }
    }

    /// Runs a statement and gives its rows to the sink.
    pub(super) async fn run(
        &mut self,
        sql: &str,
        params: &[Bound],
        answered: Answered<'_>,
        sink: &mut Sink<'_>,
        deadline: Instant,
    ) -> Result<Ran, DbError> {
        if self.has_failed() {
            return Err(DbError::failed_transaction());
        }
        let before = self.begin_work()?;
        let pool = Arc::clone(&self.pool);
        let kept = self.kept.as_mut().ok_or_else(lost)?;
        if let Some(gauge) = kept.link.gauge() {
            gauge.begin(self.answer_most);
        }
        let ended = pool.watch(kept.id, pool.deadline(deadline), kept.link.run(sql, params, answered, sink)).await;
        if kept.link.gauge().is_some_and(Gauge::is_over) {
            // Hung up on, so that there is nothing to be stopped.
            self.state = State::Spent;
            return Err(DbError::out_of_memory());
        }
        let ran = self.end_work(before, ended).await?;
        if ran.is_cut {
            // The rest of the rows is still on its way: what they come on is closed, and their statement stopped.
            self.state = State::Running;
        }
        Ok(ran)
    }

    /// Runs a command without values. One that ends a transaction may follow a statement that failed.
    pub(super) async fn command(&mut self, sql: &str, after: After, deadline: Instant) -> Result<(), DbError> {
        if self.has_failed() && after == After::Same {
            return Err(DbError::failed_transaction());
        }
        let before = self.begin_work()?;
        let pool = Arc::clone(&self.pool);
        let kept = self.kept.as_mut().ok_or_else(lost)?;
        let ended = pool.watch(kept.id, pool.deadline(deadline), kept.link.command(sql)).await;
        // Nobody knows whether a commit without an answer was one.
        let is_unknown = sql == "COMMIT" && matches!(ended, Ended::Abandoned);
        let ended = self.end_work(before, ended).await;
        ended.map_err(|error| if is_unknown { DbError::lost() } else { error })?;
        self.state = match after {
            After::Same => self.state,
            After::Open => State::Open { failed: false },
            After::Ready => State::Ready,
        };
        Ok(())
    }

    /// Forgets prepared statements after one was found stale.
    pub(super) async fn forget_statements(&mut self, deadline: Instant) -> Result<(), DbError> {
        let before = self.begin_work()?;
        let pool = Arc::clone(&self.pool);
        let kept = self.kept.as_mut().ok_or_else(lost)?;
        let ended = pool.watch(kept.id, deadline, kept.link.forget_statements()).await;
        self.end_work(before, ended).await
    }

    /// How many bytes the statements may answer that follow.
    pub(super) fn allow(&mut self, bytes: u64) {
        self.answer_most = bytes;
    }

    /// It is closed after its use: its session is no longer the one that it was made with.
    pub(super) fn spend(&mut self) {
        self.is_last = true;
    }

    fn begin_work(&mut self) -> Result<State, DbError> {
        match self.state {
            State::Ready | State::Open { .. } => Ok(std::mem::replace(&mut self.state, State::Running)),
            State::Running | State::Spent => Err(lost()),
        }
    }

    async fn end_work<T>(&mut self, before: State, ended: Ended<T>) -> Result<T, DbError> {
        let failed = if matches!(before, State::Open { .. }) { State::Open { failed: true } } else { before };
        match ended {
            Ended::InTime(Ok(done)) => {
                self.state = before;
                Ok(done)
            }
            Ended::Stopped(Ok(done)) => {
                self.settle(before).await;
                Ok(done)
            }
            Ended::InTime(Err(error)) => {
                let is_clean = matches!(error, Error::Database(_) | Error::Encode(_));
                let error = DbError::from_sqlx(&error);
                self.state = match error.kind {
                    FailureKind::Lost => State::Spent,
                    _ if is_clean => failed,
                    // A row that nobody understands: others are still on their way.
                    _ => State::Running,
                };
                if let (FailureKind::Lost, Some(kept)) = (error.kind, &self.kept) {
                    self.pool.distrust(kept.epoch);
                }
                Err(error)
            }
            Ended::Stopped(Err(Error::Database(_))) => {
                self.settle(failed).await;
                Err(DbError::interrupted())
            }
            Ended::Stopped(Err(_)) | Ended::Abandoned => {
                self.state = State::Spent;
                Err(DbError::interrupted())
            }
        }
    }

    /// A late order to stop must not meet the next statement.
    async fn settle(&mut self, state: State) {
        let Some(kept) = &mut self.kept else { return };
        let settled = matches!(timeout(PING_MAX, Box::pin(kept.link.settle())).await, Ok(Ok(())));
        self.state = if settled { state } else { State::Spent };
    }
}

/// What is open after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// What was before.
    Same,
    /// A transaction, of which nothing has failed.
    Open,
    /// Nothing.
    Ready,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut kept) = self.kept.take() else { return };
        let is_last = self.is_last;
        if self.state == State::Ready && !is_last {
            return self.pool.keep(kept);
        }
        // Without a runtime the connection is closed here, which ends its transaction.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let pool = Arc::clone(&self.pool);
        match self.state {
            State::Open { .. } => {
                let places = std::mem::take(&mut self.places);
                runtime.spawn(async move {
                    if matches!(timeout(CLEAN_MAX, kept.link.command("ROLLBACK")).await, Ok(Ok(()))) && !is_last {
                        pool.keep(kept);
                    }
                    drop(places);
                });
            }
            State::Running => {
                let places = std::mem::take(&mut self.places);
                runtime.spawn(async move {
                    // Stopped first: a server does not notice that nobody waits any more.
                    drop(timeout(CLEAN_MAX, pool.stop(kept.id)).await);
                    drop(kept);
                    drop(places);
                });
            }
            State::Ready | State::Spent => {}
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("pool", &self.pool).field("state", &self.state).finish_non_exhaustive()
    }
}

/// MySQL lets a user that may do nothing into no database.
fn without_database(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let path = url[start..].find('/').map_or(url.len(), |at| start + at);
    let rest = url[path..].find('?').map_or(url.len(), |at| path + at);
    format!("{}{}", &url[..path], &url[rest..])
}

fn lost() -> DbError {
    DbError::unavailable("the connection has ended")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
