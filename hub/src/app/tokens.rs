//! Personal and CI tokens: in place of a session, for so long, for at most so much, and for those envs alone that are named. What a
//! token may is looked up when it is used: it never has more than its operator has then.

use chrono::TimeDelta;
use santokit_core::{
    code::Code,
    id::Kind,
    problem::{Outcome, Problem},
    quantity::Millis,
    release::Digest,
    wire::Sealed,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    App,
    answers::credentials::{NewToken, Token, Tokens},
    authority::{self, Level, Who},
    login::{check_name, deed},
    projects::{At, full, missing, need_env, no_project},
    random_text,
};
use crate::store::{
    audit::{Caller, Detail, line, name, names},
    commit,
    personal_tokens::{self, PersonalTokenRow},
};

/// How personal tokens begin.
pub const PREFIX: &str = "stk_pat_";
const TOKENS_MAX: usize = 100;
const ENVS_MAX: usize = 100;
const EXPIRES_IN: TimeDelta = TimeDelta::days(90);
const EXPIRES_IN_MAX: TimeDelta = TimeDelta::days(366);
/// Tokens that are over are shown for this long.
const KEPT: TimeDelta = TimeDelta::days(30);
/// When a token was used is written so often.
const USED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// The body of a new token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenBody {
    /// What it is for.
    name: String,
    /// `read`, `deploy` or `admin`.
    level: Level,
    /// `project/env`, or `project/*` for all of a project; none is all that the operator may.
    #[serde(default)]
    envs: Vec<String>,
    /// For how long, at most 366 days.
    #[serde(default)]
    expires_in: Option<String>,
}

impl App {
    /// Makes a token, which is shown once.
    pub async fn create_token(&self, caller: &Caller, who: &Who, body: TokenBody) -> Outcome<NewToken> {
        check_name(&body.name)?;
        let envs: Vec<(String, String)> = body.envs.iter().map(|text| env(text)).collect::<Outcome<_>>()?;
        if envs.len() > ENVS_MAX {
            return Err(Problem::new(Code::BadRequest, format!("a token is for at most {ENVS_MAX} envs")));
        }
        let expires_in = expires_in(body.expires_in.as_deref())?;
        let mut db = self.store.write().await?;
        for (project, env) in &envs {
            match authority::role_in(&mut db, who, project).await? {
                None => return Err(no_project(project)),
                Some(role) if role < body.level.needs() => {
                    return Err(Problem::new(
                        Code::Forbidden,
                        format!("a token cannot have more than you have: in {project} you are {}", role.as_str()),
                    ));
                }
                Some(_) => {}
            }
            if env != "*" {
                need_env(&mut db, At { project, env }).await?;
            }
        }
        personal_tokens::forget(&mut db, &who.operator, &self.clock.text_in(-KEPT)).await?;
        let valid = personal_tokens::list(&mut db, &who.operator).await?;
        if valid.iter().filter(|row| row.revoked_at.is_none()).count() >= TOKENS_MAX {
            return Err(full("tokens", TOKENS_MAX, "tokens of yours"));
        }
        let token = format!("{PREFIX}{}", random_text()?);
        let row = PersonalTokenRow {
            id: Kind::Key.generate(),
            operator: who.operator.clone(),
            name: body.name,
            level: body.level.as_str().to_owned(),
            second_factor: i64::from(who.has_second_factor()),
            created_at: self.now(),
            expires_at: self.clock.text_in(expires_in),
            last_used_at: None,
            revoked_at: None,
        };
        personal_tokens::add(&mut db, &row, Digest::of(token.as_bytes()).as_str(), &envs).await?;
        let detail = Detail::of("id", name(&row.id))
            .with("name", line(&row.name))
            .with("level", name(&row.level))
            .with("envs", names(body.envs.iter().map(String::as_str)))
            .with("expiresAt", name(&row.expires_at));
        deed(&mut db, caller, "token.create", detail).await?;
        commit(db).await?;
        Ok(NewToken { shown: shown(row, &envs), token: Sealed::new(token) })
    }

    /// The tokens of who asks, without their secrets.
    pub async fn tokens(&self, who: &Who) -> Outcome<Tokens> {
        let mut db = self.store.read().await?;
        let mut rows = Vec::new();
        for row in personal_tokens::list(&mut db, &who.operator).await? {
            let envs = personal_tokens::envs(&mut db, &row.id).await?;
            rows.push(shown(row, &envs));
        }
        Ok(Tokens { tokens: rows })
    }

    /// Ends a token of who asks.
    pub async fn revoke_token(&self, caller: &Caller, who: &Who, id: &str) -> Outcome<()> {
        let mut db = self.store.write().await?;
        if !personal_tokens::revoke(&mut db, &who.operator, id, &self.now()).await? {
            return Err(missing("valid token", id));
        }
        deed(&mut db, caller, "token.revoke", Detail::of("id", name(id))).await?;
        Ok(commit(db).await?)
    }

    /// Notes that a token was used, at most once a minute. Nothing depends on it: where it fails, the next use tells.
    pub(super) async fn token_used(&self, row: &PersonalTokenRow) {
        let recent = self.clock.text_in(-USED_EVERY);
        if row.last_used_at.as_deref().is_some_and(|at| at > recent.as_str()) {
            return;
        }
        let noted = async {
            let mut db = self.store.write().await?;
            personal_tokens::used(&mut db, &row.id, &self.now()).await?;
            commit(db).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(token = row.id, %error, "cannot note that a token was used");
        }
    }
}

fn env(text: &str) -> Outcome<(String, String)> {
    let parts = text.split_once('/').filter(|(project, env)| !project.is_empty() && !env.is_empty());
    parts.map(|(project, env)| (project.to_owned(), env.to_owned())).ok_or_else(|| {
        Problem::new(Code::BadRequest, format!("{text:?} is not project/env")).hint("`project/*` is all of a project")
    })
}

fn expires_in(text: Option<&str>) -> Outcome<TimeDelta> {
    let Some(text) = text else { return Ok(EXPIRES_IN) };
    let wrong = |what: String| Problem::new(Code::BadRequest, format!("expiresIn: {what}"));
    let millis: Millis =
        text.parse().map_err(|error: santokit_core::quantity::QuantityError| wrong(error.to_string()))?;
    let span = i64::try_from(millis.0).ok().and_then(TimeDelta::try_milliseconds);
    span.filter(|span| *span > TimeDelta::zero() && *span <= EXPIRES_IN_MAX)
        .ok_or_else(|| wrong(format!("it is more than nothing and at most {} days", EXPIRES_IN_MAX.num_days())))
}

fn shown(row: PersonalTokenRow, envs: &[(String, String)]) -> Token {
    Token {
        id: row.id,
        name: row.name,
        level: row.level,
        envs: envs.iter().map(|(project, env)| format!("{project}/{env}")).collect(),
        second_factor: row.second_factor == 1,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        revoked_at: row.revoked_at,
    }
}
