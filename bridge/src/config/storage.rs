//! The settings of objects.

use std::path::PathBuf;

use super::{
    Settings,
    read::{Check, size},
};
use crate::storage::StorageConfig;

const STORAGE_DIR: &str = "santokit-bridge-storage";
const ENV_BYTES: usize = 10 << 30;

impl Settings {
    pub(super) fn storage(&mut self, check: &mut Check) -> StorageConfig {
        let dir = self.storage_dir.take().map_or_else(|| PathBuf::from(STORAGE_DIR), |dir| PathBuf::from(dir.0));
        let env_bytes = check.value("storageEnvBytes", self.storage_env_bytes.take(), ENV_BYTES, size);
        StorageConfig { dir, env_bytes_max: env_bytes as u64 }
    }
}
