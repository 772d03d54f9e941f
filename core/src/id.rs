//! Prefixed ULIDs: `rel_01J…`. The prefix says what the id is of; the rest sorts by time.

use ulid::Ulid;

/// What an id is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `rel_`: a release.
    Release,
    /// `req_`: a request.
    Request,
    /// `evt_`: an event.
    Event,
    /// `op_`: an operator.
    Operator,
    /// `key_`: an API key's record, a token's record.
    Key,
    /// `brg_`: a running Bridge.
    Bridge,
    /// `aud_`: an audit entry.
    Audit,
    /// `ses_`: an operator's session.
    Session,
    /// `inv_`: an invite.
    Invite,
    /// `obj_`: the file of an object.
    Object,
    /// `rec_`: the recording of an invocation.
    Recording,
    /// `run_`: the run of a job.
    Run,
}

impl Kind {
    /// The prefix with its underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Kind::Release => "rel_",
            Kind::Request => "req_",
            Kind::Event => "evt_",
            Kind::Operator => "op_",
            Kind::Key => "key_",
            Kind::Bridge => "brg_",
            Kind::Audit => "aud_",
            Kind::Session => "ses_",
            Kind::Invite => "inv_",
            Kind::Object => "obj_",
            Kind::Recording => "rec_",
            Kind::Run => "run_",
        }
    }

    /// A new id, made from the clock and randomness.
    pub fn generate(self) -> String {
        format!("{}{}", self.prefix(), Ulid::new())
    }

    /// Whether the text is an id of this kind.
    pub fn is_valid(self, text: &str) -> bool {
        text.strip_prefix(self.prefix()).is_some_and(|rest| Ulid::from_string(rest).is_ok())
    }
}

/// Whether a request id that a client sent is kept: 1 to 64 characters of `A-Z a-z 0-9 _ - .`.
pub fn is_acceptable_request_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_their_kind() {
        let id = Kind::Release.generate();
        assert!(Kind::Release.is_valid(&id));
        assert!(!Kind::Request.is_valid(&id));
        assert!(!Kind::Release.is_valid("rel_nonsense"));
    }

    #[test]
    fn request_ids_cannot_carry_line_breaks() {
        assert!(is_acceptable_request_id("abc-1.2_3"));
        assert!(!is_acceptable_request_id(""));
        assert!(!is_acceptable_request_id("a\nb"));
        assert!(!is_acceptable_request_id(&"x".repeat(65)));
    }
}
