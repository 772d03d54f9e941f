//! What became of the attempts at one event, as it stands in its row: for operators, who decide what to do with it.

use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::events::Failure;

/// Attempts that are told; there are at most so many without a replay.
const ATTEMPTS_MAX: usize = 24;

/// Bytes of a text.
const TEXT_MAX: usize = 4 << 10;

/// Bytes of what a guest says for programs, as JSON.
const DETAILS_MAX: usize = 1 << 10;

/// An attempt that did not succeed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// From 1.
    pub attempt: u32,
    /// When it ended.
    pub at: String,
    /// The Bridge.
    pub bridge: String,
    /// Of the release that tried.
    pub release: String,
    /// A code of the catalogue, or the guest's own.
    pub code: String,
    /// Why.
    pub error: String,
    /// What the guest says beside it. Of what is too long, the begin of its JSON as a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Json>,
    /// Where the guest was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub backtrace: String,
}

/// All of them, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(pub Vec<Attempt>);

impl History {
    /// As it stands in a row. What cannot be read is nothing: it is told to people only.
    pub fn of(bytes: Option<&[u8]>) -> Self {
        Self(bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default())
    }

    /// For a row.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_else(|_| b"[]".to_vec())
    }

    /// Whether an attempt ended so.
    pub fn has(&self, code: &str) -> bool {
        self.0.iter().any(|attempt| attempt.code == code)
    }

    /// Adds one; the oldest goes where there are many.
    pub fn add(&mut self, attempt: Attempt) {
        if self.0.len() >= ATTEMPTS_MAX {
            self.0.remove(0);
        }
        self.0.push(attempt);
    }
}

impl Attempt {
    /// One that ended now.
    pub fn new(attempt: u32, (bridge, release): (&str, &str), now: DateTime<Utc>) -> Self {
        Self {
            attempt,
            at: now.to_rfc3339_opts(SecondsFormat::Millis, true),
            bridge: bridge.to_owned(),
            release: release.to_owned(),
            ..Self::default()
        }
    }

    /// Why it failed.
    #[must_use]
    pub fn because(self, code: &str, error: &str) -> Self {
        Self { code: cut(code, TEXT_MAX), error: cut(error, TEXT_MAX), ..self }
    }

    /// Why it failed, in the words for a caller and those for operators.
    #[must_use]
    pub fn failed(self, problem: &Problem, failure: Option<Failure>) -> Self {
        let own = problem.details.get("code").and_then(Json::as_str);
        let code = own.unwrap_or(problem.code.as_str());
        let (error, backtrace) = match failure {
            // What the guest says is the caller's word; of a trap or a limit the sandbox knows more.
            Some(failure) if own.is_none() => (format!("{}: {}", problem.message, failure.message), failure.backtrace),
            _ => (problem.message.clone(), String::new()),
        };
        let details = problem.details.get("details").filter(|_| own.is_some()).map(bounded);
        let attempt = self.because(code, &error);
        Self { backtrace: cut(&backtrace, TEXT_MAX), details, ..attempt }
    }

    /// In one line.
    pub fn line(&self) -> String {
        cut(&format!("{}: {}", self.code, self.error), TEXT_MAX)
    }
}

fn bounded(details: &Json) -> Json {
    let text = details.to_string();
    if text.len() > DETAILS_MAX { Json::String(cut(&text, DETAILS_MAX)) } else { details.clone() }
}

fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use santokit_core::code::Code;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_attempts_are_kept() {
        let mut history = History::default();
        for number in 1..=30 {
            let attempt = Attempt::new(number, ("b1", "rel_1"), Utc::now());
            history.add(attempt.because("NOT_NOW", &"x".repeat(9_999)));
        }
        let again = History::of(Some(&history.bytes()));
        assert_eq!(again, history);
        assert_eq!((again.0.len(), again.0[0].attempt, again.0[23].attempt), (24, 7, 30));
        assert_eq!(again.0[0].error.len(), TEXT_MAX);
        assert_eq!(History::of(Some(b"no")), History::default());
        history.add(Attempt::new(31, ("b1", "rel_1"), Utc::now()).because("NO_ANSWER", "killed"));
        assert!(history.has("NOT_NOW") && history.has("NO_ANSWER") && !history.has("FILTER"));
    }

    #[test]
    fn a_trap_is_told_with_its_place() {
        let failure = Failure { message: "the guest trapped".to_owned(), backtrace: "on_event".to_owned() };
        let attempt = Attempt::new(1, ("b", "r"), Utc::now());
        let told = attempt.clone().failed(&Problem::new(Code::LogicFailed, "the logic failed"), Some(failure.clone()));
        assert_eq!((told.code.as_str(), told.backtrace.as_str()), ("LOGIC_FAILED", "on_event"));
        assert!(told.error.contains("trapped"));
        let said = Problem::new(Code::LogicError, "not now").detail("code", "NOT_NOW");
        assert_eq!(attempt.failed(&said, Some(failure)).line(), "NOT_NOW: not now");
    }

    #[test]
    fn what_a_guest_says_for_programs_is_kept_and_bounded() {
        let attempt = Attempt::new(1, ("b", "r"), Utc::now());
        let said = |details: Json| {
            let said = Problem::new(Code::LogicError, "no").detail("code", "NO").detail("details", details);
            attempt.clone().failed(&said, None)
        };
        let small = said(json!({"status": 503, "retryAfter": 7}));
        assert_eq!(small.details, Some(json!({"status": 503, "retryAfter": 7})));
        let mut history = History::default();
        history.add(small);
        assert_eq!(History::of(Some(&history.bytes())), history);
        let large = said(json!({"a": "\u{e4}".repeat(DETAILS_MAX)})).details.unwrap();
        let text = large.as_str().unwrap();
        assert!(text.starts_with("{\"a\":\"\u{e4}") && (DETAILS_MAX - 1..=DETAILS_MAX).contains(&text.len()), "{text}");
        // Of the platform's own words nobody is told more than the error says.
        let limit = Problem::limit(Code::LogicFailed, "timeout", "too long").detail("details", "none of a guest's");
        assert_eq!(attempt.clone().failed(&limit, None).details, None);
    }
}
