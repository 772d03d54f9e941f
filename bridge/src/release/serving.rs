//! What an env serves: the baseline, and while a canary lasts the candidate beside it. Both change in one step, as a pair; a request
//! picks one of them once and keeps it.

use std::{net::IpAddr, sync::Arc, time::Instant};

use santokit_core::{
    access::{Actor, ActorKind},
    release::{Canary, Pointer, canary::Principal},
    wire::{CanaryReport, CanaryState, RuntimeBundle},
};

use super::canary::{Side, Tally, Trial};
use crate::{
    edge::address,
    generation::{Generation, LoadError},
};

/// A pair of generations, of which the second may be missing.
#[derive(Debug)]
pub struct Serving {
    /// What everyone gets who is not in a canary's share.
    pub baseline: Arc<Generation>,
    /// While the pointer names a candidate.
    pub canary: Option<Candidate>,
}

/// The candidate's half.
#[derive(Debug)]
pub struct Candidate {
    /// As the pointer says.
    pub terms: Canary,
    /// What was counted.
    pub trial: Arc<Trial>,
    /// What there is to serve.
    pub load: Load,
}

/// How far a candidate has come.
#[derive(Debug)]
pub enum Load {
    /// It can be served.
    Ready(Arc<Generation>),
    /// It could not be fetched yet.
    Loading,
    /// It will not be loaded as long as nothing changes.
    Refused(LoadError),
}

/// Whom a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Its address, as far as proxies are believed.
    pub address: IpAddr,
    /// What it calls itself, to stay on one side.
    pub hint: Option<&'a str>,
}

impl Serving {
    /// Both, or the one that there is.
    pub fn generations(&self) -> Vec<Arc<Generation>> {
        let candidate = self.canary.as_ref().and_then(Candidate::generation);
        [Some(&self.baseline), candidate].into_iter().flatten().cloned().collect()
    }

    /// Whether nothing is to be done for a pointer; a candidate that was refused is done with.
    pub fn serves(&self, pointer: &Pointer) -> bool {
        let canary = self.canary.as_ref();
        self.baseline.serves(pointer)
            && canary.map(|canary| &canary.terms) == pointer.canary.as_ref()
            && !canary.is_some_and(|canary| matches!(canary.load, Load::Loading))
    }

    /// Whether the candidate was refused.
    pub fn has_refused(&self) -> bool {
        self.canary.as_ref().is_some_and(|canary| matches!(canary.load, Load::Refused(_)))
    }

    /// Whether all pools are those of a bundle.
    pub fn has_connections(&self, bundle: &RuntimeBundle) -> bool {
        self.generations().iter().all(|generation| generation.has_connections(bundle))
    }

    /// What a request gets: the candidate where its principal is in the share and the candidate may be served. While a canary lasts,
    /// requests of both are counted.
    pub fn pick(&self, actor: &Actor, origin: Origin<'_>, is_away: bool) -> (Arc<Generation>, Option<Tally>) {
        let Some(canary) = &self.canary else { return (self.baseline.clone(), None) };
        let candidate = canary.generation().filter(|_| !is_away && canary.trial.stopped().is_none());
        let candidate = candidate.filter(|_| takes(&canary.terms, actor, origin));
        let side = if candidate.is_some() { Side::Candidate } else { Side::Baseline };
        let tally = Tally { trial: canary.trial.clone(), side };
        (candidate.unwrap_or(&self.baseline).clone(), Some(tally))
    }

    /// What the Hub is told of the canary.
    pub fn report(&self, is_away: bool, now: Instant) -> Option<CanaryReport> {
        let canary = self.canary.as_ref()?;
        let (state, reason) = match (&canary.load, canary.trial.stopped()) {
            (Load::Refused(error), _) => (CanaryState::Refused, Some(format!("{}: {}", error.code, error.message))),
            (_, Some(tripped)) => (CanaryState::Stopped, Some(tripped.to_string())),
            (Load::Loading, None) => (CanaryState::Loading, None),
            (Load::Ready(_), None) if is_away => (CanaryState::Away, None),
            (Load::Ready(_), None) => (CanaryState::Serving, None),
        };
        let [baseline, candidate] = canary.trial.counts(now);
        Some(CanaryReport {
            salt: canary.terms.salt.clone(),
            release_id: canary.terms.release_id.clone(),
            state,
            reason,
            baseline,
            candidate,
        })
    }
}

impl Candidate {
    /// Where it can be served.
    pub fn generation(&self) -> Option<&Arc<Generation>> {
        match &self.load {
            Load::Ready(generation) => Some(generation),
            Load::Loading | Load::Refused(_) => None,
        }
    }
}

/// Whether a caller is in the share. Who shows a credential is known by it; a hint parts the people behind one API key, and names who
/// shows none.
fn takes(terms: &Canary, actor: &Actor, Origin { address, hint }: Origin<'_>) -> bool {
    match (actor.kind, actor.subject.as_deref(), hint) {
        (ActorKind::User, Some(sub), _) => terms.takes(Principal::User(sub)),
        (ActorKind::ApiKey, Some(id), hint) => terms.takes(Principal::ApiKey(id, hint)),
        (_, _, Some(hint)) => terms.takes(Principal::Hint(hint)),
        (_, _, None) => terms.takes(Principal::Address(&address::bucket(address).to_string())),
    }
}
