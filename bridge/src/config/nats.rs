//! The settings of the broker that hands events over: only who runs a Bridge says it, never a release.

use std::{fmt, path::PathBuf};

use async_nats::ServerAddr;

use super::{
    Settings,
    read::{Check, Text, number},
};

/// What everything of ours begins with at a broker.
const PREFIX: &str = "stk";
const PREFIX_CHARS_MAX: usize = 32;
/// What a cluster takes.
const REPLICAS_MAX: usize = 5;

/// A NATS with JetStream.
#[derive(Clone)]
pub struct NatsConfig {
    /// Its servers, `nats://` or `tls://`, with a user and password where they want one.
    pub urls: Vec<ServerAddr>,
    /// A file with the credentials of a user (`.creds`).
    pub credentials: Option<PathBuf>,
    /// Certificates of authorities, PEM, that are trusted besides those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// What streams and subjects begin with.
    pub prefix: String,
    /// How many servers of a cluster keep each stream.
    pub replicas: usize,
}

impl Settings {
    pub(super) fn nats(&mut self, check: &mut Check) -> Option<Box<NatsConfig>> {
        let path = |text: Text| PathBuf::from(text.0);
        let is_set = self.nats_url.is_some();
        let more = [("natsCredsFile", self.nats_creds_file.is_some()), ("natsCaFile", self.nats_ca_file.is_some())];
        for (key, _) in more.iter().filter(|(_, more)| *more && !is_set) {
            check.add(key, "means nothing without natsUrl");
        }
        let config = NatsConfig {
            urls: check.list("natsUrl", self.nats_url.take(), address),
            credentials: self.nats_creds_file.take().map(path),
            ca_file: self.nats_ca_file.take().map(path),
            prefix: check.value("natsPrefix", self.nats_prefix.take(), PREFIX.to_owned(), prefix),
            replicas: check.value("natsReplicas", self.nats_replicas.take(), 1, number),
        };
        if config.credentials.is_some() && config.urls.iter().any(|url| url.username().is_some()) {
            check.add("natsCredsFile", "natsUrl has a user or a token as well: leave one of them out");
        }
        if !(1..=REPLICAS_MAX).contains(&config.replicas) {
            check.add("natsReplicas", "must be between 1 and 5");
        }
        is_set.then(|| Box::new(config))
    }
}

/// The library's own words may repeat the address, and with it the password.
fn address(text: &str) -> Result<ServerAddr, String> {
    let is_nats = text.starts_with("nats://") || text.starts_with("tls://");
    let read = text.parse::<ServerAddr>().ok().filter(|address| is_nats && !address.host().is_empty());
    read.ok_or_else(|| "is not the address of a NATS server, such as tls://user:password@host:4222".to_owned())
}

/// A part of names at the broker, where a dot begins another part and a star is all.
fn prefix(text: &str) -> Result<String, String> {
    let is_char = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    let ok = (1..=PREFIX_CHARS_MAX).contains(&text.len()) && text.chars().all(is_char);
    ok.then(|| text.to_owned()).ok_or_else(|| "must be 1 to 32 letters, digits, - and _".to_owned())
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses hold passwords.
        f.debug_struct("NatsConfig")
            .field("servers", &self.urls.len())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_read_and_its_password_shown_nowhere() {
        let mut check = Check::default();
        let mut settings = Settings {
            nats_url: Some("tls://u:hunter2@a:4222, nats://b".into()),
            nats_prefix: Some("prod-1".into()),
            nats_replicas: Some("3".into()),
            ..Settings::default()
        };
        let config = settings.nats(&mut check).unwrap();
        assert_eq!((config.urls.len(), config.prefix.as_str(), config.replicas), (2, "prod-1", 3));
        assert!(check.0.is_empty() && !format!("{config:?}").contains("hunter2"), "{:?}", check.0);
        assert!(Settings::default().nats(&mut check).is_none());
    }

    #[test]
    fn what_a_broker_cannot_be_is_told_without_its_password() {
        for (url, prefix, replicas) in [
            ("http://u:hunter2@host", "stk", "1"),
            ("nats://", "stk", "1"),
            ("nats://u:hunter2@a", "a.b", "1"),
            ("nats://u:hunter2@a", ">", "1"),
            ("nats://u:hunter2@a", "", "1"),
            ("nats://u:hunter2@a", "stk", "0"),
            ("nats://u:hunter2@a", "stk", "6"),
        ] {
            let mut check = Check::default();
            let mut settings = Settings {
                nats_url: Some(url.into()),
                nats_prefix: Some(prefix.into()),
                nats_replicas: Some(replicas.into()),
                ..Settings::default()
            };
            settings.nats(&mut check);
            assert!(
                !check.0.is_empty() && !check.0.concat().contains("hunter2"),
                "{url} {prefix} {replicas}: {:?}",
                check.0
            );
        }
        let mut check = Check::default();
        Settings { nats_ca_file: Some("ca.pem".into()), ..Settings::default() }.nats(&mut check);
        assert_eq!(check.0, ["natsCaFile: means nothing without natsUrl"]);
        let credentials = |url: &str| {
            let (mut check, creds) = (Check::default(), Some("u.creds".into()));
            Settings { nats_url: Some(url.into()), nats_creds_file: creds, ..Settings::default() }.nats(&mut check);
            check.0
        };
        assert_eq!(credentials("tls://a, tls://b"), Vec::<String>::new());
        for url in ["tls://hunter2@a", "tls://u:hunter2@a", "tls://a, tls://u:hunter2@b"] {
            assert_eq!(
                credentials(url),
                ["natsCredsFile: natsUrl has a user or a token as well: leave one of them out"]
            );
        }
    }
}
