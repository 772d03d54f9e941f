//! Changing the master key, without a Hub that runs: every sealed record is opened with the old key and sealed with the new one, in
//! one transaction. Who is stopped in the middle has changed nothing; who is stopped after it says so again and goes on.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use santokit_core::{
    release::SigningKey,
    seal::{SealError, SealKey},
};

use super::{lock, read_private, write_private};
use crate::{
    config::HubConfig,
    store::{
        NEWEST, Place, Store, StoreError, Writing,
        audit::{self, Deed, Detail, FILE, Signer},
        commit, credentials,
        sealed::COLUMNS,
    },
};

/// Of the data directory.
const OLD: &str = "master-key";
const NEW: &str = "master-key.new";

/// What was done.
#[derive(Debug)]
pub struct Rotated {
    /// Records that were sealed anew.
    pub records: i64,
    /// Records that the new key opened already: an earlier run was stopped after it had changed them.
    pub done_before: i64,
    /// Where the new key is.
    pub new_key: PathBuf,
    /// Where the old key is kept, if it was a file of the data directory. It opens the backups of its time.
    pub old_key: Option<PathBuf>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The old key opens nothing.
    #[error("the master key does not open this Hub's data; nothing was changed")]
    OldKey,
    /// There is no key to begin with.
    #[error("there is no master key: neither STK_MASTER_KEY nor the file master-key in the data directory")]
    NoKey,
    /// Not a key.
    #[error("{file}: {source}")]
    NewKey {
        /// Where it stands.
        file: String,
        /// Why.
        source: SealError,
    },
    /// One record is sealed with another key than all others.
    #[error("{0} opens neither with the old nor with the new master key; nothing was changed")]
    Record(String),
    /// Both are the same.
    #[error("the new master key is the one that the Hub has")]
    Same,
    /// A Hub runs on it.
    #[error("a Hub is running on this data; end it first")]
    Running,
    /// The tables are of another version.
    #[error("the Hub's tables are of another version than this program; start the Hub once, and end it")]
    Version,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sealing failed.
    #[error("sealing failed")]
    Seal(#[from] SealError),
    /// A file.
    #[error("{file} cannot be used")]
    File {
        /// Which.
        file: String,
        /// Why.
        source: io::Error,
    },
}

/// Changes the master key of the store that the settings name. The new key is in a file, which is made where it is not there; without
/// one it is made beside the old one, and takes its place.
pub async fn rotate(config: &HubConfig, new_key: Option<&Path>) -> Result<Rotated, RotateError> {
    let dir = fs::canonicalize(&config.data_dir).map_err(at(&config.data_dir))?;
    let old_file = dir.join(OLD);
    let old = match &config.master_key {
        Some(key) => Arc::clone(key),
        None => Arc::new(parsed(&old_file)?.ok_or(RotateError::NoKey)?),
    };
    // Written and on the disk before anything is sealed with it.
    let new_file = new_key.map_or_else(|| dir.join(NEW), Path::to_owned);
    let _lock = match &config.database_url {
        None => Some(lock::alone(&dir).map_err(at(&dir))?.ok_or(RotateError::Running)?),
        Some(_) => None,
    };
    let place = config.database_url.as_ref().map_or(Place::Directory(&dir), Place::Postgres);
    if config.database_url.is_none() && !dir.join("hub.db").exists() {
        return Err(at(&dir.join("hub.db"))(io::ErrorKind::NotFound.into()));
    }
    let store = Store::open_raw(place).await?;
    let done = async {
        let mut db = store.write().await?;
        if store.others(&mut db).await? > 0 {
            return Err(RotateError::Running);
        }
        if store.version(&mut db).await? != NEWEST {
            return Err(RotateError::Version);
        }
        let new = if let Some(key) = parsed(&new_file)? {
            key
        } else {
            // Not before it is known that the old one is right: a mistake leaves no file behind.
            signing_key(&mut db, &[&old]).await?;
            write_private(&new_file, &SealKey::generate_text()?).map_err(at(&new_file))?;
            parsed(&new_file)?.ok_or(RotateError::NoKey)?
        };
        seal_anew(&store, db, &old, Arc::new(new), &dir).await
    };
    let done = done.await;
    store.close().await;
    let (records, done_before) = done?;
    let (mut new_key, mut old_key) = (new_file.clone(), None);
    if config.master_key.is_none() && new_file == dir.join(NEW) {
        let kept = dir.join(format!("master-key.before-{}", super::restore::stamp()));
        fs::rename(&old_file, &kept).map_err(at(&kept))?;
        fs::rename(&new_file, &old_file).map_err(at(&old_file))?;
        fs::File::open(&dir).and_then(|dir| dir.sync_all()).map_err(at(&dir))?;
        (new_key, old_key) = (old_file, Some(kept));
    }
    Ok(Rotated { records, done_before, new_key, old_key })
}

async fn seal_anew(
    store: &Store,
    mut db: Writing,
    old: &SealKey,
    new: Arc<SealKey>,
    dir: &Path,
) -> Result<(i64, i64), RotateError> {
    let key = signing_key(&mut db, &[old, &new]).await?;
    let (mut records, mut done_before, mut with_both) = (0, 0, 0);
    for column in COLUMNS {
        for place in column.places(&mut db).await? {
            let (mut context, sealed) = (column.context(&place), column.get(&mut db, &place).await?);
            let opens = |context: &str| old.open(context, &sealed).is_ok() || new.open(context, &sealed).is_ok();
            if let Some(other) = column.other_context(&place).filter(|other| opens(other)) {
                context = other;
            }
            let is_new = new.open(&context, &sealed).is_ok();
            match old.open(&context, &sealed) {
                Ok(_) if is_new => with_both += 1,
                Ok(plain) => {
                    column.set(&mut db, &place, new.seal(&context, &plain)?).await?;
                    records += 1;
                }
                Err(_) if is_new => done_before += 1,
                Err(_) => return Err(RotateError::Record(context)),
            }
        }
    }
    if with_both > 0 {
        return Err(RotateError::Same);
    }
    if records > 0 {
        store.log.sign_with(Signer { key: Arc::new(key), master_key: new });
        store.log.remember_in(&mut db, dir.join(FILE)).await?;
        let detail = Detail::of("records", records).with("doneBefore", done_before);
        let deed = Deed { action: "masterkey.rotate", project: None, env: None, detail };
        audit::append(&mut db, &super::hub_itself(), &deed).await?;
        commit(db).await?;
    }
    Ok((records, done_before))
}

/// The newest signing key, which one of the keys opens.
pub(super) async fn signing_key(db: &mut Writing, keys: &[&SealKey]) -> Result<SigningKey, RotateError> {
    let row = credentials::signing_keys(db).await?.into_iter().next().ok_or(RotateError::OldKey)?;
    let context = super::keys::context(&row.id);
    let der = keys.iter().find_map(|key| key.open(&context, &row.private).ok()).ok_or(RotateError::OldKey)?;
    SigningKey::from_pkcs8(&der).map_err(|_| RotateError::OldKey)
}

pub(super) fn parsed(file: &Path) -> Result<Option<SealKey>, RotateError> {
    let Some(text) = read_private(file).map_err(at(file))? else { return Ok(None) };
    SealKey::parse(&text).map(Some).map_err(|source| RotateError::NewKey { file: file.display().to_string(), source })
}

fn at(file: &Path) -> impl Fn(io::Error) -> RotateError {
    let file = file.display().to_string();
    move |source| RotateError::File { file: file.clone(), source }
}
