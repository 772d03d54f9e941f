//! Who may ask for what of the keys of a bucket: rules for a glob of keys, the narrowest glob that a key has decides.
//!
//! It decides from values only. Where the bytes go is the Bridge's matter.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{
    OBJECT_BYTES_MAX,
    glob::{GlobError, KeyGlob, Relation},
    key::ObjectKey,
    media::{MediaError, MediaRange},
};
use crate::{
    access::{Actor, Decision, Rule, RuleError, object::ObjectRules},
    quantity::Bytes,
};

/// Policies of a bucket.
pub const POLICIES_MAX: usize = 100;

/// What applications ask of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectVerb {
    /// A URL that an object can be put to; also in parts.
    Upload,
    /// A URL that it can be read from.
    Download,
    /// That it is removed.
    Delete,
}

/// Ordered rules for each verb; an empty list allows nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StoragePolicy")]
pub struct Policy {
    /// Who may put objects, and what they may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upload_sign: Vec<UploadRule>,
    /// Who may read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub download_sign: Vec<Rule>,
    /// Who may remove them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete: Vec<Rule>,
}

/// A rule for uploads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UploadRule {
    /// `public`, `authenticated` or role names.
    pub roles: Vec<String>,
    /// CEL; absent holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The largest object; absent is that of the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<Bytes>,
    /// Content types, as `image/png` or `image/*`; none is any.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub allowed_types: BTreeSet<String>,
}

/// What an upload that is allowed may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadBounds {
    /// The largest object, where the rule says one.
    pub max_size: Option<Bytes>,
    /// Content types; none is any.
    pub allowed_types: Vec<MediaRange>,
}

/// The policies of a bucket, ready to decide.
#[derive(Clone, Debug, Default)]
pub struct CompiledPolicies(Vec<CompiledPolicy>);

#[derive(Clone, Debug)]
struct CompiledPolicy {
    glob: KeyGlob,
    upload: ObjectRules,
    bounds: Vec<UploadBounds>,
    download: ObjectRules,
    delete: ObjectRules,
}

/// Policies that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More than anybody reads.
    #[error("a bucket has at most {POLICIES_MAX} policies")]
    TooMany,
    /// No glob.
    #[error("{glob:?} is no pattern of keys: {error}")]
    Glob {
        /// As written.
        glob: String,
        /// What is wrong.
        error: GlobError,
    },
    /// Two of them could decide for one key.
    #[error("a key can be one of {0:?} and of {1:?}, and neither is narrower: it must be clear which of them decides")]
    Ambiguous(String, String),
    /// A rule of one.
    #[error("{glob:?}, {verb}: {error}")]
    Rule {
        /// As written.
        glob: String,
        /// Of which verb.
        verb: &'static str,
        /// What is wrong.
        error: RuleError,
    },
    /// A condition reads a name that the glob does not have.
    #[error("{glob:?}, {verb}: the condition reads path.{name}, and the pattern has no {{{name}}}")]
    Path {
        /// As written.
        glob: String,
        /// Of which verb.
        verb: &'static str,
        /// What it reads.
        name: String,
    },
    /// A content type.
    #[error("{glob:?}: {error}")]
    Media {
        /// As written.
        glob: String,
        /// What is wrong.
        error: MediaError,
    },
    /// Of nothing, or larger than any may be.
    #[error("{0:?}: maxSize is 1 byte to {OBJECT_BYTES_MAX}")]
    Size(String),
    /// A rule for columns.
    #[error("{0:?}: objects have no columns")]
    Columns(String),
}

impl ObjectVerb {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Upload, Self::Download, Self::Delete];

    /// As in project files and paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload_sign",
            Self::Download => "download_sign",
            Self::Delete => "delete",
        }
    }
}

impl UploadRule {
    /// What it may be.
    pub fn bounds(&self) -> Result<UploadBounds, MediaError> {
        let allowed_types = self.allowed_types.iter().map(|text| MediaRange::parse(text)).collect::<Result<_, _>>()?;
        Ok(UploadBounds { max_size: self.max_size, allowed_types })
    }

    fn rule(&self) -> Rule {
        Rule { roles: self.roles.clone(), condition: self.condition.clone(), columns: None }
    }
}

impl UploadBounds {
    /// Whether an object of this type may be put.
    pub fn allows_type(&self, content_type: &str) -> bool {
        self.allowed_types.is_empty() || self.allowed_types.iter().any(|range| range.covers(content_type))
    }
}

impl Policy {
    /// The rules of a verb.
    pub fn rules(&self, verb: ObjectVerb) -> Vec<Rule> {
        match verb {
            ObjectVerb::Upload => self.upload_sign.iter().map(UploadRule::rule).collect(),
            ObjectVerb::Download => self.download_sign.clone(),
            ObjectVerb::Delete => self.delete.clone(),
        }
    }
}

/// Two globs of which neither is narrower though a key can be of both.
pub fn ambiguous<'g>(globs: &[(&'g str, KeyGlob)]) -> Option<(&'g str, &'g str)> {
    globs.iter().enumerate().find_map(|(number, (text, glob))| {
        let meets = |(_, other): &&(&str, KeyGlob)| matches!(glob.relation(other), Relation::Same | Relation::Crossing);
        globs[..number].iter().find(meets).map(|(other, _)| (*other, *text))
    })
}

impl CompiledPolicies {
    /// Compiles what a release says.
    pub fn compile(policies: &BTreeMap<String, Policy>) -> Result<Self, PolicyError> {
        if policies.len() > POLICIES_MAX {
            return Err(PolicyError::TooMany);
        }
        let globs = policies.keys().map(|text| {
            let glob = KeyGlob::parse(text).map_err(|error| PolicyError::Glob { glob: text.clone(), error })?;
            Ok((text.as_str(), glob))
        });
        let globs: Vec<(&str, KeyGlob)> = globs.collect::<Result<_, PolicyError>>()?;
        if let Some((one, other)) = ambiguous(&globs) {
            return Err(PolicyError::Ambiguous(one.to_owned(), other.to_owned()));
        }
        let compiled =
            globs.into_iter().zip(policies.values()).map(|((text, glob), policy)| compile(text, glob, policy));
        Ok(Self(compiled.collect::<Result<_, _>>()?))
    }

    /// Whether a caller may; for an upload, with what it may be. `params` are those of the request.
    pub fn decide(
        &self,
        verb: ObjectVerb,
        key: &ObjectKey,
        actor: &Actor,
        params: &Map<String, Json>,
        now: DateTime<Utc>,
    ) -> (Decision, UploadBounds) {
        let Some((policy, path)) = self.of(key) else {
            return (ObjectRules::default().decide(actor, params, &BTreeMap::new(), now).0, UploadBounds::default());
        };
        let rules = match verb {
            ObjectVerb::Upload => &policy.upload,
            ObjectVerb::Download => &policy.download,
            ObjectVerb::Delete => &policy.delete,
        };
        let (decision, rule) = rules.decide(actor, params, &path, now);
        let bounds = rule.filter(|_| verb == ObjectVerb::Upload).and_then(|rule| policy.bounds.get(rule));
        (decision, bounds.cloned().unwrap_or_default())
    }

    /// The narrowest that a key has, and what its names stand for.
    fn of(&self, key: &ObjectKey) -> Option<(&CompiledPolicy, BTreeMap<String, String>)> {
        let mut narrowest: Option<(&CompiledPolicy, BTreeMap<String, String>)> = None;
        for policy in &self.0 {
            let Some(path) = policy.glob.captures(key) else { continue };
            let is_narrower =
                |(before, _): &(&CompiledPolicy, _)| policy.glob.relation(&before.glob) == Relation::Narrower;
            if narrowest.as_ref().is_none_or(is_narrower) {
                narrowest = Some((policy, path));
            }
        }
        narrowest
    }
}

fn compile(text: &str, glob: KeyGlob, policy: &Policy) -> Result<CompiledPolicy, PolicyError> {
    let rules = |verb: ObjectVerb| {
        let rules = policy.rules(verb);
        if rules.iter().any(|rule| rule.columns.is_some()) {
            return Err(PolicyError::Columns(text.to_owned()));
        }
        let wrong = |error| PolicyError::Rule { glob: text.to_owned(), verb: verb.as_str(), error };
        let compiled = ObjectRules::compile(&rules).map_err(wrong)?;
        let names: BTreeSet<&str> = glob.names().collect();
        let unknown = compiled.path_names().find(|name| !names.contains(name)).map(str::to_owned);
        match unknown {
            None => Ok(compiled),
            Some(name) => Err(PolicyError::Path { glob: text.to_owned(), verb: verb.as_str(), name }),
        }
    };
    let bounds = policy.upload_sign.iter().map(|rule| {
        if rule.max_size.is_some_and(|size| size == Bytes(0) || size > OBJECT_BYTES_MAX) {
            return Err(PolicyError::Size(text.to_owned()));
        }
        rule.bounds().map_err(|error| PolicyError::Media { glob: text.to_owned(), error })
    });
    let bounds = bounds.collect::<Result<_, _>>()?;
    let (upload, download, delete) =
        (rules(ObjectVerb::Upload)?, rules(ObjectVerb::Download)?, rules(ObjectVerb::Delete)?);
    Ok(CompiledPolicy { glob, upload, bounds, download, delete })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{ActorKind, Denial};

    fn rule(role: &str, condition: Option<&str>) -> Rule {
        Rule { roles: vec![role.to_owned()], condition: condition.map(str::to_owned), columns: None }
    }

    fn upload(role: &str, max_size: Option<u64>, types: &[&str]) -> UploadRule {
        UploadRule {
            roles: vec![role.to_owned()],
            condition: None,
            max_size: max_size.map(Bytes),
            allowed_types: types.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    fn user(subject: &str, roles: &[&str]) -> Actor {
        Actor {
            kind: ActorKind::User,
            subject: Some(subject.to_owned()),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            claims: Map::new(),
        }
    }

    fn policies() -> BTreeMap<String, Policy> {
        let own = Policy {
            upload_sign: vec![upload("admin", None, &[]), upload("authenticated", Some(10), &["image/*"])],
            download_sign: vec![rule("authenticated", Some("path.userId == request.auth.sub"))],
            delete: Vec::new(),
        };
        let all = Policy {
            download_sign: vec![rule("public", None)],
            delete: vec![rule("admin", None)],
            ..Policy::default()
        };
        [("users/{userId}/*".to_owned(), own), ("*".to_owned(), all)].into()
    }

    #[test]
    fn the_narrowest_glob_decides() {
        let compiled = CompiledPolicies::compile(&policies()).unwrap();
        let anna = user("anna", &[]);
        let decide = |verb, key: &str, actor: &Actor| {
            compiled.decide(verb, &ObjectKey::parse(key).unwrap(), actor, &Map::new(), Utc::now())
        };
        assert_eq!(decide(ObjectVerb::Download, "users/anna/a", &anna).0, Decision::Allow);
        let denied = Decision::Deny { reason: Denial::Condition { rule: 1 } };
        assert_eq!(decide(ObjectVerb::Download, "users/bob/a", &anna).0, denied);
        assert_eq!(decide(ObjectVerb::Download, "users/bob", &Actor::anonymous()).0, Decision::Allow);
        assert_eq!(decide(ObjectVerb::Download, "users/bob/a", &Actor::anonymous()).0, Decision::DenyAnonymous);
        // What the narrowest does not say is said by none.
        let denied = Decision::Deny { reason: Denial::NoRule };
        assert_eq!(decide(ObjectVerb::Delete, "users/anna/a", &user("anna", &["admin"])).0, denied);
        assert_eq!(decide(ObjectVerb::Delete, "other", &user("anna", &["admin"])).0, Decision::Allow);
        assert_eq!(decide(ObjectVerb::Upload, "other", &user("anna", &["admin"])).0, denied);
        let (decision, bounds) = decide(ObjectVerb::Upload, "users/bob/a", &anna);
        assert_eq!((decision, bounds.max_size), (Decision::Allow, Some(Bytes(10))));
        assert!(bounds.allows_type("image/png") && !bounds.allows_type("text/html"));
        let (_, bounds) = decide(ObjectVerb::Upload, "users/bob/a", &user("anna", &["admin"]));
        assert!(bounds.max_size.is_none() && bounds.allows_type("text/html"), "the first rule that applies");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let said = |glob: &str, policy: Policy| {
            let mut policies = policies();
            policies.insert(glob.to_owned(), policy);
            CompiledPolicies::compile(&policies).unwrap_err().to_string()
        };
        let download = |condition| Policy { download_sign: vec![rule("public", Some(condition))], ..Policy::default() };
        let uploads = |rule| Policy { upload_sign: vec![rule], ..Policy::default() };
        for (glob, policy, words) in [
            ("a*", Policy::default(), "no pattern of keys"),
            ("users/*/*", Policy::default(), "neither is narrower"),
            ("{any}/anna/*", Policy::default(), "neither is narrower"),
            ("a/{b}", download("path.c == 'x'"), "no {c}"),
            ("a/{b}", download("resource.c == 'x'"), "refused"),
            ("a", uploads(upload("public", Some(0), &[])), "maxSize"),
            ("a", uploads(upload("public", Some(6_000_000_000), &[])), "maxSize"),
            ("a", uploads(upload("public", None, &["png"])), "no content type"),
        ] {
            let said = said(glob, policy);
            assert!(said.contains(words), "{glob}: {said}");
        }
        let many = (0..=POLICIES_MAX).map(|number| (format!("a{number}"), Policy::default())).collect();
        assert_eq!(CompiledPolicies::compile(&many).unwrap_err(), PolicyError::TooMany);
    }
}
