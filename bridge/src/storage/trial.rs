//! Whether a bucket does what is asked of it, step by step, for an operator: what is wrong is said in words that lead to what must be done. It writes
//! one object of its own and removes it.

use santokit_core::{
    id::Kind,
    storage::{ObjectKey, ObjectPrefix},
};
use santokit_wasm::{Condition, PutOptions, StorageError};
use serde::Serialize;

use super::{Bucket, Store, s3::trial as of_s3};

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What was tried.
    pub step: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is as it should be.
    Fine,
    /// It works, and something of it is not as one may think.
    Warning,
    /// It does not work.
    Failed,
}

impl Step {
    pub(super) fn fine(step: &'static str, message: impl Into<String>) -> Self {
        Self { step, outcome: Outcome::Fine, message: message.into(), hint: String::new() }
    }

    pub(super) fn warning(step: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { step, outcome: Outcome::Warning, message: message.into(), hint: hint.into() }
    }

    pub(super) fn failed(step: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { step, outcome: Outcome::Failed, message: message.into(), hint: hint.into() }
    }
}

impl Bucket {
    /// Tries it. `origins` are those of pages that may call the env.
    pub async fn trial(&self, origins: &[String]) -> Vec<Step> {
        let Some(key) = own_key() else {
            return vec![Step::failed("object", "no name can be made for it", "")];
        };
        match &self.store {
            Store::S3(store) => of_s3::run(store, &key, origins).await,
            Store::Local(_) => vec![self.on_disk(&key).await],
        }
    }

    async fn on_disk(&self, key: &ObjectKey) -> Step {
        let done = async {
            let mut writer = self.create(key.clone(), PutOptions::default()).await?;
            writer.write(b"santokit".to_vec()).await?;
            writer.finish().await?;
            let read = self.open(key).await?.read(0, 8).await?;
            let is_listed = self.list(&ObjectPrefix::default(), None, 1).await?.objects.len() == 1;
            let is_removed = self.remove(key, &Condition::None).await?;
            Ok::<_, StorageError>(read == b"santokit" && is_listed && is_removed)
        };
        match done.await {
            Ok(true) => Step::fine("disk", "an object was written, read, listed and removed"),
            Ok(false) => Step::failed("disk", "what was written is not what is read", "another writes to storageDir"),
            Err(StorageError::Full(message)) => {
                Step::failed("disk", message, "make room, or raise storageEnvBytes of the Bridge")
            }
            Err(StorageError::TooLarge(_)) => {
                Step::failed("disk", "maxObject is less than the 8 bytes of the trial", "raise maxObject of the bucket")
            }
            Err(_) => Step::failed("disk", "the folder cannot be used", "the Bridge's log says why; see storageDir"),
        }
    }
}

/// A name that nobody else has.
fn own_key() -> Option<ObjectKey> {
    ObjectKey::parse(&format!(".santokit-test-{}", Kind::Object.generate())).ok()
}
