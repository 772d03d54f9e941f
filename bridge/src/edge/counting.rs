//! A request while a canary lasts, from when it has been read to its answer. Whatever becomes of it, it is counted once.

use std::{sync::Arc, time::Instant};

use http::StatusCode;

use crate::{
    config::EnvName,
    metrics::Metrics,
    release::canary::{Ending, Tally},
};

/// Dropped without an end, it says that the caller went away.
#[derive(Debug)]
pub(super) struct Counting {
    tally: Tally,
    metrics: Arc<Metrics>,
    env: EnvName,
    started: Instant,
    is_open: bool,
}

impl Counting {
    pub(super) fn begin(tally: Tally, metrics: Arc<Metrics>, env: EnvName) -> Self {
        Self { tally, metrics, env, started: Instant::now(), is_open: true }
    }

    pub(super) fn end(mut self, status: StatusCode, is_logic_failed: bool) {
        self.is_open = false;
        self.count(match (status.is_server_error(), is_logic_failed) {
            (true, true) => Ending::LogicFailed,
            (true, false) => Ending::Failed,
            (false, _) => Ending::Answered,
        });
    }

    fn count(&self, ending: Ending) {
        let (now, Tally { trial, side }) = (Instant::now(), &self.tally);
        let took = now.saturating_duration_since(self.started);
        trial.count(*side, ending, took, now);
        self.metrics.canary.request(&self.env, *side, ending, took);
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if self.is_open {
            self.count(Ending::GivenUp);
        }
    }
}
