//! Operators over real HTTP, on SQLite and on PostgreSQL: logins and what ends them, second factors, tokens, invites, roles; and
//! what an attacker tries with each of them. The Hub's clock is set, never waited for.

use chrono::TimeDelta;
use reqwest::{Client, Method};
use santokit_core::wire::Sealed;
use santokit_hub::{HubConfig, RunningHub, app::login::totp::Secret, clock::Clock, store::Engine};
use santokit_tests::TestDatabase;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

mod attack;
mod command;
mod login;
mod people;
mod roles;
mod second_factor;
mod tokens;

pub(crate) const FIRST: &str = "the-first-token-of-this-hub";
const PASSWORD: &str = "correct horse battery staple";

/// A Hub, and a clock that is ahead of the machine's.
pub(crate) struct Lab {
    hub: RunningHub,
    http: Client,
    clock: Clock,
    dir: TempDir,
    /// Dropped with the lab.
    _database: Option<TestDatabase>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) body: Json,
    retry_after: Option<u64>,
}

impl Lab {
    /// One of each store, with a first owner, `ada@example.com`.
    pub(crate) async fn both() -> [Self; 2] {
        let labs = [Self::bare(Engine::Sqlite).await, Self::bare(Engine::Postgres).await];
        for lab in &labs {
            let ada = json!({"email": "Ada@Example.com", "name": "Ada", "password": PASSWORD});
            lab.ok(Some(FIRST), "POST", "/v1/auth/bootstrap", ada).await;
        }
        labs
    }

    /// With nobody in it.
    pub(crate) async fn bare(engine: Engine) -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::default());
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(TestDatabase::create(santokit_tests::Engine::Postgres).await.unwrap()),
        };
        let config = HubConfig {
            clock: clock.clone(),
            database_url: database.as_ref().map(|database| database.url().into()),
            ..HubConfig::local(dir.path().join("hub"), FIRST.into()).unwrap()
        };
        let hub = santokit_hub::serve(config).await.unwrap();
        Self { hub, http: Client::new(), clock, dir, _database: database }
    }

    pub(crate) async fn ask(&self, token: Option<&str>, method: &str, path: &str, body: Json) -> Got {
        let method: Method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("http://{}{path}", self.hub.addr));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let retry_after = headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Got { status, body, retry_after }
    }

    pub(crate) async fn ok(&self, token: Option<&str>, method: &str, path: &str, body: Json) -> Json {
        let got = self.ask(token, method, path, body).await;
        assert!((200..300).contains(&got.status), "{method} {path}: {got:?}");
        got.body
    }

    /// Fails with a status.
    pub(crate) async fn no(&self, token: &str, method: &str, path: &str, body: Json, status: u16) -> Got {
        let got = self.ask(Some(token), method, path, body).await;
        assert_eq!(got.status, status, "{method} {path}: {got:?}");
        got
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str, code: Option<&str>) -> Got {
        let mut body = json!({"email": email, "password": password});
        if let Some(code) = code {
            body["code"] = json!(code);
        }
        self.ask(None, "POST", "/v1/auth/login", body).await
    }

    /// An access token of somebody without a second factor.
    pub(crate) async fn session(&self, email: &str) -> String {
        let got = self.log_in(email, PASSWORD, None).await;
        text(&got.body, "/accessToken")
    }

    /// Invites somebody into an org, who joins; the id.
    pub(crate) async fn invited(&self, by: &str, org: &str, role: &str, email: &str) -> String {
        let path = format!("/v1/orgs/{org}/invites");
        let invite = self.ok(Some(by), "POST", &path, json!({"email": email, "role": role})).await;
        let body = json!({"invite": invite["invite"], "name": email, "password": PASSWORD});
        text(&self.ok(None, "POST", "/v1/auth/join", body).await, "/id")
    }

    /// Sets a second factor up; the secret and the recovery codes. The session has shown it.
    pub(crate) async fn enrolled(&self, session: &str) -> (Secret, Vec<String>) {
        let enrolled = self.ok(Some(session), "POST", "/v1/auth/mfa/enrol", json!({"password": PASSWORD})).await;
        let secret = Secret::of(&Sealed::new(text(&enrolled, "/secret"))).unwrap();
        let code = json!({"code": self.code(&secret)});
        let confirmed = self.ok(Some(session), "POST", "/v1/auth/mfa/confirm", code).await;
        let codes: Vec<String> = serde_json::from_value(confirmed["recoveryCodes"].clone()).unwrap();
        assert_eq!(codes.len(), 10);
        (secret, codes)
    }

    /// What an authenticator shows now.
    pub(crate) fn code(&self, secret: &Secret) -> String {
        secret.code_at(self.clock.now().timestamp())
    }

    pub(crate) fn later(&self, span: TimeDelta) {
        self.clock.advance(span);
    }

    /// The Hub's time, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// What the audit log has of an action.
    pub(crate) async fn audited(&self, action: &str) -> Vec<Json> {
        let log = self.ok(Some(FIRST), "GET", "/v1/audit?limit=1000", Json::Null).await;
        log["entries"].as_array().unwrap().iter().filter(|entry| entry["action"] == action).cloned().collect()
    }

    /// A number that the Hub counts.
    pub(crate) async fn counted(&self, name: &str) -> u64 {
        let request = self.http.get(format!("http://{}/metrics", self.hub.addr)).bearer_auth(FIRST);
        let page = request.send().await.unwrap().text().await.unwrap();
        let line = page.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

pub(crate) fn text(body: &Json, pointer: &str) -> String {
    body.pointer(pointer).and_then(Json::as_str).unwrap_or_else(|| panic!("no {pointer} in {body}")).to_owned()
}

impl Lab {
    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        self.hub.url()
    }

    /// A file of the lab's own.
    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}
