//! How a command fails: what it says, what to do next, and the exit code that scripts see.
//!
//! Commands pass `anyhow::Error` around; a [`Failure`] in its chain decides over the exit code.

use std::fmt;

use santokit_core::{code::Code, problem::ProblemBody};
use serde_json::{Map, Value as Json, json};

/// What a process of `stk` ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It could not be done.
    Failed = 1,
    /// The command line or the context is wrong.
    Usage = 2,
    /// The Hub or the Bridge refuses: consent, permission or policy is missing.
    Refused = 3,
    /// The Hub or the Bridge does not answer.
    Unreachable = 4,
}

/// An error with an exit code.
#[derive(Debug)]
pub struct Failure {
    /// For scripts.
    pub exit: Exit,
    /// One sentence.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The code of the error catalogue, where a server said one.
    pub code: Option<Code>,
    /// What a server said for programs.
    pub details: Map<String, Json>,
    /// Whether the command has said all of it in its answer already.
    pub is_reported: bool,
}

impl Failure {
    /// A failure with a message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, code: None, details: Map::new(), is_reported: false }
    }

    /// It could not be done.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command line or the context is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// More for programs.
    #[must_use]
    pub fn detail(mut self, name: &str, value: Json) -> Self {
        self.details.insert(name.to_owned(), value);
        self
    }

    /// Only the exit code is left to be said.
    #[must_use]
    pub fn reported(mut self, is_reported: bool) -> Self {
        self.is_reported = is_reported;
        self
    }

    /// What a Hub or a Bridge answered.
    pub fn from_body(body: ProblemBody) -> Self {
        let exit = match body.code {
            Code::Unauthorized
            | Code::Forbidden
            | Code::DestructiveChange
            | Code::GrantsWidened
            | Code::ReleaseBlocked
            | Code::SchemaDrift
            | Code::IncompatibleBridge => Exit::Refused,
            Code::ServiceUnavailable => Exit::Unreachable,
            _ => Exit::Failed,
        };
        Self {
            exit,
            message: body.message,
            hint: body.hint,
            code: Some(body.code),
            details: body.details,
            is_reported: false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}

/// The exit code of an error.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit)
}

/// An error for programs, as `--json` prints it.
pub fn to_json(error: &anyhow::Error) -> Json {
    let mut body = Map::new();
    body.insert("message".to_owned(), json!(format!("{error:#}")));
    if let Some(failure) = error.downcast_ref::<Failure>() {
        if let Some(code) = failure.code {
            body.insert("code".to_owned(), json!(code));
            body.insert("message".to_owned(), json!(failure.message));
        }
        if let Some(hint) = &failure.hint {
            body.insert("hint".to_owned(), json!(hint));
        }
        if !failure.details.is_empty() {
            body.insert("details".to_owned(), Json::Object(failure.details.clone()));
        }
    }
    json!({ "error": body })
}
