//! One task for each env: asks the Hub what is current, verifies it, has the generation built, and swaps it in one step.
//!
//! Whatever goes wrong here, what runs goes on running; an operator sees why in the log, in `/readyz` and in the report.

use std::{
    error::Error,
    io,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::FutureExt;
use santokit_core::{
    code::Code,
    release::{Digest, Envelope, Pointer, SignedRelease, verify, verify::Trust},
    wire::{Current, Refused, RuntimeBundle},
};
use tokio::sync::{Notify, watch};

mod load;

use super::{
    EnvSlot,
    cache::{Cache, Good, Seen},
    fetch::{Conditional, FetchError, HubClient},
};
use crate::{
    generation::{Generation, LoadError, Loader, Runtime},
    metrics::Metrics,
};

/// Between two polls that brought nothing, for a Hub that does not hold long polls.
const PAUSE: Duration = Duration::from_secs(1);

/// What a watcher works with.
#[derive(Clone)]
pub struct Tools {
    /// Where releases come from.
    pub hub: HubClient,
    /// Where they are kept.
    pub cache: Cache,
    /// Makes generations of them.
    pub loader: Arc<Loader>,
    /// Whose signatures count.
    pub trust: Trust,
    /// Counts failures.
    pub metrics: Arc<Metrics>,
    /// Woken when there is something to report.
    pub changed: Arc<Notify>,
    /// How long one poll waits.
    pub wait: Duration,
}

/// The task's memory.
struct Watcher {
    tools: Tools,
    slot: Arc<EnvSlot>,
    pointer_etag: Option<String>,
    pointer: Option<(Pointer, Envelope)>,
    runtime_etag: Option<String>,
    runtime: Option<Arc<RuntimeBundle>>,
    /// Of the bundle's JSON: a Hub without ETags must not make it look new at every poll.
    runtime_digest: Option<Digest>,
    /// Sequence of the pointer whose release was refused.
    refused: Option<u64>,
    release: Option<(String, SignedRelease)>,
    /// Pointer and release have other signatures than those that are kept on disk.
    is_signed_anew: bool,
    /// Of a canary.
    candidate: Option<(String, SignedRelease)>,
}

/// Why a poll came to nothing.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the cache directory cannot be used")]
    Disk(#[from] io::Error),
    #[error("the Hub's pointer was refused: {0}")]
    Pointer(String),
    #[error("the Hub does not know this env any more")]
    Gone,
    #[error("a task ended early")]
    Task(#[from] tokio::task::JoinError),
}

/// Why a release was not loaded.
enum Failure {
    /// It may work the next time.
    Passing(PollError),
    /// It will not, as long as nothing changes.
    Refused(LoadError),
}

/// Watches one env until shutdown.
pub async fn run(tools: Tools, slot: Arc<EnvSlot>, mut shutdown: watch::Receiver<bool>) {
    loop {
        let mut watcher = Watcher::new(tools.clone(), slot.clone());
        let watching = async {
            // A mistake in this program must not leave an env without its watcher.
            if AssertUnwindSafe(watcher.watch()).catch_unwind().await.is_err() {
                tracing::error!(env = %slot.name, "the watcher of this env panicked and starts again");
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => return,
            () = watching => {}
        }
    }
}

impl Watcher {
    fn new(tools: Tools, slot: Arc<EnvSlot>) -> Self {
        Self {
            tools,
            slot,
            pointer_etag: None,
            pointer: None,
            runtime_etag: None,
            runtime: None,
            runtime_digest: None,
            refused: None,
            release: None,
            is_signed_anew: false,
            candidate: None,
        }
    }

    async fn watch(&mut self) {
        if self.slot.generation().is_none()
            && let Err(error) = self.restore().await
        {
            tracing::warn!(env = %self.slot.name, error = &error as &dyn Error, "the cached release cannot be used");
            self.slot.wait_for("the Hub: the cached release cannot be used");
        }
        let (mut backoff, slot) = (delays(), self.slot.clone());
        let mut questions = slot.syncs.questions();
        loop {
            let asked = Instant::now();
            questions.mark_unchanged();
            let question = slot.syncs.open();
            if question.is_some() {
                self.forget_tags();
            }
            let wait = if question.is_some() { Duration::ZERO } else { self.tools.wait };
            let answer = tokio::select! {
                answer = self.tools.hub.current(&slot.name, self.pointer_etag.as_deref(), wait) => answer,
                // Only a poll that waits is given up for who asks, not one that does something.
                Ok(()) = questions.changed(), if question.is_none() => continue,
            };
            let polled = self.follow(answer).await;
            if let Some(number) = question {
                slot.syncs.answer(number, polled.as_ref().err().map(ToString::to_string));
            }
            match polled {
                Ok(is_new) => {
                    backoff = delays();
                    if !is_new {
                        tokio::time::sleep(PAUSE.saturating_sub(asked.elapsed())).await;
                    }
                }
                Err(error) => {
                    let delay = backoff.next().unwrap_or(Duration::from_secs(30));
                    self.tools.metrics.hub_poll_failed(&self.slot.name);
                    tracing::warn!(env = %self.slot.name, error = &error as &dyn Error, ?delay, "polling the Hub failed");
                    // The next question must be answered at once, not held for a change.
                    self.pointer_etag = None;
                    // Where only the runtime bundle is missing, the reason says so already.
                    if self.slot.generation().is_none() && (self.release.is_none() || self.runtime.is_some()) {
                        self.slot.wait_for(format!("the Hub: {error}"));
                    }
                    // Whoever asks does not wait for it.
                    drop(tokio::time::timeout(delay, questions.changed()).await);
                }
            }
        }
    }

    /// So that the Hub answers at once and in full, and what was refused is tried again.
    fn forget_tags(&mut self) {
        (self.pointer_etag, self.runtime_etag, self.refused) = (None, None, None);
    }

    /// Does what an answer to a poll asks for; true where there is a new pointer.
    async fn follow(&mut self, answer: Result<Conditional<Current>, FetchError>) -> Result<bool, PollError> {
        let pointer_is_new = match answer? {
            Conditional::Absent if self.slot.generation().is_some() => return Err(PollError::Gone),
            Conditional::Absent => {
                self.slot.wait_for("the first release: run `stk apply`");
                return Ok(false);
            }
            Conditional::Unchanged => false,
            Conditional::New(current, etag) => {
                self.accept(current.pointer).await?;
                self.pointer_etag = etag;
                true
            }
        };
        let runtime_is_new = self.refresh_runtime().await?;
        // Before the confirmation, after which a candidate may be served again.
        self.end_canary();
        // Before the swap: what is loaded must never be seen without a time of confirmation.
        self.slot.confirm();
        self.settle(runtime_is_new).await?;
        self.confirm().await;
        Ok(pointer_is_new)
    }

    /// Takes a pointer that is signed, for this env, and not older than any seen before.
    async fn accept(&mut self, envelope: Envelope) -> Result<(), PollError> {
        let name = &self.slot.name;
        let pointer = verify::pointer(&envelope, &self.tools.trust, &name.project, &name.env)
            .map_err(|error| self.refuse_pointer(None, &error.to_string()))?;
        let next = seen_of(&pointer, &envelope);
        let (cache, env) = (self.tools.cache.clone(), name.clone());
        let verdict = blocking(move || {
            let seen = cache.seen(&env)?;
            let verdict = order(seen.as_ref(), &next);
            if verdict == Ok(true) {
                let loaded = seen.map_or(0, |seen| seen.loaded);
                cache.put_seen(&env, &Seen { loaded, ..next })?;
            }
            Ok::<_, io::Error>(verdict)
        })
        .await??;
        verdict.map_err(|why| self.refuse_pointer(Some(&pointer), &why))?;
        self.slot.accept(pointer.sequence);
        let before = self.pointer.as_ref().map(|(_, before)| before);
        if before.is_some_and(|before| before.payload == envelope.payload && before.signatures != envelope.signatures) {
            (self.is_signed_anew, self.release, self.candidate) = (true, None, None);
        }
        self.pointer = Some((pointer, envelope));
        Ok(())
    }

    fn refuse_pointer(&self, pointer: Option<&Pointer>, why: &str) -> PollError {
        self.slot.refuse(Refused {
            release_id: pointer.map(|pointer| pointer.release_id.clone()).unwrap_or_default(),
            sequence: pointer.map_or(0, |pointer| pointer.sequence),
            code: Code::ReleaseBlocked,
            message: why.to_owned(),
        });
        self.tools.changed.notify_one();
        PollError::Pointer(why.to_owned())
    }

    async fn refresh_runtime(&mut self) -> Result<bool, PollError> {
        match self.tools.hub.runtime(&self.slot.name, self.runtime_etag.as_deref()).await? {
            Conditional::Unchanged => Ok(false),
            Conditional::Absent => Err(PollError::Gone),
            Conditional::New(bundle, etag) => {
                self.runtime_etag = etag;
                let digest = Digest::of(&serde_json::to_vec(&bundle).map_err(io::Error::other)?);
                if self.runtime_digest.as_ref() == Some(&digest) {
                    return Ok(false);
                }
                let bundle = Arc::new(bundle);
                let (cache, env, kept) = (self.tools.cache.clone(), self.slot.name.clone(), bundle.clone());
                blocking(move || cache.put_runtime(&env, &kept)).await??;
                self.runtime = Some(bundle);
                self.runtime_digest = Some(digest);
                Ok(true)
            }
        }
    }

    /// Brings what runs to what is known to be current.
    async fn settle(&mut self, runtime_is_new: bool) -> Result<(), PollError> {
        let (Some((pointer, envelope)), Some(runtime)) = (self.pointer.clone(), self.runtime.clone()) else {
            return Ok(());
        };
        if let Some(running) = self.slot.serving()
            && running.serves(&pointer)
        {
            if self.is_signed_anew {
                self.keep_anew(&pointer, envelope.clone()).await?;
            }
            if !runtime_is_new {
                return Ok(());
            }
            // What a candidate was refused for may be there now.
            if running.has_connections(&runtime) && !running.has_refused() {
                for generation in running.generations() {
                    let next = Runtime::new(&runtime, Some(&generation.runtime.load()));
                    generation.runtime.store(Arc::new(next));
                }
                return Ok(());
            }
        } else if self.refused == Some(pointer.sequence) && !runtime_is_new {
            return Ok(());
        }
        match self.load(&pointer, envelope, runtime).await {
            Ok(()) => Ok(()),
            Err(Failure::Passing(error)) => {
                // It is tried again; who looks at the fleet sees meanwhile that it is not a network that fails.
                if let PollError::Fetch(wrong) = &error
                    && wrong.is_wrong()
                {
                    let (release_id, sequence) = (pointer.release_id, pointer.sequence);
                    let (code, message) = (Code::ServiceUnavailable, format!("it cannot be fetched: {wrong}"));
                    self.slot.refuse(Refused { release_id, sequence, code, message });
                    self.tools.changed.notify_one();
                }
                Err(error)
            }
            Err(Failure::Refused(error)) => {
                self.refused = Some(pointer.sequence);
                tracing::error!(env = %self.slot.name, release = pointer.release_id, code = %error.code, reason = error.message,
                    "the release was refused; the one before goes on running");
                let LoadError { code, message } = error;
                self.slot.refuse(Refused { release_id: pointer.release_id, sequence: pointer.sequence, code, message });
                self.tools.changed.notify_one();
                Ok(())
            }
        }
    }

    /// Loads the last good release from disk, as if the Hub had said it when it last did.
    async fn restore(&mut self) -> Result<(), PollError> {
        let (cache, env) = (self.tools.cache.clone(), self.slot.name.clone());
        let (good, runtime, confirmed, seen) =
            blocking(move || (cache.good(&env), cache.runtime(&env), cache.confirmed(&env), cache.seen(&env))).await?;
        let Some(Good { pointer: envelope, release, candidate }) = good else { return Ok(()) };
        let name = &self.slot.name;
        let pointer = verify::pointer(&envelope, &self.tools.trust, &name.project, &name.env)
            .map_err(|error| PollError::Pointer(error.to_string()))?;
        // One that was put back to what it was before must not run again.
        may_restore(seen?.as_ref(), &seen_of(&pointer, &envelope)).map_err(PollError::Pointer)?;
        // A copy that was damaged must not be taken for what the Hub will send.
        verify::release(&release, &self.tools.trust).map_err(|error| PollError::Pointer(error.to_string()))?;
        self.release = Some((pointer.release_id.clone(), release.clone()));
        if let (Some(terms), Some(candidate)) = (&pointer.canary, candidate)
            && verify::release(&candidate, &self.tools.trust).is_ok()
        {
            self.candidate = Some((terms.release_id.clone(), candidate));
        }
        let Some(runtime) = runtime.map(Arc::new) else {
            self.slot.wait_for(
                "the Hub: the connections are not in the cache (they are kept where STK_BRIDGE_CACHE_KEY is set)",
            );
            return Ok(());
        };
        if let Some(confirmed) = confirmed {
            self.slot.confirm_at(confirmed);
        }
        match self.build(&pointer, &release, runtime.clone()).await {
            Ok(()) => {}
            // The Hub is asked for what the disk has not of a candidate.
            Err(Failure::Passing(_)) if self.slot.generation().is_some() => {}
            Err(Failure::Passing(error)) => return Err(error),
            Err(Failure::Refused(error)) => return Err(PollError::Pointer(error.message)),
        }
        tracing::info!(env = %self.slot.name, release = pointer.release_id, "the cached release runs until the Hub answers");
        self.pointer = Some((pointer, envelope));
        self.runtime = Some(runtime);
        Ok(())
    }

    async fn confirm(&self) {
        self.slot.confirm();
        let (cache, env) = (self.tools.cache.clone(), self.slot.name.clone());
        if let Ok(Err(error)) | Err(error) = blocking(move || cache.put_confirmed(&env)).await.map_err(io::Error::other)
        {
            tracing::warn!(env = %self.slot.name, %error, "the time of the last confirmation could not be kept on disk");
        }
    }
}

fn seen_of(pointer: &Pointer, envelope: &Envelope) -> Seen {
    Seen { sequence: pointer.sequence, payload: Digest::of(envelope.payload.as_bytes()), loaded: 0 }
}

/// Whether what is kept on disk is what has run last. A newer pointer may have been seen whose release was refused: then the one before
/// is what runs.
fn may_restore(seen: Option<&Seen>, kept: &Seen) -> Result<(), String> {
    match seen {
        Some(seen) if kept.sequence < seen.loaded => Err(format!(
            "the cached release has sequence {}, and one with {} has run here: the cache was put back to an older state",
            kept.sequence, seen.loaded
        )),
        Some(seen) if kept.sequence == seen.sequence && kept.payload != seen.payload => {
            Err(format!("the cached pointer differs from another one with the same sequence {}", kept.sequence))
        }
        _ => Ok(()),
    }
}

/// Whether a pointer is new (true), the same (false), or must be refused.
fn order(seen: Option<&Seen>, next: &Seen) -> Result<bool, String> {
    match seen {
        Some(seen) if next.sequence < seen.sequence => {
            Err(format!("its sequence {} is lower than {}, which this Bridge has seen", next.sequence, seen.sequence))
        }
        Some(seen) if next.sequence == seen.sequence && next.payload != seen.payload => {
            Err(format!("it differs from another pointer with the same sequence {}", next.sequence))
        }
        Some(seen) => Ok(next.sequence > seen.sequence),
        None => Ok(true),
    }
}

/// Holds an old generation until its last request has ended, so that no request pays for freeing it.
async fn retire(previous: Arc<Generation>) {
    while Arc::strong_count(&previous) > 1 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if let Err(error) = blocking(move || drop(previous)).await {
        tracing::error!(%error, "freeing a generation failed");
    }
}

/// 1 s, 2 s, 4 s … 30 s, each with its jitter, so that a fleet does not come back to the Hub as one.
fn delays() -> impl Iterator<Item = Duration> {
    let most = Duration::from_secs(30);
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(most)
        .with_jitter()
        .without_max_times()
        .build()
        .map(move |delay| delay.min(most))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Passing(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Passing(error.into())
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Passing(error.into())
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Refused(error)
    }
}

impl From<verify::VerifyError> for Failure {
    fn from(error: verify::VerifyError) -> Self {
        Self::Refused(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_never_goes_back() {
        let seen = |sequence, text: &str| Seen { sequence, payload: Digest::of(text.as_bytes()), loaded: 0 };
        let held = seen(7, "a");
        assert_eq!(order(None, &held), Ok(true));
        assert_eq!(order(Some(&held), &seen(8, "b")), Ok(true));
        assert_eq!(order(Some(&held), &seen(7, "a")), Ok(false));
        assert!(order(Some(&held), &seen(6, "a")).is_err());
        assert!(order(Some(&held), &seen(7, "b")).is_err());
    }

    #[test]
    fn what_is_kept_is_what_has_run_last() {
        let seen = |sequence, text: &str, loaded| Seen { sequence, payload: Digest::of(text.as_bytes()), loaded };
        let held = seen(9, "c", 8);
        assert!(may_restore(None, &seen(1, "a", 0)).is_ok());
        // The newest was refused, and the one before it runs.
        assert!(may_restore(Some(&held), &seen(8, "b", 0)).is_ok());
        assert!(may_restore(Some(&held), &seen(9, "c", 0)).is_ok());
        assert!(may_restore(Some(&held), &seen(7, "a", 0)).is_err());
        assert!(may_restore(Some(&held), &seen(9, "other", 0)).is_err());
        // Of a version that did not keep it.
        assert!(may_restore(Some(&seen(9, "c", 0)), &seen(7, "a", 0)).is_ok());
    }

    #[test]
    fn delays_grow_up_to_their_bound() {
        let delays: Vec<Duration> = delays().take(12).collect();
        assert!(delays[0] >= Duration::from_secs(1) && delays[0] <= Duration::from_secs(2));
        assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(30)));
    }
}
