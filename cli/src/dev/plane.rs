//! The local Hub and the Bridge beside it: started in this process, speaking HTTP over the loopback as they always do.
//!
//! The Hub begins anew with every start: what must outlive it (databases, compiled components) is not its own. So a file that
//! changed while nothing ran is nothing special.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rand::RngExt;
use santokit_bridge::{BridgeConfig, EnvName, RunningBridge, ServeError};
use santokit_core::{release::VerifyingKey, seal::SealKey, wire::Sealed};
use santokit_hub::{HubConfig, RunningHub};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{ENV, STATE, run::Plan};
use crate::{
    client::HubClient,
    command::{
        call::{Answered, Caller},
        release::hub_keys,
    },
    context::write_private,
    failure::Failure,
    folder::Folder,
    user_cache,
};

/// Of invocations that are recorded.
const RECORDINGS_BYTES: u64 = 64 << 20;
/// More than 256 bits.
const STORAGE_KEY_LENGTH: usize = 52;
/// A Bridge knows a new key within a poll.
const KEY_KNOWN_MAX: Duration = Duration::from_secs(10);

/// The local Hub, and what a Bridge needs to trust it.
pub struct Plane {
    /// As its one operator.
    pub hub: HubClient,
    token: Sealed,
    hub_url: String,
    running: RunningHub,
    state: PathBuf,
}

/// A `stk dev` that runs in a folder, as other commands find it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announced {
    /// Of the Bridge.
    pub url: String,
    /// Of the Hub.
    pub hub_url: String,
    /// For the Hub.
    pub token: Sealed,
    /// The project's name.
    pub project: String,
    process: u32,
}

impl Plane {
    /// Starts the Hub.
    pub async fn start(folder: &Folder, state: &str) -> anyhow::Result<Self> {
        let state = folder.root().join(STATE).join(state);
        for stale in [state.join("hub"), state.join("bridge/envs")] {
            match fs::remove_dir_all(&stale) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot clear {}", stale.display()));
                }
                _ => {}
            }
        }
        fs::create_dir_all(&state).with_context(|| format!("cannot make {}", state.display()))?;
        let token = Sealed::new(random_text(40));
        let storage_key = Some(storage_key(&state)?.secret());
        let config = HubConfig { storage_key, ..HubConfig::local(state.join("hub"), token.secret())? };
        let running = santokit_hub::serve(config).await.context("the local Hub cannot start")?;
        let hub_url = format!("http://{}", running.addr);
        let hub = HubClient::new(&hub_url, token.clone())?;
        Ok(Self { hub, token, hub_url, running, state })
    }

    /// Makes the project and its env. What is mounted is so on the developer's own machine, which asks nobody.
    pub async fn create(&self, project: &str) -> anyhow::Result<()> {
        self.hub.post(&["v1", "projects"], &json!({"name": project})).await?;
        self.hub.put(&["v1", "projects", project, "ceilings"], &json!({"mounts": true})).await?;
        self.hub.post(&["v1", "projects", project, "envs"], &json!({"name": ENV})).await?;
        Ok(())
    }

    /// Starts the Bridge.
    pub async fn serve(&self, project: &str, Plan { port, fuel, .. }: Plan) -> anyhow::Result<RunningBridge> {
        let env = EnvName { project: project.to_owned(), env: ENV.to_owned() };
        let asked = json!({"name": "stk dev", "envs": [env.to_string()]});
        let made = self.hub.post(&["v1", "service-tokens"], &asked).await?;
        let token = made["token"].as_str().context("the Hub answers a service token")?;
        let keys = hub_keys(&self.hub.get(&["v1", "keys"]).await?);
        let keys = keys.iter().map(|key| VerifyingKey::parse(key)).collect::<Result<Vec<_>, _>>()?;
        let settings = santokit_bridge::Settings {
            service_token: Some(token.to_owned().into()),
            hub_url: Some(format!("{}/", self.hub_url).into()),
            envs: Some(env.to_string().into()),
            trusted_keys: Some(keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(",").into()),
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string().into()),
            cache_dir: Some(self.state.join("bridge").display().to_string().into()),
            compiled_dir: Some(user_cache::compiled(&self.state).display().to_string().into()),
            storage_dir: Some(self.state.join("storage").display().to_string().into()),
            admin_listen: Some("127.0.0.1:0".to_owned().into()),
            poll_interval: Some("1s".to_owned().into()),
            drain_timeout: Some("5s".to_owned().into()),
            // Nobody balances load to it, and who calls it too often is the developer.
            drain_grace: Some("0s".to_owned().into()),
            api_key_rate: Some("off".to_owned().into()),
            user_rate: Some("off".to_owned().into()),
            address_rate: Some("off".to_owned().into()),
            // The components are the developer's own.
            sandbox_debug_info: Some("true".to_owned().into()),
            sandbox_fuel: Some(fuel.to_string().into()),
            // As for any Bridge: who may be asked is said by whose machine it is.
            egress_allow_private: variable("STK_BRIDGE_EGRESS_ALLOW_PRIVATE"),
            egress_ca_file: variable("STK_BRIDGE_EGRESS_CA_FILE"),
            storage_allow_private: variable("STK_BRIDGE_STORAGE_ALLOW_PRIVATE"),
            publish_rate: variable("STK_BRIDGE_PUBLISH_RATE"),
            event_payload: variable("STK_BRIDGE_EVENT_PAYLOAD"),
            events_orphaned_after: variable("STK_BRIDGE_EVENTS_ORPHANED_AFTER"),
            cron_lease: variable("STK_BRIDGE_CRON_LEASE"),
            nats_url: variable("STK_BRIDGE_NATS_URL"),
            nats_creds_file: variable("STK_BRIDGE_NATS_CREDS_FILE"),
            nats_ca_file: variable("STK_BRIDGE_NATS_CA_FILE"),
            nats_prefix: variable("STK_BRIDGE_NATS_PREFIX"),
            ..santokit_bridge::Settings::default()
        };
        let mut config: BridgeConfig = settings.check()?;
        if let Some(admin) = &mut config.admin {
            admin.tells_address = true;
        }
        config.storage.tells_address = true;
        // Under a key of this process: what is recorded ends with it.
        config.recordings.key = Some(Arc::new(SealKey::parse(&SealKey::generate_text()?)?));
        config.recordings.env_bytes_max = RECORDINGS_BYTES;
        // Rarely done, and a large future.
        match Box::pin(santokit_bridge::serve(config)).await {
            Err(ServeError::Listen { .. }) => Err(port_taken(port).into()),
            other => other.context("the Bridge cannot start"),
        }
    }

    /// Lets other commands in this folder find what runs.
    pub fn announce(&self, folder: &Folder, project: &str, url: &str) -> anyhow::Result<()> {
        let announced = self.as_announced(project, url);
        write_private(&Announced::path(folder), &serde_json::to_vec(&announced)?)
    }

    /// What other commands would find.
    pub fn as_announced(&self, project: &str, url: &str) -> Announced {
        Announced {
            url: url.to_owned(),
            hub_url: self.hub_url.clone(),
            token: self.token.clone(),
            project: project.to_owned(),
            process: std::process::id(),
        }
    }

    /// Nothing runs any more.
    pub fn forget(folder: &Folder) {
        // A file that stays is seen to be of an ended process.
        drop(fs::remove_file(Announced::path(folder)));
    }

    /// Ends the Hub. The next one begins with nothing.
    pub async fn end(self) {
        self.running.drop_logins().await;
        self.running.shutdown().await;
    }
}

impl Announced {
    /// Of a folder, if its process lives.
    pub fn of(folder: &Folder) -> Option<Self> {
        let announced: Self = serde_json::from_slice(&fs::read(Self::path(folder)).ok()?).ok()?;
        let process = rustix::process::Pid::from_raw(i32::try_from(announced.process).ok()?)?;
        rustix::process::test_kill_process(process).is_ok().then_some(announced)
    }

    /// Calls with a key of these roles, which is made for the call and ended after it; without roles, anonymously.
    pub async fn call_as(&self, roles: &[String], path: &str, params: &Json) -> anyhow::Result<Answered> {
        let mut caller =
            Caller { url: self.url.clone(), key: None, user_token: None, hints: (None, None), trace: None };
        if roles.is_empty() {
            return caller.call(path, params).await;
        }
        let hub = HubClient::new(&self.hub_url, self.token.clone())?;
        let base = ["v1", "projects", &self.project, "envs", ENV, "apikeys"];
        let made = hub.post(&base, &json!({"name": "stk logic invoke", "roles": roles})).await?;
        let (id, key) = (made["id"].as_str().unwrap_or_default(), made["key"].as_str());
        caller.key = Some(key.context("the Hub answers a key")?.to_owned());
        let until = Instant::now() + KEY_KNOWN_MAX;
        let answered = loop {
            let answered = caller.call(path, params).await;
            let is_unknown = answered.as_ref().is_ok_and(|answered| answered.status == 401);
            if !is_unknown || Instant::now() > until {
                break answered;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        hub.delete(&[&base[..], &[id]].concat()).await?;
        answered
    }

    fn path(folder: &Folder) -> PathBuf {
        folder.root().join(STATE).join("server.json")
    }
}

/// What to do about a port that something else has.
pub fn port_taken(port: u16) -> Failure {
    Failure::failed(format!("port {port} is taken"))
        .hint(format!("end what listens there, or choose another: stk dev --port {}", port.saturating_add(1)))
}

fn variable(name: &str) -> Option<santokit_bridge::config::Text> {
    std::env::var(name).ok().map(Into::into)
}

/// What uploads in parts are signed with: kept, so that one that was begun goes on after the next start.
fn storage_key(state: &Path) -> anyhow::Result<Sealed> {
    let path = state.join("storage-key");
    let text = match fs::read_to_string(&path) {
        Ok(text) if text.len() == STORAGE_KEY_LENGTH => text,
        _ => {
            let text = random_text(STORAGE_KEY_LENGTH);
            write_private(&path, text.as_bytes())?;
            text
        }
    };
    Ok(Sealed::new(text))
}

fn random_text(length: usize) -> String {
    let mut random = rand::rng();
    (0..length).map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[random.random_range(0..32)])).collect()
}
