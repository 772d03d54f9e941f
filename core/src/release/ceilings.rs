//! What an operator lets the components of a project have at most, whatever their manifests ask for. A release above its ceilings
//! is refused before anything of it runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Manifest;
use crate::{
    limit::InvocationLimits,
    logic::{Body, Logic},
    quantity::{Bytes, Millis},
};

/// Patterns in one list.
const PATTERNS_MAX: usize = 200;
const PATTERN_BYTES_MAX: usize = 200;

/// The document, as `stk project ceilings set` sends it.
///
/// A pattern is held against a whole line of [`Manifest::capability_lines`], for example `buy: secret STRIPE_KEY`; `*` stands for
/// any text. A power must fit one of `allow` and none of `deny`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ceilings {
    /// Absent: every power that is not denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Whether components may be mounted, to be given requests of HTTP as they are. They may where the ceilings of the org or of the
    /// project say so and neither says no: where nobody says anything, they may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts: Option<bool>,
    /// The largest limits, by their names in `logic.yaml` and as they are written there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Json>,
}

/// A document that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeilingsError {
    /// A limit that there is not.
    #[error("there is no limit {name:?}; there are {known}")]
    UnknownLimit {
        /// As written.
        name: String,
        /// All.
        known: String,
    },
    /// Not a quantity of its kind.
    #[error("limits.{name}: {why}")]
    Quantity {
        /// The limit.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// No document of this kind.
    #[error("{0}")]
    Form(String),
    /// Too many patterns, or too long a one.
    #[error("a list may have {PATTERNS_MAX} patterns of {PATTERN_BYTES_MAX} bytes, and none is empty")]
    Patterns,
}

impl Ceilings {
    /// Reads a document (YAML, and so JSON) and checks it. The error says line and column.
    pub fn parse(text: &str) -> Result<Self, CeilingsError> {
        let read: Self = serde_saphyr::from_str(text).map_err(|error| CeilingsError::Form(error.to_string()))?;
        read.check()?;
        Ok(read)
    }

    /// Whether it can be meant.
    pub fn check(&self) -> Result<(), CeilingsError> {
        for patterns in self.allow.iter().chain([&self.deny]) {
            let is_wrong = |pattern: &String| pattern.trim().is_empty() || pattern.len() > PATTERN_BYTES_MAX;
            if patterns.len() > PATTERNS_MAX || patterns.iter().any(is_wrong) {
                return Err(CeilingsError::Patterns);
            }
        }
        self.largest().map(drop)
    }

    /// Every power and limit of a release that is above, in words; an error where the document cannot be meant.
    pub fn above(&self, manifest: &Manifest) -> Result<Vec<String>, CeilingsError> {
        let largest = self.largest()?;
        let is_allowed = |line: &str| {
            let fits = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, line));
            !fits(&self.deny) && self.allow.as_deref().is_none_or(fits)
        };
        let mut above: Vec<String> = manifest.capability_lines().into_iter().filter(|line| !is_allowed(line)).collect();
        for (name, logic) in &manifest.logics {
            let Body::Wasm(wasm) = &logic.body else { continue };
            let own = wasm.limits.by_name();
            let over = largest.iter().filter(|(limit, most)| own.get::<str>(limit).is_some_and(|own| own > *most));
            above.extend(over.map(|(limit, _)| format!("{name}: limit {limit}")));
            // What ends an invocation is the smaller of the two, but the larger is what was asked for.
            if largest.get("timeout").is_some_and(|most| logic.timeout.0 > *most) {
                let line = format!("{name}: limit timeout");
                if !above.contains(&line) {
                    above.push(line);
                }
            }
        }
        Ok(above)
    }

    /// Every mount of a release, in words, where these ceilings, of whoever has a say, do not let components be mounted.
    pub fn unmountable<'c>(all: impl IntoIterator<Item = &'c Self>, manifest: &Manifest) -> Vec<String> {
        let said: Vec<bool> = all.into_iter().filter_map(|ceilings| ceilings.mounts).collect();
        if said.contains(&true) && !said.contains(&false) {
            return Vec::new();
        }
        let mounted = |(name, logic): (&String, &Logic)| Some(format!("{name}: mount /http/{}", logic.mount()?.path));
        manifest.logics.iter().filter_map(mounted).collect()
    }

    /// The limits as numbers of milliseconds, bytes or pieces.
    fn largest(&self) -> Result<BTreeMap<&str, u64>, CeilingsError> {
        let known = InvocationLimits::default().by_name();
        let number = |(name, json): (&'_ String, &Json)| {
            if !known.contains_key(name) {
                let known = known.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(CeilingsError::UnknownLimit { name: name.clone(), known });
            }
            let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
            let wrong = |why: String| CeilingsError::Quantity { name: name.clone(), why };
            match name.as_str() {
                "timeout" | "cpu" => text.parse::<Millis>().map(|millis| millis.0).map_err(|e| wrong(e.to_string())),
                "memory" | "sqlBytes" | "output" | "logBytes" | "httpBytes" | "storageBytes" => {
                    text.parse::<Bytes>().map(|bytes| bytes.0).map_err(|e| wrong(e.to_string()))
                }
                _ => text.parse().map_err(|_| wrong("expected a whole number".to_owned())),
            }
        };
        self.limits.iter().map(|entry| Ok((entry.0.as_str(), number(entry)?))).collect()
    }
}

/// Whether a text is of a pattern. Its time is the product of both lengths at most.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*", "buy: secret A", true),
            ("buy: secret A", "buy: secret A", true),
            ("buy: secret A", "buy: secret AB", false),
            ("*: secret STRIPE_*", "pricing/buy: secret STRIPE_KEY", true),
            ("*: secret STRIPE_*", "pricing/buy: secret STRIPE", false),
            ("*: sql main.* select", "buy: sql main.orders select", true),
            ("*: sql main.* select", "buy: sql main.orders delete", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern:?} {text:?}");
        }
        let hostile = "*a".repeat(100);
        assert!(!matches(&hostile, &"a".repeat(99)));
    }

    fn manifest() -> Manifest {
        serde_json::from_value(json!({
            "format": 1, "project": "shop", "minimumBridge": "0.1.0", "defaultConnection": "main", "connections": {},
            "logics": {"buy": {"rules": [], "connection": "main", "transaction": "none", "timeout": 9000, "body": {
                "kind": "wasm", "component": "sha256:00", "sizeBytes": 1, "language": "rust", "imports": [],
                "grants": {"secrets": ["STRIPE_KEY", "OTHER"], "sql": [{"connection": "main", "tables": {"orders": ["select", "delete"]}}]},
                "limits": InvocationLimits { memory: Bytes(128 << 20), ..InvocationLimits::default() },
            }}},
        }))
        .unwrap()
    }

    fn above(ceilings: Json) -> Vec<String> {
        let ceilings: Ceilings = serde_json::from_value(ceilings).unwrap();
        ceilings.check().unwrap();
        ceilings.above(&manifest()).unwrap()
    }

    #[test]
    fn what_is_above_is_named() {
        assert_eq!(above(json!({})), Vec::<String>::new());
        assert_eq!(above(json!({"allow": ["*"]})), Vec::<String>::new());
        assert_eq!(above(json!({"allow": []})).len(), 4, "nothing is allowed");
        assert_eq!(above(json!({"deny": ["*: sql * delete"]})), ["buy: sql main.orders delete"]);
        let allow = json!({"allow": ["*: sql *", "buy: secret STRIPE_*"], "deny": ["*: sql * delete"]});
        assert_eq!(above(allow), ["buy: secret OTHER", "buy: sql main.orders delete"]);
        assert_eq!(above(json!({"limits": {"memory": "64MiB", "cpu": "1s"}})), ["buy: limit memory"]);
        assert_eq!(above(json!({"limits": {"memory": "128MiB", "timeout": "5s"}})), ["buy: limit timeout"]);
        assert_eq!(
            above(json!({"limits": {"hostCalls": 10, "timeout": "1s"}})),
            ["buy: limit hostCalls", "buy: limit timeout"]
        );
        // Also where the release says nothing of it.
        assert_eq!(above(json!({"limits": {"httpBytes": "1MiB"}})), ["buy: limit httpBytes"]);
    }

    #[test]
    fn nothing_is_mounted_where_nobody_says_so() {
        let says = |mounts| Ceilings { mounts, ..Ceilings::default() };
        let mut mounted = manifest();
        let mount = json!({"path": "a/b", "methods": ["GET", "POST"]});
        if let Some(Body::Wasm(wasm)) = mounted.logics.get_mut("buy").map(|logic| &mut logic.body) {
            wasm.mount = Some(serde_json::from_value(mount).unwrap());
        }
        for (org, project, may) in [
            (None, None, false),
            (Some(true), None, true),
            (None, Some(true), true),
            (Some(true), Some(true), true),
            (Some(false), Some(true), false),
            (Some(true), Some(false), false),
            (Some(false), None, false),
        ] {
            let found = Ceilings::unmountable(&[says(org), says(project)], &mounted);
            assert_eq!(found.is_empty(), may, "{org:?} {project:?}: {found:?}");
            assert_eq!(Ceilings::unmountable(&[says(org), says(project)], &manifest()), Vec::<String>::new());
        }
        assert_eq!(Ceilings::unmountable(&[], &mounted), ["buy: mount /http/a/b"]);
        // Where they may, each is a power as the others are.
        let ceilings = Ceilings { deny: vec!["*: mount POST *".to_owned()], ..says(Some(true)) };
        assert_eq!(ceilings.above(&mounted).unwrap(), ["buy: mount POST /http/a/b"]);
    }

    #[test]
    fn a_document_that_cannot_be_meant_is_refused() {
        for (ceilings, words) in [
            (json!({"limits": {"memry": "64MiB"}}), "there is no limit \"memry\""),
            (json!({"limits": {"memory": "much"}}), "limits.memory"),
            (json!({"limits": {"memory": 64}}), "limits.memory"),
            (json!({"limits": {"hostCalls": -1}}), "whole number"),
            (json!({"allow": [" "]}), "none is empty"),
            (json!({"deny": vec!["a"; 201]}), "200 patterns"),
        ] {
            let read: Ceilings = serde_json::from_value(ceilings).unwrap();
            let said = read.check().unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
        for text in ["alow: []", "allow: a", "allow: [a", "- allow", "limits: {memory: [1]}"] {
            Ceilings::parse(text).unwrap_err();
        }
        let read = Ceilings::parse("deny: [\"*: sql *\"]\nlimits: {memory: 64MiB, hostCalls: 10}\n").unwrap();
        assert_eq!((read.deny.len(), read.limits.len(), read.allow), (1, 2, None));
    }
}
