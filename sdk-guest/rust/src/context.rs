//! Who called, and in which release.

use serde::de::DeserializeOwned;

use crate::bindings::santokit::runtime::context as host;

/// Who called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `anonymous`, `apiKey`, `user` or `system` (cron, events). New kinds may appear.
    pub kind: String,
    /// The API key's id or the end user's `sub`. None when anonymous.
    pub subject: Option<String>,
    /// The roles that the Bridge has verified.
    pub roles: Vec<String>,
    claims: Vec<u8>,
}

/// What is being run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The id in `X-Request-Id` and in every log line.
    pub request_id: String,
    /// The logic's name, for example `pricing/quote`.
    pub logic: String,
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub env: String,
    /// The release that answers.
    pub release_id: String,
    /// `request`, `call` (from another logic), `event`, `cron` or `test`. New kinds may appear.
    pub trigger: String,
}

/// Who called this invocation.
pub fn caller() -> Caller {
    let host::Caller { kind, subject, roles, claims } = host::get_caller();
    Caller { kind, subject, roles, claims }
}

/// What this invocation is.
pub fn invocation() -> Invocation {
    let host::Invocation { request_id, logic, project, env, release_id, trigger } = host::get_invocation();
    Invocation { request_id, logic, project, env, release_id, trigger }
}

impl Caller {
    /// Whether the caller has the role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|has| has == role)
    }

    /// The further claims of the credential as a type of your own, or as `serde_json::Value`.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(if self.claims.is_empty() { b"{}" } else { &self.claims })
    }
}
