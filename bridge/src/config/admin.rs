//! The settings of the listener for operators.

use std::net::SocketAddr;

use reqwest::Url;
use santokit_core::release::VerifyingKey;

use super::{
    Settings,
    read::{Check, address, http_url},
};

/// How operators speak to this Bridge.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// Where; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How operators find it. None: they must know.
    pub url: Option<Url>,
    /// Whether they are told the address that it listens on where there is no such word: for a free port of this machine.
    pub tells_address: bool,
    /// Whose tokens are taken. Empty: of every key whose releases are loaded.
    pub keys: Vec<VerifyingKey>,
}

impl Settings {
    pub(super) fn admin(&mut self, check: &mut Check) -> Option<AdminConfig> {
        let listen = check.optional("adminListen", self.admin_listen.take(), address);
        let url = check.optional("adminUrl", self.admin_url.take(), http_url);
        let keys = check.list("adminKeys", self.admin_keys.take(), |key| {
            VerifyingKey::parse(key).map_err(|error| error.to_string())
        });
        if listen.is_none() {
            for (key, is_set) in [("adminUrl", url.is_some()), ("adminKeys", !keys.is_empty())] {
                if is_set {
                    check.add(key, "means nothing without adminListen");
                }
            }
        }
        listen.map(|listen| {
            // A free port of this machine is known to nobody else.
            let tells_address = listen.ip().is_loopback() && listen.port() == 0;
            AdminConfig { listen, url, tells_address, keys }
        })
    }
}
