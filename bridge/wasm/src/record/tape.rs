//! What is kept of an invocation while it runs: as it passed, in memory, and no more than there is room for.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rand::Rng;
use secrecy::SecretString;
use serde_json::json;

use super::{
    FORMAT, Head, HostCall, Outcome, Recording, TooMuch,
    answer::Answer,
    piece::Piece,
    placeholder::HIDDEN,
    redact::{Redactor, Way},
};
use crate::{
    call::Usage,
    error::{CallError, LogicError},
    host::{CallerInfo, Clock, InvocationInfo, Seed, Times},
};

/// How much of an invocation is kept.
#[derive(Clone, Copy, Debug)]
pub struct TapeLimits {
    /// Of all of it, about.
    pub bytes_max: usize,
    /// Host calls.
    pub calls_max: usize,
}

/// What is kept of an invocation while it runs.
#[derive(Debug)]
pub struct Tape {
    seed: [u8; 32],
    limits: TapeLimits,
    kept: Mutex<Kept>,
}

/// What a recording is of.
#[derive(Debug)]
pub struct About {
    /// `rec_…`.
    pub id: String,
    /// The invocation.
    pub invocation: InvocationInfo,
    /// Who called.
    pub caller: CallerInfo,
    /// Digest of the component.
    pub component: String,
    /// What the guest was called with.
    pub input: Vec<u8>,
    /// When it began: RFC 3339, UTC.
    pub at: String,
    /// When it is to be removed, likewise.
    pub until: String,
}

#[derive(Debug, Default)]
struct Kept {
    calls: Vec<Call>,
    times: BTreeMap<Clock, Vec<u64>>,
    bytes: usize,
    /// Nothing is added any more, so that what is there is a whole beginning.
    cut: Option<&'static str>,
}

#[derive(Debug)]
struct Call {
    capability: &'static str,
    op: &'static str,
    args: Piece<'static>,
    result: Option<Piece<'static>>,
    took: Duration,
}

/// A call that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    /// None: there was no room.
    index: Option<usize>,
    at: Instant,
}

/// What a call takes besides its parts.
const CALL_BYTES: usize = 64;
/// What a time takes.
const TIME_BYTES: usize = 8;

impl Tape {
    /// With a seed for random numbers that nobody guesses.
    pub fn new(limits: TapeLimits) -> Arc<Self> {
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        Arc::new(Self { seed, limits, kept: Mutex::default() })
    }

    pub(crate) fn seed(&self) -> Seed {
        Seed::Secret(self.seed)
    }

    /// Keeps what a guest sends with a call.
    pub(crate) fn begin(&self, capability: &'static str, op: &'static str, args: Piece<'_>) -> Begun {
        let mut kept = self.lock();
        let is_one_too_many = kept.calls.len() >= self.limits.calls_max;
        if is_one_too_many && kept.cut.is_none() {
            kept.cut = Some("it makes more host calls than are kept");
        }
        let has_room = kept.has_room(args.size() + CALL_BYTES, self.limits.bytes_max);
        let index = has_room.then(|| {
            kept.calls.push(Call { capability, op, args: args.owned(), result: None, took: Duration::ZERO });
            kept.calls.len() - 1
        });
        drop(kept);
        Begun { index, at: Instant::now() }
    }

    /// Keeps what it was given. What has no room is not kept, nor the call, nor what comes after it.
    pub(crate) fn end(&self, begun: &Begun, result: Piece<'_>) {
        let took = begun.at.elapsed();
        let Some(index) = begun.index else { return };
        let mut kept = self.lock();
        if kept.has_room(result.size(), self.limits.bytes_max) {
            if let Some(call) = kept.calls.get_mut(index) {
                (call.result, call.took) = (Some(result.owned()), took);
            }
        } else {
            kept.calls.truncate(index);
        }
    }

    /// Whether an answer can be kept as well.
    pub fn has_room_for(&self, answer: usize) -> bool {
        self.lock().bytes.saturating_add(answer) <= self.limits.bytes_max
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the recording, without what must not be in it: `names` are those of fields that are left out, `secrets` all that the env has.
    pub fn recording<'n>(
        &self,
        about: About,
        names: impl IntoIterator<Item = &'n String>,
        secrets: &BTreeMap<String, SecretString>,
        outcome: &Result<Vec<u8>, CallError>,
        usage: &Usage,
    ) -> Result<Recording, TooMuch> {
        let Kept { calls, times, cut, .. } = mem::take(&mut *self.lock());
        let About { id, invocation, caller, component, input, at, until } = about;
        let claims: serde_json::Value = serde_json::from_slice(&caller.claims).unwrap_or_else(|_| json!({}));
        let caller = json!({"kind": caller.kind, "subject": caller.subject, "roles": caller.roles, "claims": claims});
        let caller = serde_json::to_vec(&caller).unwrap_or_default();
        let (caller, input) = (Piece::bytes(&caller), Piece::bytes(&input));
        // What it may repeat is not known any more.
        let ending = if cut.is_some() { without_words(ending(outcome)) } else { ending(outcome) };
        let mut redactor = Redactor::new(names);
        for given in [&caller, &input].into_iter().chain(calls.iter().filter_map(|call| call.result.as_ref())) {
            redactor.learn(given, Way::Given)?;
        }
        for sent in calls.iter().map(|call| &call.args).chain([&ending]) {
            redactor.learn(sent, Way::Sent)?;
        }
        redactor.learn_secrets(secrets);
        redactor.learnt()?;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let calls: Vec<HostCall> = calls
            .iter()
            .map(|call| HostCall {
                capability: call.capability.to_owned(),
                op: call.op.to_owned(),
                args: redactor.write(&call.args, Way::Sent),
                result: call.result.as_ref().map(|result| redactor.write(result, Way::Given)),
                took_us: micros(call.took),
            })
            .collect();
        let head = Head {
            format: FORMAT,
            id,
            logic: invocation.logic,
            project: invocation.project,
            env: invocation.env,
            release_id: invocation.release_id,
            component,
            request_id: invocation.request_id,
            at,
            until,
            outcome: Outcome::of(outcome),
            wall_us: micros(usage.wall),
            cpu_us: micros(usage.cpu),
            calls: calls.len(),
            redacted: redactor.count(),
            cut: cut.map(str::to_owned),
        };
        Ok(Recording {
            head,
            trigger: invocation.trigger,
            caller: redactor.write(&caller, Way::Given),
            input: redactor.write(&input, Way::Given),
            seed: STANDARD.encode(self.seed),
            times,
            calls,
            ending: redactor.write(&ending, Way::Sent),
        })
    }
}

impl Kept {
    /// Takes room, or cuts the recording here.
    fn has_room(&mut self, bytes: usize, most: usize) -> bool {
        if self.cut.is_some() {
            return false;
        }
        let total = self.bytes.saturating_add(bytes);
        if total > most {
            self.cut = Some("it is larger than recordings may be");
            return false;
        }
        self.bytes = total;
        true
    }
}

impl Times for Tape {
    fn tell(&self, clock: Clock, time: Duration) -> Duration {
        let most = self.limits.bytes_max;
        let mut kept = self.lock();
        if kept.has_room(TIME_BYTES, most) {
            kept.times.entry(clock).or_default().push(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        }
        time
    }
}

/// An ending that says its kind, and nothing of what belongs to it but names of our own.
fn without_words(ending: Piece<'_>) -> Piece<'_> {
    let shown = |part| if matches!(part, Piece::Plain(_)) { part } else { Piece::Plain(HIDDEN.into()) };
    match ending {
        Piece::Map(parts) => Piece::Map(parts.into_iter().map(|(name, part)| (name, shown(part))).collect()),
        _ => Piece::Plain(HIDDEN.into()),
    }
}

/// How it ended, as the guest's own words say it: a place in code or in time is no part of it.
pub(crate) fn ending(outcome: &Result<Vec<u8>, CallError>) -> Piece<'_> {
    let told = |kind: &'static str, more: Option<(&'static str, Piece<'static>)>| {
        Piece::Map([Some(("kind", Piece::Plain(kind.into()))), more].into_iter().flatten().collect())
    };
    match outcome {
        Ok(answer) => Piece::Map(vec![("kind", Piece::Plain("answer".into())), ("answer", answer.piece())]),
        Err(CallError::Logic(LogicError { code, message, details })) => Piece::Map(vec![
            ("kind", Piece::Plain("refused".into())),
            ("code", Piece::text(code)),
            ("message", Piece::text(message)),
            (
                "details",
                Piece::optional(details.as_ref(), |details| {
                    Piece::Bytes(serde_json::to_vec(details).unwrap_or_default().into())
                }),
            ),
        ]),
        Err(CallError::Trap { message, .. }) => {
            Piece::Map(vec![("kind", Piece::Plain("trap".into())), ("message", Piece::text(message))])
        }
        Err(CallError::Limit { limit, .. }) => told("limit", Some(("limit", Piece::Plain(limit.as_str().into())))),
        Err(CallError::Output(_) | CallError::Answer(_)) => told("output", None),
        Err(CallError::Busy { .. } | CallError::Host(_)) => told("host", None),
    }
}
