//! The check of what a caller sent against the declared params. All errors are reported together.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{
    Param,
    bounds::{BoundsError, CompiledBounds},
    convert,
};
use crate::{
    code::Code,
    name::nearest,
    problem::{Outcome, Problem},
    schema::Type,
};

/// Errors of one call that are told; the rest would only make the answer long.
const ERRORS_MAX: usize = 50;

/// The params of a logic, ready to check. Compiled once per release, cheap to clone.
#[derive(Clone, Debug)]
pub struct CompiledParams {
    params: Arc<[CompiledParam]>,
    /// What one of them is called.
    what: &'static str,
}

#[derive(Clone, Debug)]
struct CompiledParam {
    declared: Param,
    bounds: CompiledBounds,
}

/// A declaration that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("param {param:?}: {error}")]
pub struct ParamError {
    /// Its name.
    pub param: String,
    /// What is wrong.
    pub error: BoundsError,
}

/// Checks params that are used once. A Bridge compiles them once per release instead.
pub fn check(params: &[Param], input: Json) -> Outcome<Map<String, Json>> {
    CompiledParams::compile(params).map_err(Problem::internal)?.check(input)
}

impl CompiledParams {
    /// Compiles declarations.
    pub fn compile(params: &[Param]) -> Result<Self, ParamError> {
        let compile = |param: &Param| match CompiledBounds::compile(param.kind, &param.bounds) {
            Ok(bounds) => Ok(CompiledParam { declared: param.clone(), bounds }),
            Err(error) => Err(ParamError { param: param.name.clone(), error }),
        };
        Ok(Self { params: params.iter().map(compile).collect::<Result<_, _>>()?, what: "param" })
    }

    /// The same where one of them is called something else, as in messages.
    #[must_use]
    pub fn called(self, what: &'static str) -> Self {
        Self { what, ..self }
    }

    /// The declarations, in the order of the file.
    pub fn declared(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().map(|param| &param.declared)
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.params.iter().any(|param| param.declared.name == name)
    }

    /// Checks and normalises: required, default, type, bounds. A param that was not sent and has no default is absent
    /// from the answer; a null is the same as not sent, but for params of type `json`.
    pub fn check(&self, input: Json) -> Outcome<Map<String, Json>> {
        let mut sent = match input {
            Json::Null => Map::new(),
            Json::Object(sent) => sent,
            _ => {
                return Err(Problem::new(
                    Code::SchemaValidationFailed,
                    format!("{}s must be a JSON object", self.what),
                ));
            }
        };
        let mut checked = Map::new();
        let mut errors = Vec::new();
        for param in &*self.params {
            let name = &param.declared.name;
            let value = sent.remove(name).filter(|value| !value.is_null() || param.declared.kind == Type::Json);
            match param.check(value) {
                Ok(Some(value)) => {
                    checked.insert(name.clone(), value);
                }
                Ok(None) => {}
                Err(message) => errors.push(json!({self.what: name, "message": message})),
            }
        }
        errors.extend(
            sent.keys().take(ERRORS_MAX).map(|name| json!({self.what: shown(name), "message": self.unknown(name)})),
        );
        if errors.is_empty() {
            return Ok(checked);
        }
        errors.truncate(ERRORS_MAX);
        let message = match errors.as_slice() {
            [one] => format!("{} {}: {}", self.what, one[self.what], one["message"].as_str().unwrap_or_default()),
            several => format!("{} {}s do not fit; see details.errors", several.len(), self.what),
        };
        Err(Problem::new(Code::SchemaValidationFailed, message).detail("errors", errors))
    }

    fn unknown(&self, name: &str) -> String {
        let known = || self.declared().map(|param| param.name.as_str());
        // A long name is no misspelling, and comparing it would be the caller's to make slow.
        match nearest(&shown(name), known()) {
            Some(near) => format!("there is no such {}; did you mean {near:?}?", self.what),
            None if known().next().is_none() => format!("there is no such {}; this takes none", self.what),
            None => format!("there is no such {}; known are {}", self.what, known().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// At most as long as a valid name.
fn shown(name: &str) -> String {
    name.chars().take(63).collect()
}

impl Default for CompiledParams {
    fn default() -> Self {
        Self { params: Arc::default(), what: "param" }
    }
}

impl CompiledParam {
    fn check(&self, sent: Option<Json>) -> Result<Option<Json>, String> {
        let Some(value) = sent.or_else(|| self.declared.default.clone()) else {
            return if self.declared.required { Err("is required".to_owned()) } else { Ok(None) };
        };
        let kind = self.declared.kind;
        let value = convert::normalise(kind, self.declared.items.as_deref(), value)?;
        self.bounds.check(kind, &value)?;
        Ok(Some(value))
    }
}
