//! What a component can be given, which follows from its exports. A release says it, so that nothing is tried that cannot be.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HANDLER, Inspection};

/// The export of a component that is given events.
pub const EVENT_HANDLER: &str = "santokit:events/event-handler@0.1.0";

/// The export of a component that is run by jobs.
pub const CRON_HANDLER: &str = "santokit:events/cron-handler@0.1.0";

/// What a component can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Handled {
    /// Params, by callers.
    Call,
    /// Events, by subscriptions.
    Event,
    /// Ticks, by jobs.
    Cron,
}

/// What components could be given before there was a choice.
pub fn calls() -> BTreeSet<Handled> {
    BTreeSet::from([Handled::Call])
}

/// Whether that is all.
pub fn is_calls(handles: &BTreeSet<Handled>) -> bool {
    *handles == calls()
}

impl Handled {
    /// All.
    pub const ALL: [Handled; 3] = [Handled::Call, Handled::Event, Handled::Cron];

    /// As it stands in a release.
    pub fn as_str(self) -> &'static str {
        match self {
            Handled::Call => "call",
            Handled::Event => "event",
            Handled::Cron => "cron",
        }
    }

    /// The interface that a component exports for it.
    pub fn export(self) -> &'static str {
        match self {
            Handled::Call => HANDLER,
            Handled::Event => EVENT_HANDLER,
            Handled::Cron => CRON_HANDLER,
        }
    }
}

impl Inspection {
    /// What of it the component can be given.
    pub fn handles(&self) -> BTreeSet<Handled> {
        Handled::ALL.into_iter().filter(|handled| self.exports.contains(handled.export())).collect()
    }
}
