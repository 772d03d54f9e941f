//! A NATS whose users are of accounts: an operator signs accounts, an account signs its users, and a user shows what was signed for it (`.creds`). The keys are
//! made for one test, and so are the tokens, which are what `nsc` would write.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::super::{
    STORE, Service, Shown, free_port,
    own::{self, OwnServer, Recipe},
    program, write_shown,
};

/// Who signs, with an account for streams and the one that a server needs for itself.
pub struct NatsOperator {
    key: KeyPair,
    account: KeyPair,
    system: KeyPair,
}

impl NatsOperator {
    /// With new keys: credentials of another one are nobody's here.
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        Self { key: KeyPair::new_operator(), account: KeyPair::new_account(), system: KeyPair::new_account() }
    }

    /// Starts a server that encrypts, and takes users of the account alone.
    pub async fn start(&self, shown: &Shown) -> Result<OwnServer> {
        let server = program("nats-server", &[])?;
        let folder = own::folder(None)?;
        let port = free_port()?;
        let (certificate, key) = write_shown(shown, &folder, None)?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text)?;
            path.to_str().map(str::to_owned).context("a path in UTF-8")
        };
        let operator = write("operator.jwt", self.operator()?)?;
        let (account, system) = (self.account.public_key(), self.system.public_key());
        let (of_account, of_system) = (self.of(&self.account, "app", -1)?, self.of(&self.system, "SYS", 0)?);
        let store = folder.join(STORE).display().to_string();
        let settings = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {store:?} }}\n\
             tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\noperator: {operator:?}\nsystem_account: {system}\n\
             resolver: MEMORY\nresolver_preload: {{ {account}: {of_account}, {system}: {of_system} }}\n"
        );
        let settings = write("server.conf", settings)?;
        OwnServer::start(Recipe {
            service: Service::Nats,
            url: format!("tls://localhost:{port}"),
            folder: folder.clone(),
            program: &server,
            arguments: vec!["-c".to_owned(), settings],
            account: None,
            stop: "TERM",
            crash: "KILL",
        })
        .await
    }

    /// The file of a new user, who may publish to these subjects and hear answers; and its seed, which nobody is to see.
    pub fn credentials(&self, publishes: &[&str]) -> Result<(String, String)> {
        let user = KeyPair::new_user();
        let rights = json!({
            "pub": {"allow": publishes}, "sub": {"allow": ["_INBOX.>"]}, "subs": -1, "data": -1, "payload": -1,
            "type": "user", "version": 2,
        });
        let jwt = token(&self.account, &user, "bridge", &rights)?;
        let seed = user.seed()?;
        let file = format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        Ok((file, seed))
    }

    fn operator(&self) -> Result<String> {
        let system = self.system.public_key();
        token(&self.key, &self.key, "test", &json!({"system_account": system, "type": "operator", "version": 2}))
    }

    /// An account; `room` is what JetStream may keep for it.
    fn of(&self, account: &KeyPair, name: &str, room: i64) -> Result<String> {
        let limits = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
            "leaf": -1, "mem_storage": room, "disk_storage": room, "streams": room, "consumer": room,
        });
        let rights = json!({
            "limits": limits, "default_permissions": {"pub": {}, "sub": {}}, "type": "account", "version": 2,
        });
        token(&self.key, account, name, &rights)
    }
}

/// What one key says of another.
fn token(by: &KeyPair, of: &KeyPair, name: &str, rights: &Value) -> Result<String> {
    let encoded = |part: &Value| Ok::<_, anyhow::Error>(URL_SAFE_NO_PAD.encode(serde_json::to_vec(part)?));
    let head = encoded(&json!({"typ": "JWT", "alg": "ed25519-nkey"}))?;
    let claims = json!({
        "jti": of.public_key(), "iat": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(), "iss": by.public_key(), "name": name,
        "sub": of.public_key(), "nats": rights,
    });
    let said = format!("{head}.{}", encoded(&claims)?);
    Ok(format!("{said}.{}", URL_SAFE_NO_PAD.encode(by.sign(said.as_bytes())?)))
}
