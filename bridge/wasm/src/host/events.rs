//! What can become of an event that a guest publishes.

/// Why an event was not published. The cases are those of `santokit:events/events.error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// Not granted, or there is no such topic.
    Denied(String),
    /// Not acceptable as it stands.
    Invalid(String),
    /// Not as the topic declares it; the second is a JSON object as text.
    Schema(String, Vec<u8>),
    /// Larger than so many bytes.
    TooLarge(usize),
    /// The time was over.
    Timeout,
    /// The database does not take it now.
    Unavailable,
}

impl EventError {
    /// As guests and traces see it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::Invalid(_) => "invalid",
            Self::Schema(..) => "schema",
            Self::TooLarge(_) => "too-large",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
        }
    }
}
