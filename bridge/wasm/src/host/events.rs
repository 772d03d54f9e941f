//! What can become of an event that a guest publishes, and of a mark that it makes.

/// Why an event was not published, or a mark not made. The cases are those of `error` in `santokit:events`.
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
    /// The topic is published more often than it may be; again after so many milliseconds.
    Rate(u64),
    /// The mark is there already.
    Conflict,
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
            Self::Rate(_) => "rate",
            Self::Conflict => "conflict",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
        }
    }

    /// Its code, and what the guest's developer is told.
    pub fn told(self) -> (&'static str, String) {
        let code = self.code();
        let message = match self {
            Self::Denied(message) | Self::Invalid(message) | Self::Schema(message, _) => message,
            Self::TooLarge(most) => format!("a payload has {most} bytes at most"),
            Self::Rate(wait) => {
                format!("more events of this topic are published than may be; there is room again in {wait} ms")
            }
            Self::Conflict => {
                "the key is marked already, by this transaction or by one that ran at the same time".to_owned()
            }
            Self::Timeout => "the time of the invocation, or of its transaction, is over".to_owned(),
            Self::Unavailable => "the database does not take it now".to_owned(),
        };
        (code, message)
    }
}
