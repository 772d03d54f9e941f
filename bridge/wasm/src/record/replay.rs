//! Running a recording again, and what comes of it: the first thing that a guest does otherwise, or that there is none.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use santokit_core::limit::InvocationLimits;
use serde::Serialize;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::{
    Difference, FORMAT, HostCall, Recording, Replayer,
    answer::Answer,
    compare::difference,
    piece::{self, Piece},
    tape,
};
use crate::{
    call::Usage,
    engine::LoadedLogic,
    error::CallError,
    host::{Clock, LogLine, Seed, Times},
};

/// A recording that is run again.
#[derive(Debug)]
pub struct Replay(Arc<Stage>);

/// What the host of a replay and who runs it have in common.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) recording: Recording,
    pub(super) seed: Seed,
    input: Vec<u8>,
    progress: Mutex<Progress>,
    stop: Notify,
}

#[derive(Debug, Default)]
struct Progress {
    played: Vec<Played>,
    /// Known before the guest has ended.
    verdict: Option<Verdict>,
    lines: Vec<LogLine>,
    clocks: BTreeMap<Clock, Told>,
}

/// What a clock has said last.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    next: usize,
    given: Duration,
    real: Duration,
}

/// Why something is no recording that could be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Of another version.
    #[error("the recording is of format {0}, and this version runs format {FORMAT}")]
    Format(u32),
    /// Changed by somebody, or damaged.
    #[error("the recording cannot be read: {0}")]
    Form(&'static str),
}

/// What came of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// Whether the guest did what it had done.
    pub verdict: Verdict,
    /// Its calls now, up to the first that was another one.
    pub calls: Vec<Played>,
    /// What it logged now.
    pub lines: Vec<LogLine>,
    /// How it ended now; none where it was stopped at a divergence, or where the recording ends.
    pub outcome: Option<Result<Vec<u8>, CallError>>,
    /// What it used now.
    pub usage: Option<Usage>,
}

/// A call of a replay.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Played {
    /// From 1.
    pub number: usize,
    /// `sql`, `http`, …
    pub capability: String,
    /// What of it.
    pub op: String,
    /// What the guest sent now.
    pub args: Json,
    /// How long the host took when it was recorded; none where no such call was.
    pub took_us: Option<u64>,
    /// Whether it was the recorded one.
    pub is_same: bool,
}

/// Whether a guest did what it had done.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Verdict {
    /// The same calls and the same end.
    Same,
    /// Something else.
    Diverged(Box<Divergence>),
    /// The same until here, and the recording has no more.
    Unfinished {
        /// So many calls were the same.
        after: usize,
        /// Why there is no more.
        why: String,
    },
}

/// The first thing that was done otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Divergence {
    /// The call, from 1; one more than there were: the end.
    pub number: usize,
    /// What was recorded.
    pub recorded: Side,
    /// What the guest did now.
    pub now: Side,
    /// Where the two differ first, where both are calls of one kind or both are ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// A call, or the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "what")]
pub enum Side {
    /// A call into the host.
    Call {
        /// `sql`, `http`, …
        capability: String,
        /// What of it.
        op: String,
        /// What was sent.
        args: Json,
    },
    /// The answer, or why there is none.
    End {
        /// Its kind, and what belongs to it.
        ending: Json,
    },
}

impl Replay {
    /// Of a recording that may come from anywhere.
    pub fn new(recording: Recording) -> Result<Self, ReplayError> {
        if recording.head.format != FORMAT {
            return Err(ReplayError::Format(recording.head.format));
        }
        let seed = STANDARD.decode(&recording.seed).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let seed = Seed::Secret(seed.ok_or(ReplayError::Form("its seed"))?);
        let input = piece::to_bytes(&recording.input).ok_or(ReplayError::Form("its input"))?;
        let (progress, stop) = (Mutex::default(), Notify::new());
        Ok(Self(Arc::new(Stage { recording, seed, input, progress, stop })))
    }

    /// Runs it once.
    pub async fn run(self, logic: &LoadedLogic<Replayer>, limits: &InvocationLimits) -> Replayed {
        let stage = self.0;
        let host = Replayer::new(Arc::clone(&stage));
        let invocation = tokio::select! {
            biased;
            () = stage.stop.notified() => None,
            invocation = logic.call(host, stage.input.clone(), limits) => Some(invocation),
        };
        let mut progress = stage.progress();
        let (outcome, usage) = invocation.map_or((None, None), |done| (Some(done.outcome), Some(done.usage)));
        let verdict = match (progress.verdict.take(), &outcome) {
            (Some(verdict), _) => verdict,
            (None, Some(outcome)) => stage.end(progress.played.len(), outcome),
            (None, None) => Verdict::Unfinished { after: progress.played.len(), why: "it was stopped".to_owned() },
        };
        let (calls, lines) = (std::mem::take(&mut progress.played), std::mem::take(&mut progress.lines));
        Replayed { verdict, calls, lines, outcome, usage }
    }
}

impl Stage {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn log(&self, line: LogLine) {
        self.progress().lines.push(line);
    }

    /// What the host answered to the same call. None: the guest is to be stopped.
    pub(super) fn ask<T: Answer>(&self, capability: &str, op: &str, args: &Piece<'_>) -> Option<T> {
        self.answer(capability, op, args).and_then(|json| {
            let read = T::read(json);
            if read.is_none() {
                self.cannot_read();
            }
            read
        })
    }

    /// What was recorded is no answer that a host gives.
    pub(super) fn cannot_read(&self) {
        let after = self.progress().played.len();
        let why = "the answer that was recorded cannot be read".to_owned();
        self.finish(Verdict::Unfinished { after, why });
    }

    /// The same before it is read.
    pub(super) fn answer(&self, capability: &str, op: &str, args: &Piece<'_>) -> Option<&Json> {
        let args = args.json();
        let mut progress = self.progress();
        if progress.verdict.is_some() {
            return None;
        }
        let number = progress.played.len() + 1;
        let recorded = self.recording.calls.get(number - 1);
        let verdict = match recorded {
            Some(recorded) => diverged(number, recorded, capability, op, &args),
            None => Some(self.beyond(number, capability, op, &args)),
        };
        let (is_same, took_us) = (verdict.is_none(), recorded.map(|recorded| recorded.took_us));
        let (capability, op) = (capability.to_owned(), op.to_owned());
        progress.played.push(Played { number, capability, op, args, took_us, is_same });
        let given = recorded.and_then(|recorded| recorded.result.as_ref());
        let verdict = verdict.or_else(|| given.is_none().then(|| self.stopped_within(number)));
        drop(progress);
        match verdict {
            None => given,
            Some(verdict) => {
                self.finish(verdict);
                None
            }
        }
    }

    fn finish(&self, verdict: Verdict) {
        self.progress().verdict.get_or_insert(verdict);
        self.stop.notify_one();
    }

    /// A call more than were recorded.
    fn beyond(&self, number: usize, capability: &str, op: &str, args: &Json) -> Verdict {
        if let Some(why) = &self.recording.head.cut {
            return Verdict::Unfinished { after: number - 1, why: why.clone() };
        }
        if self.is_end_of_the_machine() {
            return Verdict::Unfinished { after: number - 1, why: self.how_it_ended() };
        }
        let now = Side::Call { capability: capability.to_owned(), op: op.to_owned(), args: args.clone() };
        let recorded = Side::End { ending: self.recording.ending.clone() };
        Verdict::Diverged(Box::new(Divergence { number, recorded, now, difference: None }))
    }

    fn stopped_within(&self, number: usize) -> Verdict {
        Verdict::Unfinished { after: number, why: format!("{} within this call", self.how_it_ended()) }
    }

    fn how_it_ended(&self) -> String {
        let ending = &self.recording.ending;
        match ending["limit"].as_str() {
            Some(limit) => format!("it was stopped by its limit {limit}"),
            None => format!("it ended there ({})", ending["kind"].as_str().unwrap_or("unknown")),
        }
    }

    /// Whether it ended by what another machine does otherwise: time, or a fault of the platform.
    fn is_end_of_the_machine(&self) -> bool {
        let ending = &self.recording.ending;
        ending["kind"] == "host" || matches!(ending["limit"].as_str(), Some("timeout" | "cpu"))
    }

    /// The guest has ended.
    fn end(&self, played: usize, outcome: &Result<Vec<u8>, CallError>) -> Verdict {
        let now = tape::ending(outcome).json();
        let ending = &self.recording.ending;
        let ended = |recorded: Side, difference| {
            let now = Side::End { ending: now.clone() };
            Verdict::Diverged(Box::new(Divergence { number: played + 1, recorded, now, difference }))
        };
        if let Some(missing) = self.recording.calls.get(played) {
            return ended(Side::of(missing), None);
        }
        // Where the answer is JSON in both, its spelling is no matter.
        match difference(&canonical(ending), &canonical(&now)) {
            None => match self.recording.head.cut.clone() {
                None => Verdict::Same,
                // What it asked for before its end is not known, nor the words of its end.
                Some(why) => Verdict::Unfinished { after: played, why },
            },
            Some(_) if self.is_end_of_the_machine() => Verdict::Unfinished { after: played, why: self.how_it_ended() },
            Some(found) => ended(Side::End { ending: ending.clone() }, Some(found)),
        }
    }
}

fn diverged(number: usize, recorded: &HostCall, capability: &str, op: &str, args: &Json) -> Option<Verdict> {
    let is_other = recorded.capability != capability || recorded.op != op;
    let difference = if is_other { None } else { Some(difference(&canonical(&recorded.args), &canonical(args))?) };
    let now = Side::Call { capability: capability.to_owned(), op: op.to_owned(), args: args.clone() };
    Some(Verdict::Diverged(Box::new(Divergence { number, recorded: Side::of(recorded), now, difference })))
}

/// Bytes that are JSON as JSON, however they are spelt.
fn canonical(json: &Json) -> Json {
    match json {
        Json::Object(map) => {
            if let (1, Some(Json::String(text))) = (map.len(), map.get("text"))
                && let Some(structured) = piece::structured(text.as_bytes())
            {
                return json!({"json": structured});
            }
            Json::Object(map.iter().map(|(name, value)| (name.clone(), canonical(value))).collect())
        }
        Json::Array(items) => items.iter().map(canonical).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

impl Side {
    fn of(call: &HostCall) -> Self {
        Self::Call { capability: call.capability.clone(), op: call.op.clone(), args: call.args.clone() }
    }
}

impl Times for Stage {
    /// Beyond what was recorded the clock goes on from there.
    fn tell(&self, clock: Clock, time: Duration) -> Duration {
        let mut progress = self.progress();
        let told = progress.clocks.entry(clock).or_default();
        let recorded = self.recording.times.get(&clock).and_then(|times| times.get(told.next));
        told.given = match recorded {
            Some(micros) => Duration::from_micros(*micros),
            None if told.next == 0 => time,
            // What is left becomes less.
            None if clock == Clock::Remaining => told.given.saturating_sub(told.real.saturating_sub(time)),
            None => told.given.saturating_add(time.saturating_sub(told.real)),
        };
        told.real = time;
        if recorded.is_some() {
            told.next += 1;
        }
        told.given
    }
}
