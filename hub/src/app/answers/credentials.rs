//! What is shown to prove who asks: sessions, tokens, API keys. A secret is a [`Sealed`], here too.

use santokit_core::wire::Sealed;
use schemars::JsonSchema;
use serde::Serialize;

use super::people::OrgRow;

/// The tokens of a session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// `ses_…`.
    pub session: String,
    /// Whether a code of the second factor was shown.
    pub second_factor: bool,
    /// For requests.
    pub access_token: Sealed,
    /// When that ends.
    pub expires_at: String,
    /// For other tokens, once.
    pub refresh_token: Sealed,
    /// When that ends.
    pub refresh_expires_at: String,
}

/// Who asks, and as what.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    /// Who.
    pub operator: Oneself,
    /// What was shown.
    pub credential: Shown,
    /// How it stands with the second factor.
    pub second_factor: SecondFactor,
    /// None for a token that is for some envs alone.
    pub orgs: Vec<OrgRow>,
}

/// Who asks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Oneself {
    /// `op_…`.
    pub id: String,
    /// None: it is the one of the Hub's first token.
    pub email: Option<String>,
    /// For people.
    pub name: String,
}

/// What was shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// `first token`, `session` or `token`.
    pub kind: String,
    /// Whether a second factor stands behind it.
    pub second_factor: bool,
}

/// How it stands with the second factor.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecondFactor {
    /// Whether logins need one.
    pub enabled: bool,
    /// How many of its recovery codes were not used.
    pub recovery_codes_left: i64,
}

/// A second factor that is to be confirmed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Enrolment {
    /// For an authenticator, in base32.
    pub secret: Sealed,
    /// The same as `otpauth://…`.
    pub uri: Sealed,
}

/// Codes that are taken once each in place of the authenticator's.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryCodes {
    /// Shown once.
    pub recovery_codes: Vec<Sealed>,
}

/// A personal token, without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// `key_…`.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The most that it may do: `read`, `deploy` or `admin`.
    pub level: String,
    /// `project/env`, or `project/*`; none is all that its operator may.
    pub envs: Vec<String>,
    /// Whether it was made by who had shown a second factor.
    pub second_factor: bool,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// To the minute.
    pub last_used_at: Option<String>,
    /// When it was ended.
    pub revoked_at: Option<String>,
}

/// A personal token that was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NewToken {
    /// All but the secret.
    #[serde(flatten)]
    pub shown: Token,
    /// Shown once.
    pub token: Sealed,
}

/// The personal tokens of who asks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Tokens {
    /// Those that ended lately too.
    pub tokens: Vec<Token>,
}

/// A token for Bridges, without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceToken {
    /// `key_…`.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// `project/env`, those that who asks may see.
    pub envs: Vec<String>,
    /// When it was made.
    pub created_at: String,
}

/// A token for Bridges that was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NewServiceToken {
    /// All but the secret.
    #[serde(flatten)]
    pub shown: ServiceToken,
    /// Shown once.
    pub token: Sealed,
}

/// Tokens for Bridges.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTokens {
    /// For envs of which who asks is an admin.
    pub service_tokens: Vec<ServiceToken>,
}

/// A key that applications call with, without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ApiKeyShown")]
pub struct ApiKey {
    /// The part of the key between `stk_` and the dot.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may act as.
    pub roles: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// None never ends.
    pub expires_at: Option<String>,
    /// When it was ended.
    pub revoked_at: Option<String>,
    /// As Bridges report, to the minute.
    pub last_used_at: Option<String>,
}

/// A key that was made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NewApiKey {
    /// All but the secret.
    #[serde(flatten)]
    pub shown: ApiKey,
    /// Shown once, where the Hub made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Sealed>,
}

/// The keys of an env.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeys {
    /// Those that were revoked too.
    pub api_keys: Vec<ApiKey>,
}
