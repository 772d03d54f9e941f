//! What the Bridges of an env sign uploads in parts with: the same for all of them, made once. What opens a bucket can be exchanged at any time; this is
//! not exchanged, or what was begun could not go on.

use santokit_core::{
    problem::{Outcome, Problem},
    seal::{SealError, SealKey},
    wire::Sealed,
};
use secrecy::{ExposeSecret, SecretString};

use super::{App, StartError, projects::At};
use crate::store::{Db, Store, commit, envs};

/// What a sealed one is bound to.
fn context(at: At<'_>) -> String {
    format!("storage-key/{}/{}", at.project, at.env)
}

/// A new one for an env, unless it is given.
pub(super) fn sealed(master_key: &SealKey, at: At<'_>, given: Option<&SecretString>) -> Result<Vec<u8>, SealError> {
    let key = match given {
        Some(given) => given.clone(),
        None => SealKey::generate_text()?.into(),
    };
    master_key.seal(&context(at), key.expose_secret().as_bytes())
}

/// Gives every env one that has none.
pub(super) async fn furnish(
    store: &Store,
    master_key: &SealKey,
    given: Option<&SecretString>,
) -> Result<(), StartError> {
    let mut db = store.write().await?;
    for (project, env) in envs::without_storage_key(&mut db).await? {
        let key = sealed(master_key, At { project: &project, env: &env }, given).map_err(StartError::StorageKey)?;
        envs::set_storage_key(&mut db, &project, &env, &key).await?;
    }
    Ok(commit(db).await?)
}

impl App {
    /// For the Bridges of an env.
    pub(super) async fn storage_key(&self, db: &mut Db, at: At<'_>) -> Outcome<Option<Sealed>> {
        let Some(sealed) = envs::storage_key(db, at.project, at.env).await? else { return Ok(None) };
        self.unseal(&context(at), &sealed).map(Some)
    }

    /// Gives it to an env that was just made.
    pub(super) async fn make_storage_key(&self, db: &mut Db, at: At<'_>) -> Outcome<()> {
        let key = sealed(&self.master_key, at, self.storage_key.as_ref()).map_err(Problem::internal)?;
        Ok(envs::set_storage_key(db, at.project, at.env, &key).await?)
    }
}
