//! What a request is read with: the tables, the caller, the moment, the bounds, and what is wrong so far.

use chrono::{DateTime, Utc};
use santokit_core::access::Actor;
use serde_json::{Map, Value as Json};

use super::{
    findings::{Findings, Place},
    limits::CrudLimits,
    names::Tables,
};
use crate::host::GuestObjects;

/// A request while it is read.
#[derive(Debug)]
pub struct Request<'a> {
    /// Of the generation.
    pub tables: &'a Tables,
    /// Who asks.
    pub actor: &'a Actor,
    /// As sent; `request.params` of conditions.
    pub params: &'a Map<String, Json>,
    /// The moment that rules and defaults see.
    pub now: DateTime<Utc>,
    /// Of this Bridge.
    pub limits: &'a CrudLimits,
    /// Where a guest asks: which objects it may put.
    pub objects: Option<GuestObjects<'a>>,
    /// What is wrong so far.
    pub findings: Findings,
}

impl<'a> Request<'a> {
    /// Refuses params that the operation does not know.
    pub fn only(&mut self, known: &[&str]) {
        for name in self.params.keys().filter(|name| !known.contains(&name.as_str())) {
            if self.findings.is_full() {
                return;
            }
            self.findings.unknown(Place::Params.field(name), "param", name, known.iter().copied());
        }
    }

    /// A param; null is the same as nothing.
    pub fn param(&self, name: &str) -> Option<&'a Json> {
        self.params.get(name).filter(|json| !json.is_null())
    }

    /// A truth value, false where nothing is sent.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.param(name) {
            None => false,
            Some(Json::Bool(truth)) => *truth,
            Some(_) => {
                self.findings.request(Place::Params.field(name), "must be true or false");
                false
            }
        }
    }

    /// A whole number from 0.
    pub fn number(&mut self, name: &str) -> Option<u64> {
        let json = self.param(name)?;
        let number = json.as_u64().filter(|number| i64::try_from(*number).is_ok());
        if number.is_none() {
            self.findings.request(Place::Params.field(name), "must be a whole number, not negative");
        }
        number
    }

    /// A list of names, not empty.
    pub fn names(&mut self, json: &'a Json, place: Place<'_>) -> Vec<&'a str> {
        let Json::Array(items) = json else {
            self.findings.request(place, "must be a list of names");
            return Vec::new();
        };
        if items.is_empty() {
            self.findings.request(place, "must not be empty");
        }
        let mut names = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if self.findings.is_full() {
                break;
            }
            match item {
                Json::String(name) => names.push(name.as_str()),
                _ => self.findings.request(place.element(index), "must be a name"),
            }
        }
        names
    }
}
