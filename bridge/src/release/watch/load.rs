//! From a pointer to what it names, loaded: the release, and a canary's candidate beside it. Fetched, verified, built, and swapped in
//! one step. A candidate that cannot be loaded never holds up its baseline.

use std::{io, sync::Arc, time::Instant};

use santokit_core::{
    logic::Body,
    release::{Canary, Digest, Envelope, Manifest, Pointer, SignedRelease, verify},
    wire::RuntimeBundle,
};

use super::{
    super::{
        cache::Good,
        canary::{Keeper, Trial},
        serving::{Candidate, Load, Serving},
    },
    Failure, PollError, Watcher, blocking, retire,
};
use crate::generation::{Generation, LoadError, Plan};

/// Largest component that is fetched.
const COMPONENT_BYTES_MAX: u64 = 64 << 20;

impl Watcher {
    /// Fetches, verifies, builds and swaps.
    pub(super) async fn load(
        &mut self,
        pointer: &Pointer,
        envelope: Envelope,
        runtime: Arc<RuntimeBundle>,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let signed = self.signed(&pointer.release_id).await?;
        self.build(pointer, &signed, runtime).await?;
        let (env, candidate) = (&self.slot.name, pointer.canary.as_ref().map(|canary| &canary.release_id));
        tracing::info!(%env, release = pointer.release_id, candidate, sequence = pointer.sequence, took = ?started.elapsed(), "the release runs");
        self.release = Some((pointer.release_id.clone(), signed.clone()));
        self.is_signed_anew = false;
        let (cache, env) = (self.tools.cache.clone(), env.clone());
        let candidate = self.candidate.as_ref().map(|(_, signed)| signed.clone());
        let good = Good { pointer: envelope, release: signed, candidate };
        let sequence = pointer.sequence;
        let kept = blocking(move || {
            cache.put_good(&env, &good)?;
            // After it: what is kept is never older than what is said here.
            cache.put_loaded(&env, sequence)?;
            cache.sweep()
        });
        // It runs already: a full disk only means that a restart needs the Hub.
        if let Ok(Err(error)) | Err(error) = kept.await.map_err(io::Error::other) {
            tracing::warn!(env = %self.slot.name, %error, "the release could not be kept on disk");
        }
        Ok(())
    }

    /// What runs stays as it is; what a restart would read has the signatures of now, for those of before may soon count no more.
    pub(super) async fn keep_anew(&mut self, pointer: &Pointer, envelope: Envelope) -> Result<(), PollError> {
        let Some(signed) = self.signed_anew(&pointer.release_id, &pointer.digest).await? else { return Ok(()) };
        self.release = Some((pointer.release_id.clone(), signed.clone()));
        if let Some(terms) = &pointer.canary {
            let candidate = self.signed_anew(&terms.release_id, &terms.digest).await?;
            self.candidate = candidate.map(|candidate| (terms.release_id.clone(), candidate));
        }
        let candidate = self.candidate.as_ref().map(|(_, signed)| signed.clone());
        let good = Good { pointer: envelope, release: signed, candidate };
        let (cache, env) = (self.tools.cache.clone(), self.slot.name.clone());
        blocking(move || cache.put_good(&env, &good)).await??;
        self.is_signed_anew = false;
        Ok(())
    }

    async fn signed_anew(&self, release_id: &str, digest: &Digest) -> Result<Option<SignedRelease>, PollError> {
        let signed = self.tools.hub.release(release_id).await?;
        match verify::release(&signed, &self.tools.trust) {
            Ok(verified) if verified.statement.digest == *digest => Ok(Some(signed)),
            _ => {
                tracing::warn!(env = %self.slot.name, release = release_id, "its new signatures do not hold; the ones before are kept");
                Ok(None)
            }
        }
    }

    /// What a pointer names, at hand or from the Hub.
    async fn signed(&self, release_id: &str) -> Result<SignedRelease, Failure> {
        let mut known = [&self.release, &self.candidate].into_iter().flatten();
        match known.find(|(id, _)| id == release_id) {
            Some((_, signed)) => Ok(signed.clone()),
            None => Ok(self.tools.hub.release(release_id).await?),
        }
    }

    /// Both or, where the candidate is not to be had, the one; a failure of the candidate that may pass is told after that.
    pub(super) async fn build(
        &mut self,
        pointer: &Pointer,
        signed: &SignedRelease,
        runtime: Arc<RuntimeBundle>,
    ) -> Result<(), Failure> {
        let running = self.slot.serving();
        let before = running.as_ref().map(|running| running.generations()).unwrap_or_default();
        let baseline = Arc::new(self.generation(pointer, signed, &runtime, before.clone()).await?);
        let (mut canary, mut failed) = (None, None);
        let terms = pointer.canary.as_ref();
        self.candidate = self.candidate.take().filter(|(id, _)| terms.is_some_and(|terms| terms.release_id == *id));
        if let Some(terms) = terms {
            // Pools are the baseline's: there must not be twice as many.
            let before = [vec![baseline.clone()], before.clone()].concat();
            let load = match self.candidate(pointer, terms, &runtime, before).await {
                Ok(generation) => Load::Ready(Arc::new(generation)),
                Err(Failure::Refused(error)) => {
                    tracing::error!(env = %self.slot.name, release = terms.release_id, code = %error.code, reason = error.message,
                        "the candidate was refused; everyone gets the baseline");
                    Load::Refused(error)
                }
                Err(Failure::Passing(error)) => {
                    failed = Some(error);
                    Load::Loading
                }
            };
            let kept = running.as_ref().and_then(|running| running.canary.as_ref());
            let trial = match kept.filter(|canary| canary.trial.is_of(terms)) {
                Some(canary) => canary.trial.clone(),
                None => self.trial(terms).await?,
            };
            trial.go_on(terms);
            canary = Some(Candidate { terms: terms.clone(), trial, load });
        }
        drop((running, before));
        if let Some(previous) = self.slot.swap(Serving { baseline, canary }) {
            for generation in previous.generations() {
                tokio::spawn(retire(generation));
            }
        }
        self.refused = None;
        self.tools.changed.notify_one();
        failed.map_or(Ok(()), |error| Err(Failure::Passing(error)))
    }

    /// A new one, or one that began before a restart.
    async fn trial(&self, terms: &Canary) -> Result<Arc<Trial>, Failure> {
        let trial = Trial::new(terms.clone(), self.tools.changed.clone(), Instant::now());
        let keeper = Keeper { cache: self.tools.cache.clone(), env: self.slot.name.clone() };
        Ok(Arc::new(blocking(move || trial.kept_by(keeper)).await?))
    }

    /// Takes everyone back to the baseline where the pointer does not name the candidate any more: at once, whatever becomes of what
    /// it names now.
    pub(super) fn end_canary(&self) {
        let (Some((pointer, _)), Some(running)) = (&self.pointer, self.slot.serving()) else { return };
        let Some(canary) = &running.canary else { return };
        let is_kept = pointer.canary.as_ref().is_some_and(|terms| canary.trial.is_of(terms));
        if is_kept || pointer.digest == canary.terms.digest {
            return;
        }
        tracing::info!(env = %self.slot.name, candidate = canary.terms.release_id, "the canary has ended; everyone gets the baseline");
        self.slot.swap(Serving { baseline: running.baseline.clone(), canary: None });
        if let Some(candidate) = canary.generation() {
            tokio::spawn(retire(candidate.clone()));
        }
    }

    /// The candidate, as if the pointer named it alone.
    async fn candidate(
        &mut self,
        pointer: &Pointer,
        terms: &Canary,
        runtime: &Arc<RuntimeBundle>,
        previous: Vec<Arc<Generation>>,
    ) -> Result<Generation, Failure> {
        let signed = self.signed(&terms.release_id).await?;
        let alone = Pointer {
            release_id: terms.release_id.clone(),
            digest: terms.digest.clone(),
            canary: None,
            ..pointer.clone()
        };
        let generation = self.generation(&alone, &signed, runtime, previous).await?;
        self.candidate = Some((terms.release_id.clone(), signed));
        Ok(generation)
    }

    /// The release that a pointer names, verified and complete.
    async fn generation(
        &self,
        pointer: &Pointer,
        signed: &SignedRelease,
        runtime: &Arc<RuntimeBundle>,
        previous: Vec<Arc<Generation>>,
    ) -> Result<Generation, Failure> {
        let verified = verify::release(signed, &self.tools.trust)?;
        if verified.statement.release_id != pointer.release_id || verified.statement.digest != pointer.digest {
            return Err(LoadError::blocked("the release is not the one that the pointer names").into());
        }
        if verified.manifest.project != self.slot.name.project {
            return Err(LoadError::blocked("the release is of another project").into());
        }
        self.fetch_components(&verified.manifest).await?;
        let plan = Plan {
            env: self.slot.name.clone(),
            pointer: pointer.clone(),
            manifest: verified.manifest,
            runtime: runtime.clone(),
            previous,
        };
        Ok(self.tools.loader.load(plan).await?)
    }

    async fn fetch_components(&self, manifest: &Manifest) -> Result<(), Failure> {
        for logic in manifest.logics.values() {
            let Body::Wasm(wasm) = &logic.body else { continue };
            let digest = Digest::parse(&wasm.component).map_err(|error| LoadError::blocked(error.to_string()))?;
            if wasm.size_bytes > COMPONENT_BYTES_MAX {
                return Err(LoadError::blocked(format!(
                    "component {digest} is larger than {COMPONENT_BYTES_MAX} bytes"
                ))
                .into());
            }
            let (cache, wanted) = (self.tools.cache.clone(), digest.clone());
            if blocking(move || cache.blob(&wanted)).await?.is_some() {
                continue;
            }
            let bytes = self.tools.hub.blob(&digest, wasm.size_bytes).await?;
            let cache = self.tools.cache.clone();
            blocking(move || cache.put_blob(&digest, &bytes)).await??;
        }
        Ok(())
    }
}
