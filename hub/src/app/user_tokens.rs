//! Tokens of end users, for who may act as any of them: an operator, or the customer's own back end. A token is shown once and kept
//! nowhere; the audit log has whose it is and what it may do.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use santokit_core::{
    code::Code,
    id::Kind,
    problem::{Outcome, Problem},
    quantity::Millis,
    user_token::{self, Claims, TOKEN_BYTES_MAX},
    wire::Sealed,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{
    App,
    projects::{At, need_env},
};
use crate::store::{
    audit::{self, Caller, Detail, line, name, names},
    commit,
};

/// The body of a new token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserTokenBody {
    /// Who it is: what the application calls its user.
    pub sub: String,
    /// Beside `public` and `authenticated`.
    #[serde(default)]
    pub roles: Vec<String>,
    /// `request.auth.claims`.
    #[serde(default)]
    pub claims: Map<String, Json>,
    /// For how long, at most and by default as long as the Hub's setting says.
    #[serde(default)]
    pub expires_in: Option<String>,
}

/// A token that was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserToken {
    /// The token itself.
    pub token: Sealed,
    /// What the audit log calls it (`jti`).
    pub id: String,
    /// Whose it is.
    pub sub: String,
    /// What it may act as.
    pub roles: Vec<String>,
    /// The key that has signed it.
    pub key_id: String,
    /// When it ends.
    pub expires_at: String,
    /// The cookie that a Bridge looks for it in.
    pub cookie: String,
}

impl App {
    /// Makes a token of an end user.
    pub async fn issue_user_token(&self, caller: &Caller, at: At<'_>, body: UserTokenBody) -> Outcome<UserToken> {
        let seconds = self.lifetime(body.expires_in.as_deref())?;
        let iat = self.clock.now().timestamp();
        let claims = Claims {
            sub: body.sub,
            project_id: at.project.to_owned(),
            env_id: at.env.to_owned(),
            roles: body.roles,
            iat,
            exp: iat + seconds,
            jti: Kind::Key.generate(),
            claims: body.claims,
        };
        claims.check().map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?;
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        let key = self.user_signer(&mut db, at).await?;
        let token = user_token::sign(&claims, &key).map_err(Problem::internal)?.ok_or_else(|| {
            Problem::new(Code::BadRequest, format!("the token would be longer than {TOKEN_BYTES_MAX} bytes"))
                .hint("give fewer roles or claims: a browser would not keep it")
        })?;
        let key_id = key.verifying_key().id();
        let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or_else(|| Problem::internal("no such time"))?;
        let expires_at = expires_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let detail = Detail::of("id", name(&claims.jti))
            .with("sub", line(&claims.sub))
            .with("roles", names(claims.roles.iter().map(String::as_str)))
            .with("claims", names(claims.claims.keys().map(String::as_str)))
            .with("key", name(&key_id))
            .with("expiresAt", name(&expires_at));
        audit::append(&mut db, caller, &at.deed("usertoken.issue", detail)).await?;
        commit(db).await?;
        let cookie = format!("stk_access_{}_{}", at.project, at.env);
        let Claims { sub, roles, jti: id, .. } = claims;
        Ok(UserToken { token, id, sub, roles, key_id, expires_at, cookie })
    }

    fn lifetime(&self, asked: Option<&str>) -> Outcome<i64> {
        let most = self.user_token_life;
        let wrong = |what: String| Problem::new(Code::BadRequest, format!("expiresIn: {what}"));
        let life = match asked {
            None => most,
            Some(text) => text
                .parse::<Millis>()
                .map_err(|error: santokit_core::quantity::QuantityError| wrong(error.to_string()))?
                .duration(),
        };
        if life < Duration::from_secs(1) || life > most {
            return Err(wrong(format!("it is at least a second and at most {}", written(most)))
                .hint("who needs longer gets another token before this one ends"));
        }
        i64::try_from(life.as_secs()).map_err(Problem::internal)
    }
}

fn written(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds.is_multiple_of(60) { format!("{}m", seconds / 60) } else { format!("{seconds}s") }
}
