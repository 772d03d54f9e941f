//! A login at a Hub, as the client uses it: its access token, refreshed before it ends.

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, StatusCode, Url};
use santokit_core::wire::Sealed;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    client::{answered, unreachable},
    credentials::{self, Session},
    failure::{Exit, Failure},
};

/// Refreshed this long before its end: clocks differ, and a request takes time.
const EARLY: TimeDelta = TimeDelta::minutes(2);

/// What is shown to a Hub.
#[derive(Clone, Debug)]
pub enum Bearer {
    /// A token that stands as it is.
    Token(Sealed),
    /// A login.
    Login(Arc<Login>),
}

/// A login at a Hub.
#[derive(Debug)]
pub struct Login {
    hub: String,
    /// As it is now.
    session: Mutex<Session>,
}

/// What a Hub answers to a login and to a refresh.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    access_token: Sealed,
    expires_at: String,
    refresh_token: Sealed,
}

impl Given {
    /// As it is kept.
    pub fn into_session(self, email: String) -> Session {
        let Self { access_token, expires_at, refresh_token } = self;
        Session { email, access_token, expires_at, refresh_token }
    }
}

impl Login {
    /// The one that is kept for a Hub.
    pub fn of(hub: &str) -> anyhow::Result<Option<Self>> {
        let session = credentials::session(hub)?;
        Ok(session.map(|session| Self { hub: hub.to_owned(), session: Mutex::new(session) }))
    }

    /// An access token that is valid for a while, and not one that the Hub has refused: clocks differ.
    pub async fn access(&self, http: &Client, base: &Url, refused: Option<&Sealed>) -> anyhow::Result<Sealed> {
        let is_good = |session: &Session| {
            is_fresh(session) && refused.is_none_or(|refused| refused.expose() != session.access_token.expose())
        };
        let mut session = self.session.lock().await;
        if is_good(&session) {
            return Ok(session.access_token.clone());
        }
        let _lock = tokio::task::spawn_blocking(credentials::lock).await??;
        // Another process may have refreshed it while this one waited.
        match credentials::session(&self.hub)? {
            None => return Err(over("you were logged out").into()),
            Some(kept) => *session = kept,
        }
        if !is_good(&session) {
            let given = refreshed(http, base, &session).await?;
            *session = given.into_session(session.email.clone());
            credentials::keep(&self.hub, &session)?;
        }
        Ok(session.access_token.clone())
    }
}

async fn refreshed(http: &Client, base: &Url, session: &Session) -> anyhow::Result<Given> {
    let url = base.join("v1/auth/refresh").context("the Hub's address has no path")?;
    let body = json!({"refreshToken": session.refresh_token.expose()});
    let sent = http.post(url).json(&body).send().await;
    let response = sent.map_err(|error| unreachable("the Hub", base.as_str(), &error))?;
    if response.status() == StatusCode::UNAUTHORIZED {
        return Err(over("the login is over").into());
    }
    answered(response).await?.json().await.context("the Hub's answer to a refresh cannot be read")
}

fn over(what: &str) -> Failure {
    Failure::new(Exit::Refused, what).hint("log in again: `stk login`")
}

fn is_fresh(session: &Session) -> bool {
    DateTime::parse_from_rfc3339(&session.expires_at).is_ok_and(|end| end > Utc::now() + EARLY)
}
