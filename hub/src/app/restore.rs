//! Bringing a Hub back from a backup, without a Hub that runs: all of it is checked first, then it is there whole or not at all.
//!
//! Bridges may have seen pointers that are later than the backup. What they run is left to them: no pointer is signed anew. The next
//! one that moves gets a sequence far above all that there can have been.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use santokit_core::{
    audit::{Head, RESTORE, Verdict},
    release::{EnvelopeError, SigningKey, VerifyingKey},
    seal::{SealError, SealKey},
};
use tokio::sync::mpsc;

use super::{
    backup::archive::{self, ArchiveError, Checked, Piece},
    read_private,
};
use crate::{
    config::HubConfig,
    store::{
        Place, Store, StoreError, Writing,
        audit::{self, Deed, Detail, FILE, Signer, name},
        commit, dump, sequences,
    },
};

/// How far sequences are advanced. No env can have moved so often since the backup.
pub const SEQUENCES_ADVANCED: i64 = 1_000_000;
/// Pieces read ahead; a component is a piece.
const READ_AHEAD: usize = 2;

/// What was brought back.
#[derive(Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub contents: archive::Contents,
    /// Rows of tables.
    pub rows: u64,
    /// Components.
    pub blobs: u64,
    /// The audit log, after it.
    pub verdict: Verdict,
    /// The last head that the Hub remembered, where it is later than the backup: the entries up to it are lost.
    pub lost: Option<Head>,
    /// Where what was there before is kept.
    pub aside: Option<PathBuf>,
}

/// Why nothing was brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file.
    #[error("{file} is no backup that can be used: {source}")]
    Archive {
        /// As it was named.
        file: String,
        /// Why.
        source: ArchiveError,
    },
    /// It was made by a newer version.
    #[error("the backup's tables are of version {0}, newer than this version of Santokit; use the newer one")]
    Newer(usize),
    /// The master key is missing or another.
    #[error(
        "the master key does not open what is in the backup; it is never part of one: give the STK_MASTER_KEY of that Hub"
    )]
    MasterKey(#[source] Option<SealError>),
    /// Something is there.
    #[error("there is a Hub's data already, and it would be replaced")]
    NotEmpty,
    /// A Hub runs on it.
    #[error("a Hub is running on this data; end it first")]
    Running,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory.
    #[error("the data directory {dir} cannot be used")]
    DataDir {
        /// As configured.
        dir: String,
        /// Why.
        source: io::Error,
    },
    /// The signing key.
    #[error("the signing key in the backup cannot be used")]
    SigningKey(#[from] EnvelopeError),
}

/// Brings a backup back into the store that the settings name. What is there is kept aside with `force`, and refuses it without.
pub async fn restore(config: &HubConfig, file: &Path, force: bool) -> Result<Restored, RestoreError> {
    let at_disk = |source| RestoreError::DataDir { dir: config.data_dir.display().to_string(), source };
    fs::create_dir_all(&config.data_dir).map_err(at_disk)?;
    let dir = fs::canonicalize(&config.data_dir).map_err(at_disk)?;
    let master_key = match &config.master_key {
        Some(key) => Arc::clone(key),
        None => match read_private(&dir.join("master-key")).map_err(at_disk)? {
            Some(text) => Arc::new(SealKey::parse(&text).map_err(|error| RestoreError::MasterKey(Some(error)))?),
            None => return Err(RestoreError::MasterKey(None)),
        },
    };
    let backup = Source::open(file, master_key).await?;
    match &config.database_url {
        None => into_directory(&dir, &backup, force).await,
        Some(url) => {
            let store = Store::open_raw(Place::Postgres(url)).await?;
            let done = into_server(&dir, &store, &backup, force).await;
            store.close().await;
            done
        }
    }
}

/// A backup that was checked, and the key that its Hub signs with.
struct Source {
    file: PathBuf,
    checked: Checked,
    signer: Signer,
}

impl Source {
    async fn open(file: &Path, master_key: Arc<SealKey>) -> Result<Self, RestoreError> {
        let shown = file.display().to_string();
        let refused = |source| RestoreError::Archive { file: shown.clone(), source };
        let path = file.to_owned();
        let checked = run(move || archive::check(&path)).await.map_err(refused)?;
        let version = checked.contents.schema_version;
        let Some(tables) = dump::tables(version).await? else { return Err(RestoreError::Newer(version)) };
        if let Some(table) = tables.iter().find(|table| !checked.tables().contains(table.name.as_str())) {
            return Err(refused(ArchiveError::Wrong(format!("table {} is missing", table.name))));
        }
        let (path, contents) = (file.to_owned(), checked.contents.clone());
        let rows = run(move || signing_keys(&path, &contents)).await.map_err(refused)?;
        let mut newest = None::<(String, SigningKey)>;
        let mut keys: Vec<VerifyingKey> = Vec::new();
        for (id, sealed, created_at, is_retired) in rows {
            if is_retired {
                let proof = master_key.open(&audit::proof_context(&id), &sealed).ok();
                let public = proof.and_then(|proof| String::from_utf8(proof).ok());
                keys.extend(public.and_then(|public| VerifyingKey::parse(&public).ok()));
                continue;
            }
            let der = master_key
                .open(&format!("signing-key/{id}"), &sealed)
                .map_err(|error| RestoreError::MasterKey(Some(error)))?;
            let key = SigningKey::from_pkcs8(&der)?;
            keys.push(key.verifying_key());
            if newest.as_ref().is_none_or(|(other, _)| *other < created_at) {
                newest = Some((created_at, key));
            }
        }
        checked.need_signature(&keys).map_err(refused)?;
        let (_, key) = newest.ok_or(RestoreError::MasterKey(None))?;
        Ok(Self { file: file.to_owned(), checked, signer: Signer { key: Arc::new(key), master_key } })
    }
}

/// A file of its own beside the one that is there, which takes its place at the end.
async fn into_directory(dir: &Path, backup: &Source, force: bool) -> Result<Restored, RestoreError> {
    let at_disk = |source| RestoreError::DataDir { dir: dir.display().to_string(), source };
    let database = dir.join("hub.db");
    let _lock = super::lock::alone(dir).map_err(at_disk)?.ok_or(RestoreError::Running)?;
    if database.exists() && !force {
        return Err(RestoreError::NotEmpty);
    }
    let building = dir.join("restoring");
    remove_dir(&building).map_err(at_disk)?;
    fs::create_dir(&building).map_err(at_disk)?;
    let store = Store::open_raw(Place::Directory(&building)).await?;
    let mut db = store.write().await?;
    let loaded = load(&store, &mut db, backup, dir).await?;
    commit(db).await?;
    let verdict = audit::verify(&store, Vec::new()).await?;
    store.settle().await?;
    store.close().await;
    // Components are found by their digests: those that are there already are the same.
    move_blobs(&building.join("blobs"), &dir.join("blobs")).map_err(at_disk)?;
    let aside = if database.exists() {
        let aside = dir.join(format!("before-restore-{}", stamp()));
        fs::create_dir(&aside).map_err(at_disk)?;
        for name in ["hub.db", "hub.db-wal", "hub.db-shm"] {
            match fs::rename(dir.join(name), aside.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at_disk(error)),
                _ => {}
            }
        }
        Some(aside)
    } else {
        None
    };
    fs::rename(building.join("hub.db"), &database).map_err(at_disk)?;
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(at_disk)?;
    remove_dir(&building).map_err(at_disk)?;
    loaded.end(dir, &store, backup, verdict, aside).map_err(at_disk)
}

/// One transaction, in which the old tables go too.
async fn into_server(dir: &Path, store: &Store, backup: &Source, force: bool) -> Result<Restored, RestoreError> {
    let mut db = store.write().await?;
    if store.others(&mut db).await? > 0 {
        return Err(RestoreError::Running);
    }
    if store.version(&mut db).await? > 0 {
        if !force {
            return Err(RestoreError::NotEmpty);
        }
        store.drop_tables(&mut db).await?;
    }
    let loaded = load(store, &mut db, backup, dir).await?;
    commit(db).await?;
    let verdict = audit::verify(store, Vec::new()).await?;
    loaded
        .end(dir, store, backup, verdict, None)
        .map_err(|source| RestoreError::DataDir { dir: dir.display().to_string(), source })
}

/// What was loaded, before it is all told.
struct Loaded {
    rows: u64,
    blobs: u64,
    lost: Option<Head>,
}

/// Tables of the backup's version, its rows, then what is newer; and the entry that says so.
async fn load(store: &Store, db: &mut Writing, backup: &Source, dir: &Path) -> Result<Loaded, RestoreError> {
    let contents = &backup.checked.contents;
    let version = contents.schema_version;
    store.migrate_to(db, version).await?;
    let tables = dump::tables(version).await?.unwrap_or_default();
    // What the migrations put in is in the backup too, as it became.
    for table in tables.iter().rev() {
        table.clear(db).await?;
    }
    let (sender, mut pieces) = mpsc::channel(READ_AHEAD);
    let (path, own) = (backup.file.clone(), contents.clone());
    let reading = tokio::task::spawn_blocking(move || {
        archive::read(&path, &own, |piece| sender.blocking_send(piece).map_err(|_| io::Error::other("nobody takes it")))
    });
    let (mut rows, mut blobs, mut current) = (0, 0, None);
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Table(name, columns) => {
                let table = tables.iter().find(|table| table.name == name && table.columns() == columns);
                current =
                    Some(table.ok_or_else(|| StoreError::Damaged(format!("table {name} of the backup is another")))?);
            }
            Piece::Row(line) => {
                let table = current.ok_or_else(|| StoreError::Damaged("a row of no table".to_owned()))?;
                table.load(db, &line).await?;
                rows += 1;
            }
            Piece::Blob(digest, bytes) => {
                store.put_blob(db, &digest, bytes.into()).await?;
                blobs += 1;
            }
        }
    }
    let read = reading.await.map_err(|error| StoreError::Disk(io::Error::other(error)))?;
    read.map_err(|source| RestoreError::Archive { file: backup.file.display().to_string(), source })?;
    for table in &tables {
        table.go_on(db).await?;
    }
    store.migrate_to(db, crate::store::NEWEST).await?;
    sequences::advance(db, SEQUENCES_ADVANCED).await?;
    store.log.sign_with(backup.signer.clone());
    let trusted = store.log.trusted(db).await?;
    let remembered = audit::remembered(&dir.join(FILE), &trusted);
    let lost = remembered.filter(|known| contents.head.as_ref().is_none_or(|head| known.order(head).is_gt()));
    let detail = Detail::of("backupOf", name(&contents.created_at))
        .with("backupHead", contents.head.as_ref().map(|head| head.seq))
        .with("lostHead", lost.as_ref().map(|head| head.seq));
    let deed = Deed { action: RESTORE, project: None, env: None, detail };
    audit::append_restored(db, &deed, lost.as_ref()).await?;
    Ok(Loaded { rows, blobs, lost })
}

impl Loaded {
    /// From now on, this is what is remembered.
    fn end(
        self,
        dir: &Path,
        store: &Store,
        backup: &Source,
        verdict: Verdict,
        aside: Option<PathBuf>,
    ) -> io::Result<Restored> {
        store.log.remember(&dir.join(FILE))?;
        let Self { rows, blobs, lost } = self;
        Ok(Restored { contents: backup.checked.contents.clone(), rows, blobs, verdict, lost, aside })
    }
}

/// Id, what is sealed, time, and whether it is retired.
type KeyInBackup = (String, Vec<u8>, String, bool);

/// Every signing key in the backup.
fn signing_keys(path: &Path, contents: &archive::Contents) -> Result<Vec<KeyInBackup>, ArchiveError> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let (mut is_here, mut columns, mut found) = (false, Vec::new(), Vec::new());
    archive::read(path, contents, |piece| {
        match piece {
            Piece::Table(name, names) => (is_here, columns) = (name == "signing_keys", names),
            Piece::Row(line) if is_here => {
                let row: Vec<Option<String>> = serde_json::from_str(&line)?;
                let field = |name: &str| {
                    let at = columns.iter().position(|column| column == name)?;
                    row.get(at)?.clone()
                };
                let wrong = || io::Error::other("a signing key is none");
                let sealed = field("private").and_then(|text| STANDARD.decode(text).ok()).ok_or_else(wrong)?;
                let created_at = field("created_at").ok_or_else(wrong)?;
                found.push((field("id").ok_or_else(wrong)?, sealed, created_at, field("retired_at").is_some()));
            }
            Piece::Row(_) | Piece::Blob(..) => {}
        }
        Ok(())
    })?;
    Ok(found)
}

fn move_blobs(from: &Path, to: &Path) -> io::Result<()> {
    let from = from.join("sha256");
    if !from.exists() {
        return Ok(());
    }
    for group in fs::read_dir(from)? {
        let group = group?;
        let target = to.join("sha256").join(group.file_name());
        fs::create_dir_all(&target)?;
        for blob in fs::read_dir(group.path())? {
            let blob = blob?;
            fs::rename(blob.path(), target.join(blob.file_name()))?;
        }
    }
    Ok(())
}

/// For names of files.
pub(super) fn stamp() -> String {
    chrono::Utc::now().format("%Y%m%dT%H%M%S%3fZ").to_string()
}

fn remove_dir(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ArchiveError::Read(io::Error::other(error)))?
}
