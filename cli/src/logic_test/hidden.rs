//! Secrets of a case do not reach the terminal, whatever a guest does with them: the log of a CI is read by many.

use santokit_core::project::test_file::TestCase;
use secrecy::ExposeSecret;
use serde_json::Value as Json;

const MASK: &str = "***";

/// The secrets of one case.
pub(super) struct Hidden<'c> {
    values: Vec<&'c str>,
}

impl<'c> Hidden<'c> {
    pub(super) fn of(case: &'c TestCase) -> Self {
        let mut values: Vec<&str> = case.given.secrets.values().map(ExposeSecret::expose_secret).collect();
        values.retain(|value| !value.is_empty());
        // One may be a part of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    pub(super) fn text(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, value| text.replace(value, MASK))
    }

    pub(super) fn json(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.text(text)),
            Json::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Json::Object(members) => {
                Json::Object(members.iter().map(|(name, value)| (self.text(name), self.json(value))).collect())
            }
            other => other.clone(),
        }
    }
}
