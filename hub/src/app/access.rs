//! Who may ask: the operator's token, service tokens of Bridges, and the API keys that Bridges check.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use santokit_core::{
    code::Code,
    id::Kind,
    name,
    problem::{Outcome, Problem},
    release::Digest,
    wire::Sealed,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::credentials::{ApiKey, ApiKeys, NewApiKey, NewServiceToken, ServiceToken, ServiceTokens},
    authority::{self, Action, Credential, Level, Target, Who},
    login,
    projects::{At, bad_name, full, missing, need_env},
    random_text, tokens,
};
use crate::store::{
    Db,
    audit::{self, Caller, Deed, Detail, line, name, names},
    commit,
    credentials::{self, ApiKeyRow},
    envs::now,
    personal_tokens, sessions,
};

const API_KEYS_MAX: i64 = 100;
const SERVICE_TOKENS_MAX: usize = 1_000;
const ROLES_MAX: usize = 50;
const KEY_BYTES_MAX: usize = 256;
const LABEL_CHARS_MAX: usize = 100;

/// The body of a new API key. Without `key` or `hash`, the Hub makes the key and shows it once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKeyBody {
    /// What it is for.
    pub name: String,
    /// What it may act as.
    pub roles: Vec<String>,
    /// RFC 3339.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// A key that exists already, `stk_<id>.<secret>`.
    #[serde(default)]
    pub key: Option<Sealed>,
    /// The id of a key whose secret stays with the caller; with `hash`.
    #[serde(default)]
    pub id: Option<String>,
    /// SHA-256 of its secret part.
    #[serde(default)]
    pub hash: Option<Digest>,
}

/// The body of a new service token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceTokenBody {
    /// What it is for.
    pub name: String,
    /// What its Bridges may serve.
    pub envs: Vec<EnvRef>,
}

/// `project/env`, or `{"project", "env"}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EnvRef {
    /// As one text.
    Text(String),
    /// As an object.
    Fields {
        /// The project's name.
        project: String,
        /// The env's name.
        env: String,
    },
}

/// A service token that was shown: whose Bridges ask, and for what they may.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The token's id.
    pub id: String,
    /// (project, env).
    pub envs: BTreeSet<(String, String)>,
}

impl Fleet {
    /// Fails where the token is not for the env. It does not say whether the env exists.
    pub fn need(&self, project: &str, env: &str) -> Outcome<()> {
        if self.envs.contains(&(project.to_owned(), env.to_owned())) {
            return Ok(());
        }
        Err(foreign().hint("make one with `stk hub token create NAME --for PROJECT/ENV`"))
    }

    /// Whether it is for any env of a project.
    pub fn has_project(&self, project: &str) -> bool {
        self.envs.iter().any(|(own, _)| own == project)
    }
}

/// What a token gets that is for something else.
fn foreign() -> Box<Problem> {
    Problem::new(Code::Forbidden, "the service token is not for this")
}

impl App {
    /// Who shows this token.
    pub async fn who(&self, token: &str) -> Outcome<Who> {
        let hash = Digest::of(token.as_bytes());
        let mut db = self.store.read().await?;
        let found = if token.starts_with(login::ACCESS) {
            let found = sessions::token(&mut db, "access", hash.as_str()).await?;
            found.filter(|row| row.expires_at > self.now()).map(|row| {
                let credential = Credential::Session { id: row.session, second_factor: row.second_factor == 1 };
                Who { operator: row.operator, credential }
            })
        } else if token.starts_with(tokens::PREFIX) {
            self.who_by_token(&mut db, hash.as_str()).await?
        } else {
            let found = credentials::operator_by_hash(&mut db, hash.as_str()).await?;
            found.map(|operator| Who { operator, credential: Credential::First })
        };
        found.ok_or_else(|| {
            Problem::new(Code::Unauthorized, "the token is not valid")
                .hint("log in with `stk login`, or set STK_TOKEN to a token of this Hub that has not ended")
        })
    }

    async fn who_by_token(&self, db: &mut Db, hash: &str) -> Outcome<Option<Who>> {
        let found = personal_tokens::by_hash(db, hash).await?.filter(|row| row.expires_at > self.now());
        let Some(row) = found else { return Ok(None) };
        let envs = personal_tokens::envs(db, &row.id).await?;
        self.token_used(&row).await;
        let second_factor = row.second_factor == 1;
        let credential = Credential::Token { id: row.id, level: Level::parse(&row.level)?, envs, second_factor };
        Ok(Some(Who { operator: row.operator, credential }))
    }

    /// Whether `who` may do this to that.
    pub async fn authorise(&self, who: &Who, action: Action, target: Target<'_>) -> Outcome<()> {
        authority::authorise(&mut *self.store.read().await?, who, action, target).await
    }

    /// Whose service token this is.
    pub async fn fleet(&self, token: &str) -> Outcome<Fleet> {
        let (hash, mut db) = (Digest::of(token.as_bytes()), self.store.read().await?);
        let id = credentials::service_token_by_hash(&mut db, hash.as_str()).await?;
        let id = id.ok_or_else(|| Problem::new(Code::Unauthorized, "the service token is not valid"))?;
        let envs = credentials::service_token_envs(&mut db, &id).await?.into_iter().collect();
        Ok(Fleet { id, envs })
    }

    /// Makes an API key.
    pub async fn create_api_key(&self, caller: &Caller, at: At<'_>, body: ApiKeyBody) -> Outcome<NewApiKey> {
        check_label(&body.name)?;
        if body.roles.is_empty() || body.roles.len() > ROLES_MAX {
            return Err(Problem::new(Code::BadRequest, format!("a key has between 1 and {ROLES_MAX} roles")));
        }
        for role in &body.roles {
            name::check_role(role).map_err(|error| bad_name(&error))?;
        }
        let expires_at = body
            .expires_at
            .as_deref()
            .map(|text| DateTime::parse_from_rfc3339(text).map(|time| time.to_utc().to_rfc3339()));
        let expires_at = expires_at.transpose().map_err(|_| {
            Problem::new(Code::BadRequest, "expiresAt is no time")
                .hint("write it as RFC 3339, for example 2030-01-01T00:00:00Z")
        })?;
        let (id, hash, made) = identity(body.key, body.id, body.hash)?;
        let roles = serde_json::to_string(&body.roles).map_err(Problem::internal)?;
        let row = ApiKeyRow {
            id,
            name: body.name,
            hash: hash.as_str().to_owned(),
            roles,
            created_at: now(),
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        if credentials::count_api_keys(&mut db, at.project).await? >= API_KEYS_MAX {
            return Err(full("apiKeys", API_KEYS_MAX, "API keys in the project"));
        }
        if !credentials::add_api_key(&mut db, at.project, at.env, &row).await? {
            return Err(Problem::new(Code::Conflict, format!("there is an API key {:?} already", row.id)));
        }
        let detail = Detail::of("id", name(&row.id))
            .with("name", line(&row.name))
            .with("roles", names(body.roles.iter().map(String::as_str)))
            .with("expiresAt", row.expires_at.as_deref().map(name));
        audit::append(&mut db, caller, &at.deed("apikey.create", detail)).await?;
        commit(db).await?;
        Ok(NewApiKey { shown: shown(row), key: made })
    }

    /// The API keys of an env, without their secrets.
    pub async fn api_keys(&self, at: At<'_>) -> Outcome<ApiKeys> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let rows = credentials::api_keys(&mut db, at.project, at.env).await?;
        Ok(ApiKeys { api_keys: rows.into_iter().map(shown).collect() })
    }

    /// One API key, without its secret.
    pub async fn api_key(&self, at: At<'_>, id: &str) -> Outcome<ApiKey> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let rows = credentials::api_keys(&mut db, at.project, at.env).await?;
        rows.into_iter().find(|row| row.id == id).map(shown).ok_or_else(|| missing("API key", id))
    }

    /// Revokes an API key; Bridges know within one poll.
    pub async fn revoke_api_key(&self, caller: &Caller, at: At<'_>, id: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        if !credentials::revoke_api_key(&mut db, at.project, at.env, id, &now()).await? {
            return Err(missing("valid API key", id));
        }
        audit::append(&mut db, caller, &at.deed("apikey.revoke", Detail::of("id", name(id)))).await?;
        Ok(commit(db).await?)
    }

    /// Makes a service token, which is shown once.
    pub async fn create_service_token(
        &self,
        caller: &Caller,
        who: &Who,
        body: ServiceTokenBody,
    ) -> Outcome<NewServiceToken> {
        check_label(&body.name)?;
        let envs: Vec<(String, String)> = body.envs.into_iter().map(EnvRef::read).collect::<Outcome<_>>()?;
        if envs.is_empty() || envs.len() > SERVICE_TOKENS_MAX {
            return Err(Problem::new(Code::BadRequest, "a service token is for one env or more")
                .hint("name them as project/env"));
        }
        let mut db = self.store.write().await?;
        for (project, env) in &envs {
            let target = Target::Project(project, Some(env));
            authority::authorise(&mut db, who, Action::ServiceTokenCreate, target).await?;
            need_env(&mut db, At { project, env }).await?;
        }
        if credentials::service_tokens(&mut db).await?.len() >= SERVICE_TOKENS_MAX {
            return Err(full("serviceTokens", SERVICE_TOKENS_MAX, "service tokens"));
        }
        let (id, token) = (Kind::Key.generate(), Sealed::new(format!("stk_svc_{}", random_text()?)));
        let row = (id, body.name, now());
        credentials::add_service_token(&mut db, &row, Digest::of(token.expose().as_bytes()).as_str(), &envs).await?;
        let names: Vec<String> = envs.iter().map(|(project, env)| format!("{project}/{env}")).collect();
        let detail = Detail::of("id", name(&row.0))
            .with("name", line(&row.1))
            .with("envs", audit::names(names.iter().map(String::as_str)));
        audit::append(&mut db, caller, &Deed { action: "servicetoken.create", project: None, env: None, detail })
            .await?;
        commit(db).await?;
        let (id, name, created_at) = row;
        Ok(NewServiceToken { shown: ServiceToken { id, name, envs: names, created_at }, token })
    }

    /// Service tokens without their secrets, each with those of its envs that `who` may see; one without any is not shown.
    pub async fn service_tokens(&self, who: &Who) -> Outcome<ServiceTokens> {
        let mut db = self.store.read().await?;
        let (mut rows, mut seen) = (Vec::new(), BTreeMap::new());
        for (id, name, created_at) in credentials::service_tokens(&mut db).await? {
            let mut envs = Vec::new();
            for (project, env) in credentials::service_token_envs(&mut db, &id).await? {
                let shown = format!("{project}/{env}");
                if !seen.contains_key(&shown) {
                    let target = Target::Project(&project, Some(&env));
                    let may = authority::may(&mut db, who, Action::ServiceTokenList, target).await?;
                    seen.insert(shown.clone(), may);
                }
                envs.extend(seen.get(&shown).is_some_and(|may| *may).then_some(shown));
            }
            if !envs.is_empty() {
                rows.push(ServiceToken { id, name, envs, created_at });
            }
        }
        Ok(ServiceTokens { service_tokens: rows })
    }

    /// Ends a service token. Who may not see it is told that there is none.
    pub async fn delete_service_token(&self, caller: &Caller, who: &Who, id: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        let (mut is_seen, mut may) = (false, true);
        for (project, env) in credentials::service_token_envs(&mut db, id).await? {
            let target = Target::Project(&project, Some(&env));
            is_seen |= authority::may(&mut db, who, Action::ServiceTokenList, target).await?;
            may &= authority::may(&mut db, who, Action::ServiceTokenDelete, target).await?;
        }
        match (may, is_seen) {
            (true, _) => {}
            (false, true) => {
                return Err(Problem::new(Code::Forbidden, "the token is also for projects of which you are no admin"));
            }
            (false, false) => return Err(missing("service token", id)),
        }
        if !credentials::delete_service_token(&mut db, id).await? {
            return Err(missing("service token", id));
        }
        let deed = Deed { action: "servicetoken.delete", project: None, env: None, detail: Detail::of("id", name(id)) };
        audit::append(&mut db, caller, &deed).await?;
        Ok(commit(db).await?)
    }
}

impl EnvRef {
    fn read(self) -> Outcome<(String, String)> {
        match self {
            Self::Fields { project, env } => Ok((project, env)),
            Self::Text(text) => text
                .split_once('/')
                .map(|(project, env)| (project.to_owned(), env.to_owned()))
                .ok_or_else(|| Problem::new(Code::BadRequest, format!("{text:?} is not project/env"))),
        }
    }
}

/// Id, hash, and the key where the Hub made it.
fn identity(
    key: Option<Sealed>,
    id: Option<String>,
    hash: Option<Digest>,
) -> Outcome<(String, Digest, Option<Sealed>)> {
    let wrong =
        |message: &str| Problem::new(Code::BadRequest, message).hint("give `key`, or `id` and `hash`, or none of them");
    let (id, hash, made) = match (key, id, hash) {
        (None, None, None) => {
            let (id, secret) = (Kind::Key.generate(), random_text()?);
            let hash = Digest::of(secret.as_bytes());
            let key = Sealed::new(format!("stk_{id}.{secret}"));
            (id, hash, Some(key))
        }
        (Some(key), None, None) => {
            let parts = key.expose().strip_prefix("stk_").and_then(|rest| rest.split_once('.'));
            let (id, secret) =
                parts.filter(|(_, secret)| !secret.is_empty()).ok_or_else(|| wrong("a key is stk_<id>.<secret>"))?;
            if key.expose().len() > KEY_BYTES_MAX {
                return Err(wrong("the key is too long"));
            }
            (id.to_owned(), Digest::of(secret.as_bytes()), None)
        }
        (None, Some(id), Some(hash)) => (id, hash, None),
        _ => return Err(wrong("these fields do not go together")),
    };
    let is_id =
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_id { Ok((id, hash, made)) } else { Err(wrong("a key's id is 1 to 64 letters, digits, _ and -")) }
}

fn check_label(text: &str) -> Outcome<()> {
    let ok = (1..=LABEL_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if ok {
        Ok(())
    } else {
        Err(Problem::new(Code::BadRequest, format!("a name is 1 to {LABEL_CHARS_MAX} printable characters")))
    }
}

fn shown(row: ApiKeyRow) -> ApiKey {
    ApiKey {
        id: row.id,
        name: row.name,
        roles: serde_json::from_str(&row.roles).unwrap_or_default(),
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
    }
}
