//! The settings of objects.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Network, Settings,
    egress::EgressConfig,
    read::{Check, duration, http_url, size},
};
use crate::storage::{StorageConfig, URL_EXPIRY};

const STORAGE_DIR: &str = "santokit-bridge-storage";
const ENV_BYTES: usize = 10 << 30;
/// What S3 takes at most.
const URL_EXPIRY_MAX: Duration = Duration::from_hours(7 * 24);

impl Settings {
    /// Authorities are trusted for stores as for all that is sent.
    pub(super) fn outbound(&mut self, check: &mut Check) -> (EgressConfig, StorageConfig) {
        let egress = self.egress(check);
        let storage = self.storage(check, egress.ca_file.as_deref());
        (egress, storage)
    }

    fn storage(&mut self, check: &mut Check, ca_file: Option<&Path>) -> StorageConfig {
        let dir = self.storage_dir.take().map_or_else(|| PathBuf::from(STORAGE_DIR), |dir| PathBuf::from(dir.0));
        let env_bytes = check.value("storageEnvBytes", self.storage_env_bytes.take(), ENV_BYTES, size);
        let url_expiry = check.value("storageUrlExpiry", self.storage_url_expiry.take(), URL_EXPIRY, duration);
        if url_expiry > URL_EXPIRY_MAX {
            check.add("storageUrlExpiry", "a signed URL lives for 7d at most");
        }
        let public_url = check.optional("publicUrl", self.public_url.take(), origin);
        let allow_private = check.list("storageAllowPrivate", self.storage_allow_private.take(), Network::parse);
        let config = StorageConfig::at(dir, env_bytes as u64);
        StorageConfig { url_expiry, public_url, allow_private, ca_file: ca_file.map(Path::to_owned), ..config }
    }
}

/// Scheme and authority, before paths that begin with a slash.
fn origin(text: &str) -> Result<String, String> {
    let url = http_url(text)?;
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("must be a scheme and a host, without a path: URLs below it are /p/{project}/{env}/…".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
