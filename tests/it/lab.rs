//! A Hub as a process, one project in it, and what an operator does with it on the command line.

use std::fs;

use reqwest::Method;
use santokit_tests::{
    Bridge, Finished, Hub, ProjectFolder, Relay,
    folder::repository,
    planes::{self, OPERATOR},
    shifted_clock, stk_fed,
};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Calls every interface: the connection, a secret and a configuration value.
pub(crate) const COMPONENT: &str = "tests/guests/kept/logic-0.1.0-rust.wasm";
/// What must be nowhere but in the Hub's sealed store, in memory, and in a sealed cache.
pub(crate) const SECRET: &str = "planted-secret-9b31ce";
/// A part of the connection's URL that is shown nowhere.
pub(crate) const IN_URL: &str = "planted-url-77d2a0";
/// Of `stk hub serve` and `stk bridge serve`; base64 of 32 bytes.
pub(crate) const CACHE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// One project with one env, `prod`, and a Hub that Bridges find behind a relay.
pub(crate) struct Lab {
    /// The project's name.
    pub(crate) project: &'static str,
    /// Of the project.
    pub(crate) folder: ProjectFolder,
    /// The Hub's data, the customer's database, and the Bridges' caches.
    pub(crate) dir: TempDir,
    /// While it runs.
    pub(crate) hub: Option<Hub>,
    /// Before it.
    pub(crate) relay: Relay,
    /// Of Bridges of `prod`.
    pub(crate) service_token: String,
    /// Whose releases they load.
    pub(crate) trusted: String,
    /// An application's, with the role `app`, and its id.
    pub(crate) api_key: (String, String),
}

impl Lab {
    /// With everything but a release.
    pub(crate) async fn start(project: &'static str) -> Self {
        let (dir, folder) = (tempfile::tempdir().unwrap(), project_folder(project));
        let hub = Hub::start(dir.path()).await.unwrap();
        let relay = Relay::start().await.unwrap();
        relay.point_to(&hub.url).unwrap();
        let mut lab = Self {
            project,
            folder,
            service_token: String::new(),
            trusted: hub.key().await.unwrap(),
            api_key: (String::new(), String::new()),
            hub: Some(hub),
            relay,
            dir,
        };
        lab.done(&["project", "create", project], "").await;
        lab.done(&["env", "create", "prod"], "").await;
        let data = lab.dir.path().join(IN_URL);
        fs::create_dir(&data).unwrap();
        let url = format!("sqlite:{}", data.join("main.db").display());
        lab.done(&["connections", "set", "main", "--engine", "sqlite", "--url-stdin"], &url).await;
        lab.done(&["secrets", "set", "TOKEN"], SECRET).await;
        let made = lab.done(&["apikey", "create", "app", "--role", "app"], "").await;
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        lab.api_key = (text(&made["key"]), text(&made["id"]));
        let made = lab.done(&["hub", "token", "create", "fleet", "--for", &format!("{project}/prod")], "").await;
        lab.service_token = text(&made["token"]);
        lab
    }

    /// The Hub, which must run.
    pub(crate) fn hub(&self) -> &Hub {
        self.hub.as_ref().unwrap()
    }

    /// A power cut at the Hub.
    pub(crate) async fn kill_hub(&mut self) {
        self.hub.take().unwrap().kill().await.unwrap();
    }

    /// The Hub comes back, with its data, elsewhere behind the relay.
    pub(crate) async fn revive_hub(&mut self) {
        let hub = Hub::start(self.dir.path()).await.unwrap();
        self.relay.point_to(&hub.url).unwrap();
        self.hub = Some(hub);
    }

    /// A command of the operator in the project's folder, with `--json`.
    pub(crate) async fn stk(&self, args: &[&str], input: &str) -> Finished {
        let env = [
            ("STK_HUB_URL", self.relay.url.as_str()),
            ("STK_TOKEN", OPERATOR),
            ("STK_PROJECT", self.project),
            ("STK_ENV", "prod"),
        ];
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        stk_fed(self.folder.path(), &args, &env, input).await.unwrap()
    }

    /// One that succeeds; its answer.
    pub(crate) async fn done(&self, args: &[&str], input: &str) -> Json {
        let finished = self.stk(args, input).await;
        assert_eq!(finished.code, 0, "stk {args:?}: {finished:?}");
        finished.json()
    }

    /// `stk apply` that every Bridge follows; its answer.
    pub(crate) async fn apply(&self) -> Json {
        let answer = self.done(&["apply", "--accept-grants", "--yes"], "").await;
        assert!(answer["bridges"].as_array().unwrap().iter().all(|bridge| bridge["state"] == "running"), "{answer}");
        answer
    }

    /// `logics/version.sql` answers another number from the next apply on.
    pub(crate) fn set_version(&self, number: u32) {
        self.folder.write("logics/version.sql", &version(number)).unwrap();
    }

    /// A Bridge of `prod`, behind the relay, with a cache named so; more settings replace these.
    pub(crate) async fn bridge(&self, cache: &str, more: &[(&str, &str)]) -> Bridge {
        let cache = self.dir.path().join(cache);
        let envs = format!("{}/prod", self.project);
        let mut settings = vec![
            ("STK_BRIDGE_HUB_URL", self.relay.url.as_str()),
            ("STK_BRIDGE_SERVICE_TOKEN", &self.service_token),
            ("STK_BRIDGE_TRUSTED_KEYS", &self.trusted),
            ("STK_BRIDGE_ENVS", &envs),
            ("STK_BRIDGE_POLL_INTERVAL", "1s"),
            ("STK_BRIDGE_CACHE_DIR", cache.to_str().unwrap()),
        ];
        settings.extend_from_slice(more);
        Bridge::start(self.dir.path(), &settings).await.unwrap()
    }

    /// The same, with a wall clock that is ahead by so many seconds, or behind.
    pub(crate) async fn bridge_with_clock(&self, cache: &str, seconds: i64, more: &[(&str, &str)]) -> Bridge {
        let clock = shifted_clock(self.dir.path(), seconds).await.unwrap();
        let clock = clock.iter().map(|(name, value)| (*name, value.as_str()));
        let settings: Vec<_> = clock.chain(more.iter().copied()).collect();
        self.bridge(cache, &settings).await
    }

    /// Asks the Hub behind the relay with a token of a Bridge.
    pub(crate) async fn internal(&self, token: &str, path: &str, etag: Option<&str>) -> (u16, Option<String>, Vec<u8>) {
        planes::get(&reqwest::Client::new(), &self.relay.url, Some(token), path, etag).await.unwrap()
    }

    /// `GET /v1/projects/{project}/releases/{id}`.
    pub(crate) async fn release(&self, id: &Json) -> Json {
        let path = format!("/v1/projects/{}/releases/{}", self.project, id.as_str().unwrap());
        self.hub().operate(Method::GET, &path, &Json::Null).await.unwrap()
    }
}

/// SQL logic for anyone and for a role, and a component that uses all that it is granted.
pub(crate) fn project_folder(project: &str) -> ProjectFolder {
    let files = [
        ("santokit.yaml", format!("version: 1\nname: {project}\nconfig: {{greeting: hello}}\n")),
        (
            "schema/numbers.yaml",
            "version: 1\ntables:\n  numbers:\n    id: {name: id, generate: client}\n    columns:\n      number: {type: int}\n"
                .to_owned(),
        ),
        ("logics/version.sql", version(1)),
        ("logics/guarded.sql", "---\nroles: [app]\n---\nSELECT 7 AS number\n".to_owned()),
        (
            "logics/every/logic.yaml",
            "component: {path: every.wasm}\nauth: public\nparams:\n  connection: {type: string, default: main}\n  \
             query: {type: string, default: SELECT number FROM numbers}\n  \
             statement: {type: string, default: UPDATE numbers SET number = number + 1}\n  \
             config: {type: string, default: greeting}\n  secret: {type: string, default: TOKEN}\ngrants:\n  \
             sql: [{connection: main, tables: {numbers: [select, insert, update]}}]\n  secrets: [TOKEN]\n  config: [greeting]\n"
                .to_owned(),
        ),
    ];
    let folder = ProjectFolder::new(files.iter().map(|(path, text)| (*path, text.as_str()))).unwrap();
    fs::copy(repository().join(COMPONENT), folder.path().join("logics/every/every.wasm")).unwrap();
    folder
}

fn version(number: u32) -> String {
    format!("---\nauth: public\n---\nSELECT {number} AS number\n")
}

/// The Bridge answers with a number of `logics/version.sql`, its component with the length of the secret, and keys count.
pub(crate) async fn assert_serves(bridge: &Bridge, api_key: &str, number: u32) {
    let answer = bridge.client.logic("version", json!({})).await.unwrap();
    assert_eq!(answer.body["data"][0]["number"], number, "{answer:?}");
    let guarded = bridge.client.with_key(api_key).logic("guarded", json!({})).await.unwrap();
    assert_eq!(guarded.body["data"][0]["number"], 7, "{guarded:?}");
    assert_eq!(bridge.client.logic("guarded", json!({})).await.unwrap().status, 401);
    let every = bridge.client.logic("every", json!({})).await.unwrap();
    assert_eq!(every.body["data"]["secret"], SECRET.len(), "{every:?}");
}

/// The Bridge answers nothing but 503.
pub(crate) async fn assert_serves_nothing(bridge: &Bridge) {
    for name in ["version", "every", "no_such"] {
        let answer = bridge.client.logic(name, json!({})).await.unwrap();
        assert_eq!((answer.status, answer.code()), (503, "SERVICE_UNAVAILABLE"), "{name}: {answer:?}");
    }
    assert_eq!(bridge.client.get("/readyz").await.unwrap().status, 503);
}
