//! What has begun an invocation: what guests are told of it, how long it may take for that, and the event that it is for.

use std::sync::Arc;

use santokit_core::quantity::Millis;

use crate::events::Occasion;

/// What has begun an invocation, also where other logics stand between.
#[derive(Clone, Debug)]
pub enum BegunBy {
    /// A caller.
    Request,
    /// A job: the longest that its runs may take, where that is less than the logic's own timeout.
    Job(Millis),
    /// An event.
    Event(Arc<Occasion>),
}

impl BegunBy {
    /// As guests see it, where no other logic stands between.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Job(_) => "cron",
            Self::Event(_) => "event",
        }
    }

    /// The longest that it may take, where that is less than the logic's own timeout.
    pub fn timeout(&self) -> Option<Millis> {
        match self {
            Self::Job(most) => Some(*most),
            Self::Request | Self::Event(_) => None,
        }
    }

    /// The event that it is for, if it is for one.
    pub fn occasion(&self) -> Option<&Arc<Occasion>> {
        match self {
            Self::Event(occasion) => Some(occasion),
            Self::Request | Self::Job(_) => None,
        }
    }
}
