//! Everything that is wrong with a request, told together, each with its place. It decides on one code for all of it.

use std::fmt;

use santokit_core::{
    code::Code,
    name,
    problem::{Outcome, Problem},
};
use serde_json::{Value as Json, json};

/// Findings that are told; the rest would only make the answer long.
const FINDINGS_MAX: usize = 50;

/// Longest name that is repeated to its sender: as long as a valid one.
const NAME_MAX: usize = 63;

/// Where in a request.
#[derive(Clone, Copy, Debug)]
pub enum Place<'p> {
    /// The params themselves.
    Params,
    /// A field of an object.
    Field(&'p Place<'p>, &'p str),
    /// An element of a list.
    Element(&'p Place<'p>, usize),
}

/// What is wrong so far.
#[derive(Debug, Default)]
pub struct Findings {
    told: Vec<Finding>,
    /// The worst of all, also of those that are not told.
    weight: Option<Weight>,
    /// The limit that was exceeded, where one was.
    limit: Option<&'static str>,
    count: usize,
}

#[derive(Debug)]
struct Finding {
    path: String,
    message: String,
    hint: Option<String>,
}

/// What the answer's code follows from. The heaviest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// A value does not fit.
    Value,
    /// The request itself does not.
    Request,
    /// A key asks for what its rules do not give.
    Forbidden,
}

impl Findings {
    /// A value that does not fit its column.
    pub fn value(&mut self, place: Place<'_>, message: impl Into<String>) {
        self.add(Weight::Value, place, message.into(), None);
    }

    /// Something of the request's own form.
    pub fn request(&mut self, place: Place<'_>, message: impl Into<String>) {
        self.add(Weight::Request, place, message.into(), None);
    }

    /// The same, with what to do.
    pub fn hinted(&mut self, place: Place<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Weight::Request, place, message.into(), Some(hint.into()));
    }

    /// A name that is not there. `known` are those that the caller may learn of.
    pub fn unknown<'k>(&mut self, place: Place<'_>, what: &str, sent: &str, known: impl IntoIterator<Item = &'k str>) {
        let sent = shown(sent);
        // Looking for a near name is work.
        let near = if self.is_full() { None } else { name::nearest(&sent, known) };
        let hint = near.map(|near| format!("did you mean {near:?}?"));
        self.add(Weight::Request, place, format!("there is no {what} {sent:?}"), hint);
    }

    /// What a key's rules do not give. Nobody else is told that there is something.
    pub fn forbidden(&mut self, place: Place<'_>, message: impl Into<String>) {
        self.add(Weight::Forbidden, place, message.into(), None);
    }

    /// A limit is exceeded.
    pub fn limit(&mut self, place: Place<'_>, limit: &'static str, message: impl Into<String>) {
        self.limit.get_or_insert(limit);
        self.add(Weight::Request, place, message.into(), None);
    }

    /// Whether so much is wrong that no more is told.
    pub fn is_full(&self) -> bool {
        self.told.len() >= FINDINGS_MAX
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Ends the request where something is wrong.
    pub fn check(self) -> Outcome<()> {
        let Some(weight) = self.weight else { return Ok(()) };
        let code = match weight {
            Weight::Value => Code::SchemaValidationFailed,
            Weight::Request => Code::BadRequest,
            Weight::Forbidden => Code::Forbidden,
        };
        let message = match self.told.as_slice() {
            [one] if one.path.is_empty() => one.message.clone(),
            [one] => format!("{}: {}", one.path, one.message),
            _ => format!("{} things are wrong with the request; see details.errors", self.count),
        };
        let mut problem = match self.limit {
            Some(limit) => Problem::limit(code, limit, message),
            None => Problem::new(code, message),
        };
        if let [Finding { hint: Some(hint), .. }] = self.told.as_slice() {
            problem = problem.hint(hint.clone());
        }
        let errors: Vec<Json> = self.told.into_iter().map(Finding::json).collect();
        Err(problem.detail("errors", errors))
    }

    fn add(&mut self, weight: Weight, place: Place<'_>, message: String, hint: Option<String>) {
        self.count += 1;
        self.weight = self.weight.max(Some(weight));
        if self.told.len() < FINDINGS_MAX {
            self.told.push(Finding { path: place.to_string(), message, hint });
        }
    }
}

impl Finding {
    fn json(self) -> Json {
        match self.hint {
            Some(hint) => json!({"path": self.path, "message": self.message, "hint": hint}),
            None => json!({"path": self.path, "message": self.message}),
        }
    }
}

impl<'p> Place<'p> {
    /// A field of it.
    #[must_use]
    pub const fn field(&'p self, name: &'p str) -> Place<'p> {
        Place::Field(self, name)
    }

    /// An element of it.
    #[must_use]
    pub const fn element(&'p self, index: usize) -> Place<'p> {
        Place::Element(self, index)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Params => Ok(()),
            Place::Field(Place::Params, name) => f.write_str(&shown(name)),
            Place::Field(parent, name) => write!(f, "{parent}.{}", shown(name)),
            Place::Element(Place::Params, index) => write!(f, "{index}"),
            Place::Element(parent, index) => write!(f, "{parent}.{index}"),
        }
    }
}

/// At most as long as a valid name.
pub fn shown(name: &str) -> String {
    name.chars().take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_told_with_its_place_under_the_heaviest_code() {
        let mut findings = Findings::default();
        let data = Place::Params;
        let rows = data.field("data");
        findings.value(rows.element(1).field("total"), "must be at least 0");
        assert_eq!(findings_code(&mut Findings::default()), None);
        findings.unknown(rows.element(2).field("nmae"), "column", "nmae", ["name", "total"]);
        let problem = findings.check().unwrap_err();
        assert_eq!(problem.code, Code::BadRequest);
        assert_eq!(problem.details["errors"][0]["path"], "data.1.total");
        assert_eq!(problem.details["errors"][1]["hint"], "did you mean \"name\"?");
    }

    #[test]
    fn a_long_list_is_cut_and_a_long_name_too() {
        let mut findings = Findings::default();
        let long = "x".repeat(100_000);
        for index in 0..1_000 {
            findings.unknown(Place::Params.element(index).field(&long), "column", &long, ["id"]);
        }
        let problem = findings.check().unwrap_err();
        assert_eq!(problem.details["errors"].as_array().unwrap().len(), FINDINGS_MAX);
        assert!(serde_json::to_string(&problem.details).unwrap().len() < 20_000);
        assert!(problem.message.starts_with("1000 things"));
    }

    fn findings_code(findings: &mut Findings) -> Option<Code> {
        std::mem::take(findings).check().err().map(|problem| problem.code)
    }
}
