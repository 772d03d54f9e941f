//! Coming in again where nobody is left who could let one in: on the Hub's machine, with its settings, while no Hub runs. Who can do this
//! could read the database and the master key anyway; the audit log has it.

use std::{fs, io, path::Path, sync::Arc};

use santokit_core::problem::Problem;

use super::{
    hub_itself, lock,
    login::reset::{self, Made},
    master_key::{RotateError, parsed, signing_key},
};
use crate::{
    config::HubConfig,
    store::{
        NEWEST, Place, Store, StoreError, Writing,
        audit::{FILE, Signer},
        commit, members, operators, orgs,
    },
};

/// Of the data directory.
const MASTER_KEY: &str = "master-key";

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The data cannot be worked on.
    #[error(transparent)]
    Data(#[from] RotateError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not said for whom.
    #[error("for whom is not clear: {0}")]
    Who(String),
    /// The operator cannot have one.
    #[error("{}", .0.message)]
    Refused(Box<Problem>),
}

/// Makes a code with which an operator sets a new password: one with an email, or the one owner of the first org.
pub async fn recover(config: &HubConfig, email: Option<&str>) -> Result<Made, RecoverError> {
    let at = |source: io::Error, file: &Path| RotateError::File { file: file.display().to_string(), source };
    let dir = fs::canonicalize(&config.data_dir).map_err(|error| at(error, &config.data_dir))?;
    let key = match &config.master_key {
        Some(key) => Arc::clone(key),
        None => Arc::new(parsed(&dir.join(MASTER_KEY))?.ok_or(RotateError::NoKey)?),
    };
    let _lock = match &config.database_url {
        None => Some(lock::alone(&dir).map_err(|error| at(error, &dir))?.ok_or(RotateError::Running)?),
        Some(_) => None,
    };
    let place = config.database_url.as_ref().map_or(Place::Directory(&dir), Place::Postgres);
    if config.database_url.is_none() && !dir.join("hub.db").exists() {
        return Err(at(io::ErrorKind::NotFound.into(), &dir.join("hub.db")).into());
    }
    let store = Store::open_raw(place).await?;
    let made = async {
        let mut db = store.write().await?;
        if store.others(&mut db).await? > 0 {
            return Err(RotateError::Running.into());
        }
        if store.version(&mut db).await? != NEWEST {
            return Err(RotateError::Version.into());
        }
        let signing_key = Arc::new(signing_key(&mut db, &[&key]).await?);
        store.log.sign_with(Signer { key: signing_key, master_key: Arc::clone(&key) });
        store.log.remember_in(&mut db, dir.join(FILE)).await?;
        let id = operator(&mut db, email).await?;
        let made = reset::make(&mut db, &config.clock, &hub_itself(), &id).await.map_err(RecoverError::Refused)?;
        commit(db).await?;
        Ok(made)
    };
    let made: Result<Made, RecoverError> = made.await;
    store.close().await;
    made
}

async fn operator(db: &mut Writing, email: Option<&str>) -> Result<String, RecoverError> {
    if let Some(email) = email {
        let email = email.trim().to_lowercase();
        let found = operators::list(db).await?.into_iter().find(|row| row.email.as_deref() == Some(email.as_str()));
        return found.map(|row| row.id).ok_or_else(|| RecoverError::Who(format!("{email} is no operator of this Hub")));
    }
    let members = members::of_org(db, orgs::FIRST).await?;
    let owners: Vec<_> = members.iter().filter(|(_, email, _, role)| role == "owner" && email.is_some()).collect();
    match owners.as_slice() {
        [(id, ..)] => Ok(id.clone()),
        [] => {
            Err(RecoverError::Who("no owner of the Hub has a login; make one with `stk login --bootstrap`".to_owned()))
        }
        several => {
            let emails: Vec<&str> = several.iter().filter_map(|(_, email, ..)| email.as_deref()).collect();
            Err(RecoverError::Who(format!("the Hub has the owners {}", emails.join(", "))))
        }
    }
}
