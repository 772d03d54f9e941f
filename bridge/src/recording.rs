//! Recordings of invocations: which are made, and what becomes of them. A release asks for them (`record` of a logic) and the Bridge's own
//! settings allow them; without both there are none.
//!
//! An invocation never waits for its recording: it is made, sealed and written behind it, and where there are too many at once it is not
//! made at all, and counted.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};
use rand::RngExt;
use santokit_core::{
    id::Kind,
    logic::{Record, Share},
    seal::SealKey,
};
use santokit_wasm::{
    CallError, CallerInfo, InvocationInfo, Usage,
    record::{About, Head, Outcome, Recording, Tape, TapeLimits},
};
use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::{config::EnvName, metrics::Metrics};

mod shelf;

use shelf::Shelf;

/// That are made, or wait to be written, at once: each is in memory meanwhile.
const AT_ONCE_MAX: usize = 64;
/// Host calls of one.
const CALLS_MAX: usize = 10_000;
/// Of one env.
const RECORDINGS_MAX: usize = 2_000;
/// Below that of an env in the cache.
const FOLDER: &str = "recordings";
/// How often it is seen which have expired.
const SWEEP: Duration = Duration::from_mins(1);

/// What the Bridge allows.
#[derive(Clone, Debug)]
pub struct RecordingConfig {
    /// What they are sealed under. None: there are none.
    pub key: Option<Arc<SealKey>>,
    /// All recordings of an env together, sealed. 0: there are none.
    pub env_bytes_max: u64,
    /// One, before it is sealed, about.
    pub bytes_max: usize,
    /// How long one is kept, whatever its release says.
    pub keep_max: Duration,
}

/// The recordings of a Bridge.
#[derive(Debug)]
pub struct Recordings {
    config: RecordingConfig,
    dir: PathBuf,
    /// None: there are none.
    shelves: Option<Shelves>,
    permits: Arc<Semaphore>,
    queue: mpsc::Sender<Finished>,
    /// Taken by the task that writes.
    written: Mutex<Option<mpsc::Receiver<Finished>>>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Shelves {
    key: Arc<SealKey>,
    open: Mutex<HashMap<EnvName, Arc<Shelf>>>,
}

/// An invocation that is being recorded. Dropped, there is no recording.
#[derive(Debug)]
pub(crate) struct InProgress {
    /// What is kept of it.
    pub(crate) tape: Arc<Tape>,
    about: About,
    record: Arc<Record>,
    /// Those of the env, whichever the guest asks for.
    secrets: Arc<BTreeMap<String, SecretString>>,
    /// Whether it is kept however it ends.
    is_sampled: bool,
    permit: OwnedSemaphorePermit,
    queue: mpsc::Sender<Finished>,
}

/// Whose invocation is recorded, and what must not be in it.
pub(crate) struct Of {
    /// What it is.
    pub(crate) invocation: InvocationInfo,
    /// Who called.
    pub(crate) caller: CallerInfo,
    /// Of the env.
    pub(crate) secrets: Arc<BTreeMap<String, SecretString>>,
}

/// What is left to be written.
#[derive(Debug)]
struct Finished {
    progress: InProgress,
    outcome: Result<Vec<u8>, CallError>,
    usage: Usage,
}

/// One that was found.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// What is known of it.
    #[serde(flatten)]
    pub head: Head,
    /// On the disk.
    pub bytes: u64,
}

impl Recordings {
    /// In a cache directory.
    pub fn new(config: RecordingConfig, dir: PathBuf, metrics: Arc<Metrics>) -> Self {
        // Each that is in it holds a permit: it is never full.
        let (queue, written) = mpsc::channel(AT_ONCE_MAX);
        let key = config.key.clone().filter(|_| config.env_bytes_max > 0);
        Self {
            config,
            dir,
            shelves: key.map(|key| Shelves { key, open: Mutex::default() }),
            permits: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            queue,
            written: Mutex::new(Some(written)),
            metrics,
        }
    }

    /// Where nothing is recorded.
    pub fn none(metrics: Arc<Metrics>) -> Self {
        let config = RecordingConfig { key: None, env_bytes_max: 0, bytes_max: 0, keep_max: Duration::ZERO };
        Self::new(config, PathBuf::new(), metrics)
    }

    /// Whether this invocation is recorded, and if so, how.
    pub(crate) fn begin(
        &self,
        record: Option<&Arc<Record>>,
        component: &str,
        input: &[u8],
        of: impl FnOnce() -> Of,
    ) -> Option<InProgress> {
        let record = record.filter(|_| self.shelves.is_some())?;
        let is_sampled = hits(record.sample);
        if !is_sampled && !hits(record.failures) {
            return None;
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.metrics.recordings.recorded("busy");
            return None;
        };
        let Some(bytes_max) = self.config.bytes_max.checked_sub(input.len()) else {
            self.metrics.recordings.recorded("large");
            return None;
        };
        let Of { invocation, caller, secrets } = of();
        let now = Utc::now();
        let keep = record.keep.duration().min(self.config.keep_max);
        let about = About {
            id: Kind::Recording.generate(),
            invocation,
            caller,
            component: component.to_owned(),
            input: input.to_vec(),
            at: text(now),
            until: text(now + keep),
        };
        let tape = Tape::new(TapeLimits { bytes_max, calls_max: CALLS_MAX });
        let record = Arc::clone(record);
        Some(InProgress { tape, about, record, secrets, is_sampled, permit, queue: self.queue.clone() })
    }

    /// Writes what was recorded, and removes what has expired, until the Bridge ends.
    pub async fn run(self: Arc<Self>, envs: Vec<EnvName>, mut stopped: watch::Receiver<bool>) {
        let taken = self.written.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut queue) = taken else { return };
        self.on_disk(move |recordings| recordings.sweep(&envs)).await;
        let mut sweeps = tokio::time::interval(SWEEP);
        loop {
            let next = tokio::select! {
                Some(finished) = queue.recv() => Some(finished),
                _ = sweeps.tick() => None,
                _ = stopped.wait_for(|stopped| *stopped) => break,
            };
            match next {
                Some(finished) => self.on_disk(move |recordings| recordings.write(finished)).await,
                None => self.on_disk(Self::sweep_open).await,
            }
        }
        while let Ok(finished) = queue.try_recv() {
            self.on_disk(move |recordings| recordings.write(finished)).await;
        }
    }

    async fn on_disk(self: &Arc<Self>, work: impl FnOnce(&Self) + Send + 'static) {
        let recordings = Arc::clone(self);
        // A panic there is a fault of ours that ends with the recording.
        if tokio::task::spawn_blocking(move || work(&recordings)).await.is_err() {
            self.metrics.recordings.recorded("failed");
        }
    }

    /// What is there of an env, the newest first.
    pub async fn list(self: &Arc<Self>, env: &EnvName, logic: Option<String>) -> Vec<Listed> {
        let (recordings, env) = (Arc::clone(self), env.clone());
        let listed = tokio::task::spawn_blocking(move || {
            let mut listed = recordings.shelf(&env)?.list(Utc::now());
            listed.retain(|one| logic.as_ref().is_none_or(|logic| *logic == one.head.logic));
            Some(listed)
        });
        listed.await.ok().flatten().unwrap_or_default()
    }

    /// One of an env, as JSON; none where there is none, or no more.
    pub async fn read(self: &Arc<Self>, env: &EnvName, id: &str) -> Option<Vec<u8>> {
        let (recordings, env, id) = (Arc::clone(self), env.clone(), id.to_owned());
        let read = tokio::task::spawn_blocking(move || recordings.shelf(&env)?.read(&id, Utc::now()));
        read.await.ok().flatten()
    }

    /// What is found of envs that are served; where nothing is allowed, nothing is kept of before, and of other envs nothing at all.
    fn sweep(&self, envs: &[EnvName]) {
        self.forget_others(envs);
        for env in envs {
            match self.shelf(env) {
                Some(found) => found.sweep(Utc::now()),
                None => drop(fs::remove_dir_all(self.folder(env))),
            }
        }
    }

    /// What was recorded of an env that is not served any more has nobody who could read it, and would have no end.
    fn forget_others(&self, envs: &[EnvName]) {
        let below = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten();
        for project in below(self.dir.join("envs")) {
            for env in below(project.path()) {
                let (project, env, kept) = (project.file_name(), env.file_name(), env.path().join(FOLDER));
                if envs.iter().any(|served| project == served.project.as_str() && env == served.env.as_str()) {
                    continue;
                }
                match fs::remove_dir_all(&kept) {
                    Ok(()) => tracing::info!(?project, ?env, "recordings of an env that is not served are removed"),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => tracing::warn!(?project, ?env, %error, "recordings cannot be removed"),
                }
            }
        }
    }

    fn sweep_open(&self) {
        let Some(shelves) = &self.shelves else { return };
        let found: Vec<Arc<Shelf>> =
            shelves.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for one in found {
            one.sweep(Utc::now());
        }
    }

    fn shelf(&self, env: &EnvName) -> Option<Arc<Shelf>> {
        let shelves = self.shelves.as_ref()?;
        let mut open = shelves.open.lock().unwrap_or_else(PoisonError::into_inner);
        let made = open.entry(env.clone()).or_insert_with(|| {
            let bounds = (self.config.env_bytes_max, RECORDINGS_MAX);
            Arc::new(Shelf::open(self.folder(env), env.to_string(), Arc::clone(&shelves.key), bounds))
        });
        Some(Arc::clone(made))
    }

    /// Names of projects and envs are labels: neither leads out of the cache.
    fn folder(&self, env: &EnvName) -> PathBuf {
        self.dir.join("envs").join(&env.project).join(&env.env).join(FOLDER)
    }

    fn write(&self, finished: Finished) {
        let Finished { progress, outcome, usage } = finished;
        let InProgress { tape, about, record, secrets, permit, .. } = progress;
        let env = EnvName { project: about.invocation.project.clone(), env: about.invocation.env.clone() };
        let written = tape
            .recording(about, &record.redact, &secrets, &outcome, &usage)
            .map_err(|error| error.to_string())
            .and_then(|recording| self.put(&env, &recording));
        drop(permit);
        match written {
            Ok(result) => self.metrics.recordings.recorded(result),
            Err(reason) => {
                self.metrics.recordings.recorded("failed");
                tracing::warn!(%env, reason, "an invocation was not recorded");
            }
        }
    }

    fn put(&self, env: &EnvName, recording: &Recording) -> Result<&'static str, String> {
        self.shelf(env).ok_or("recordings are off")?.put(recording).map_err(|error| error.to_string())?;
        Ok(if recording.head.cut.is_some() { "cut" } else { "whole" })
    }
}

impl InProgress {
    /// The invocation has ended.
    pub(crate) fn finish(self, outcome: &Result<Vec<u8>, CallError>, usage: &Usage, metrics: &Metrics) {
        if !self.is_sampled && Outcome::of(outcome) == Outcome::Answer {
            return;
        }
        if outcome.as_ref().is_ok_and(|answer| !self.tape.has_room_for(answer.len())) {
            metrics.recordings.recorded("large");
            return;
        }
        let queue = self.queue.clone();
        // It is never full; closed, the Bridge has ended.
        drop(queue.try_send(Finished { progress: self, outcome: outcome.clone(), usage: usage.clone() }));
    }
}

fn hits(share: Share) -> bool {
    !share.is_none() && rand::rng().random_range(0..Share::ALL.0) < share.0
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests;
