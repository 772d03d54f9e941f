//! The time that credentials are judged by. Tests set it; a running Hub has the machine's.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// The machine's clock, or one that is ahead of it.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::milliseconds(self.0.load(Ordering::Relaxed))
    }

    /// In so long, as the store writes times. Such texts compare as the times do.
    pub fn text_in(&self, span: TimeDelta) -> String {
        (self.now() + span).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Goes ahead by so long.
    pub fn advance(&self, span: TimeDelta) {
        self.0.fetch_add(span.num_milliseconds(), Ordering::Relaxed);
    }
}
