//! Tokens with which an operator speaks to a Bridge itself: for one Bridge, one env and one deed, good for a minute, once.

use chrono::{DateTime, Utc};
use santokit_core::{
    admin::{self, Claims, Deed, Letters},
    code::Code,
    event::{check_subscription, check_topic},
    id::Kind,
    name::check_label,
    problem::{Outcome, Problem},
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Kept, SEEN_MAX, time};
use crate::{
    app::{
        App,
        answers::fleet::BridgeToken,
        projects::{At, missing, need_env},
        random_text,
        releases::ago,
    },
    store::{
        Db,
        audit::{self, Caller, Detail, name},
        commit, releases,
    },
};

/// Enough for one request, and for clocks that differ a little.
const LIFETIME_SECONDS: i64 = 60;
const _: () = assert!(LIFETIME_SECONDS <= admin::LIFETIME_SECONDS_MAX, "Bridges take it");

/// The body of a new token for recordings.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordingTokenBody {
    /// `rec_…`: the one that is to be read. Without it the token tells which there are.
    #[serde(default)]
    pub recording: Option<String>,
}

/// The body of a new token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BridgeTokenBody {
    /// What it is for.
    pub deed: Deed,
    /// The job that it is about. `cron` is about all without it; `cron-trigger` and `cron-resume` need it.
    #[serde(default)]
    pub job: Option<String>,
    /// The dead letters that it is about: what `deadletters-replay` and `deadletters-purge` need, and nothing else has.
    #[serde(default)]
    pub letters: Option<Letters>,
}

/// What a token is about, where it is about something.
enum About {
    Recording(Option<String>),
    Job(Option<String>),
    Letters(Letters),
}

impl App {
    /// Makes a token for a Bridge that reports about an env.
    pub async fn bridge_token(
        &self,
        caller: &Caller,
        at: At<'_>,
        bridge: &str,
        body: BridgeTokenBody,
    ) -> Outcome<BridgeToken> {
        // Recordings are what customers sent: who deploys need not have them.
        if body.deed == Deed::Recordings {
            return Err(Problem::new(Code::BadRequest, "tokens for recordings have a route of their own")
                .hint("POST …/bridges/{id}/recordings"));
        }
        let is_of_job = matches!(body.deed, Deed::Cron | Deed::CronTrigger | Deed::CronResume);
        let is_job_named = body.job.is_some();
        if is_job_named && !is_of_job || !is_job_named && is_of_job && body.deed != Deed::Cron {
            let message = "a job is named for what is done to one, and for nothing else";
            return Err(Problem::new(Code::BadRequest, message).hint("job: the name of a file in cron/"));
        }
        if let Some(error) = body.job.as_deref().and_then(|job| check_label("a job's name", job).err()) {
            return Err(Problem::new(Code::BadRequest, error.to_string()));
        }
        let about = match (body.deed, body.letters) {
            (Deed::DeadlettersReplay | Deed::DeadlettersPurge, letters) => About::Letters(said(letters)?),
            (_, None) => About::Job(body.job),
            (_, Some(_)) => {
                let message = "dead letters are named for what becomes of some, and for nothing else";
                return Err(Problem::new(Code::BadRequest, message));
            }
        };
        self.token_for(caller, at, bridge, (body.deed, about)).await
    }

    /// The same for recordings: which there are, or what is in one of them.
    pub async fn recording_token(
        &self,
        caller: &Caller,
        at: At<'_>,
        bridge: &str,
        body: RecordingTokenBody,
    ) -> Outcome<BridgeToken> {
        if body.recording.as_ref().is_some_and(|id| !Kind::Recording.is_valid(id)) {
            return Err(Problem::new(Code::BadRequest, "that is no id of a recording")
                .hint("`stk logic recordings` lists them"));
        }
        self.token_for(caller, at, bridge, (Deed::Recordings, About::Recording(body.recording))).await
    }

    async fn token_for(
        &self,
        caller: &Caller,
        at: At<'_>,
        bridge: &str,
        (deed, about): (Deed, About),
    ) -> Outcome<BridgeToken> {
        let mut db = self.store.write().await?;
        need_env(&mut db, at).await?;
        let listener =
            kept(&mut db, at, bridge).await?.standing.and_then(|standing| standing.admin).ok_or_else(|| {
                Problem::new(Code::Conflict, format!("Bridge {bridge} has no listener for operators"))
                    .hint("start it with STK_BRIDGE_ADMIN_LISTEN, and STK_BRIDGE_ADMIN_URL so that it is found")
            })?;
        let signers = self.signers(&mut db).await?;
        let key = signers.one_of(&listener.keys).ok_or_else(|| {
            Problem::new(Code::Conflict, format!("Bridge {bridge} takes tokens of no key of this Hub"))
                .hint("`stk keys list` shows the Hub's; its STK_BRIDGE_ADMIN_KEYS, or its trustedKeys, must have one")
        })?;
        let now = Utc::now().timestamp();
        let (recording, job, letters) = match about {
            About::Recording(recording) => (recording, None, None),
            About::Job(job) => (None, job, None),
            About::Letters(letters) => (None, None, Some(letters)),
        };
        let claims = Claims {
            aud: bridge.to_owned(),
            sub: caller.actor_id.clone(),
            project: at.project.to_owned(),
            env: at.env.to_owned(),
            deed,
            recording,
            job,
            letters,
            iat: now,
            exp: now + LIFETIME_SECONDS,
            jti: random_text()?,
        };
        let token = admin::sign(&claims, key).map_err(Problem::internal)?;
        let detail =
            Detail::of("bridge", name(bridge)).with("deed", name(deed.as_str())).with("token", name(&claims.jti));
        let detail = match (&claims.job, &claims.letters) {
            (Some(job), _) => detail.with("job", name(job)),
            (None, Some(letters)) => told(detail, letters),
            (None, None) => detail,
        };
        let (action, detail) = match (&claims.recording, deed) {
            (Some(recording), _) => ("recording.token", detail.with("recording", name(recording))),
            (None, Deed::Recordings) => ("recording.token", detail),
            (None, _) => ("bridge.token", detail),
        };
        audit::append(&mut db, caller, &at.deed(action, detail)).await?;
        commit(db).await?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0).map(time);
        Ok(BridgeToken { token, expires_at, bridge: bridge.to_owned(), url: listener.url })
    }
}

/// Which dead letters it is about: never all of them because nothing was said.
fn said(letters: Option<Letters>) -> Outcome<Letters> {
    let letters = letters.filter(Letters::is_said).ok_or_else(|| {
        Problem::new(Code::BadRequest, "which dead letters?")
            .hint("letters: ids (how many), topic, subscription, since, until; or all: true, and nothing else")
    })?;
    let topic = letters.topic.as_deref().map(check_topic).transpose();
    let subscription = letters.subscription.as_deref().map(check_subscription).transpose();
    topic.and(subscription).map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?;
    Ok(letters)
}

/// What the audit log says of them.
fn told(detail: Detail, letters: &Letters) -> Detail {
    let text = |detail: Detail, key, text: Option<&str>| match text {
        Some(text) => detail.with(key, name(text)),
        None => detail,
    };
    let detail = text(detail, "topic", letters.topic.as_deref());
    let detail = text(detail, "subscription", letters.subscription.as_deref());
    let detail = text(detail, "since", letters.since.map(time).as_deref());
    let detail = text(detail, "until", letters.until.map(time).as_deref());
    let detail = if letters.ids > 0 { detail.with("ids", i64::from(letters.ids)) } else { detail };
    if letters.all { detail.with("all", true) } else { detail }
}

async fn kept(db: &mut Db, at: At<'_>, bridge: &str) -> Outcome<Kept> {
    let reports = releases::reports(db, at.project, at.env, &ago(SEEN_MAX)).await?;
    let found = reports.into_iter().find(|(id, ..)| id == bridge);
    let (_, _, report, _) = found.ok_or_else(|| missing("Bridge that reports about the env", bridge))?;
    serde_json::from_str(&report).map_err(Problem::internal)
}
