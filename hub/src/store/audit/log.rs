//! Where the audit log ends, as this Hub knows it: by the signed head in the tables, and by its own memory of the last head that
//! it saw kept. The memory is in the process and in a file beside the data, where whoever can write the tables does not reach it.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use prometheus::Histogram;
use santokit_core::{
    audit::Head,
    id::Kind,
    release::{Envelope, SigningKey, VerifyingKey},
    seal::SealKey,
};

use super::{Caller, damaged, head, last};
use crate::store::{
    Db, StoreError, Writing,
    credentials::{self, SigningKeyRow},
};

/// In the data directory.
pub const FILE: &str = "audit-head.json";

/// What the Hub signs entries with, and how it knows its own signatures.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The newest of the Hub's keys.
    pub key: Arc<SigningKey>,
    /// Opens the others: who can only write the tables cannot add one.
    pub master_key: Arc<SealKey>,
}

/// The end of the log, shared by all who use a store.
#[derive(Debug, Default)]
pub struct Log(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    signer: Option<Signer>,
    trusted: Vec<VerifyingKey>,
    /// The last head that is known to be kept.
    anchor: Option<(Head, Envelope)>,
    file: Option<PathBuf>,
    lag: Option<Histogram>,
}

/// Where the next entry goes.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) next: i64,
    pub(super) prev_hash: Option<String>,
    pub(super) epoch: i64,
    /// What is there was written before entries were signed.
    pub(super) is_older: bool,
}

/// The Hub, for deeds that nobody asked for.
pub(super) fn itself() -> Caller {
    Caller { actor_id: "hub".to_owned(), actor_type: "system", request_id: Kind::Request.generate(), ip: None }
}

impl Log {
    /// Signs from now on.
    pub fn sign_with(&self, signer: Signer) {
        let mut state = self.state();
        state.trusted = vec![signer.key.verifying_key()];
        state.signer = Some(signer);
    }

    /// Measures how long an entry takes to be kept.
    pub fn measure(&self, lag: Histogram) {
        self.state().lag = Some(lag);
    }

    /// Remembers heads in a file too. One that is there already is believed where a key of this Hub has signed it.
    pub async fn remember_in(&self, db: &mut Db, file: PathBuf) -> Result<(), StoreError> {
        let trusted = self.trusted(db).await?;
        let known = read(&file, &trusted)?;
        let mut state = self.state();
        state.file = Some(file);
        state.anchor = known;
        Ok(())
    }

    /// Remembers the last head in a file, whatever it held.
    pub fn remember(&self, file: &Path) -> io::Result<()> {
        match &self.state().anchor {
            Some((_, envelope)) => write(file, envelope),
            None => Ok(()),
        }
    }

    /// What signs.
    pub fn signer(&self) -> Result<Signer, StoreError> {
        self.state().signer.clone().ok_or_else(|| damaged("nothing signs the audit log"))
    }

    /// The last head that is known to be kept.
    pub fn anchor(&self) -> Option<Head> {
        self.state().anchor.as_ref().map(|(head, _)| head.clone())
    }

    /// The Hub's public keys: those whose private half its master key opens.
    pub async fn trusted(&self, db: &mut Db) -> Result<Vec<VerifyingKey>, StoreError> {
        let signer = self.signer()?;
        let mut keys = vec![signer.key.verifying_key()];
        for row in credentials::signing_keys(db).await? {
            let key = if row.retired_at.is_some() {
                proved(&row, &signer.master_key)
            } else {
                opened(&row, &signer.master_key).map(|key| key.verifying_key())
            };
            keys.extend(key.filter(|key| !keys.contains(key)));
        }
        self.state().trusted.clone_from(&keys);
        Ok(keys)
    }

    /// What signs now: another Hub may have exchanged the key.
    pub(super) async fn current(&self, db: &mut Db) -> Result<Signer, StoreError> {
        let signer = self.signer()?;
        let Some(row) = credentials::signing_keys(db).await?.into_iter().find(|row| row.retired_at.is_none()) else {
            return Ok(signer);
        };
        if row.id == signer.key.verifying_key().id() {
            return Ok(signer);
        }
        let key = opened(&row, &signer.master_key).ok_or_else(|| damaged("the signing key cannot be opened"))?;
        let signer = Signer { key: Arc::new(key), master_key: signer.master_key };
        self.sign_with(signer.clone());
        Ok(signer)
    }

    /// A head was kept.
    pub fn kept(&self, head: Head, envelope: Envelope) {
        let mut state = self.state();
        if let Some(lag) = &state.lag
            && let Ok(written) = DateTime::parse_from_rfc3339(&head.ts)
        {
            lag.observe((Utc::now() - written.to_utc()).to_std().unwrap_or_default().as_secs_f64());
        }
        // Where logs are kept elsewhere, each line is a witness.
        tracing::info!(epoch = head.epoch, seq = head.seq, hash = head.hash.as_str(), "audited");
        if state.anchor.as_ref().is_some_and(|(known, _)| known.order(&head).is_ge()) {
            return;
        }
        if let Some(file) = &state.file
            && let Err(error) = write(file, &envelope)
        {
            tracing::warn!(file = %file.display(), %error, "the head of the audit log is not remembered in its file");
        }
        state.anchor = Some((head, envelope));
    }

    /// Where the next entry goes: after the last one that this Hub knows of.
    pub(super) async fn place(&self, db: &mut Writing) -> Result<Place, StoreError> {
        if let Some((head, _)) = &db.head {
            return Ok(Place::after(head, head.seq));
        }
        let found = head(db).await?;
        let last = last(db).await?;
        let last_seq = last.as_ref().map_or(0, |row| row.seq);
        if let Some(known) = self.believed(db, found.as_ref()).await? {
            if known.seq != last_seq {
                tracing::error!(
                    known = known.seq,
                    last = last_seq,
                    "the audit log does not end where it should; see `stk audit verify`"
                );
            }
            return Ok(Place::after(&known, last_seq.max(known.seq)));
        }
        if found.is_some() {
            tracing::error!("the head of the audit log is not signed by this Hub; see `stk audit verify`");
        }
        let prev_hash = last.map(|row| row.hash);
        Ok(Place { next: last_seq + 1, is_older: prev_hash.is_some(), prev_hash, epoch: 0 })
    }

    /// The later one of what is kept, where it is signed, and of what is remembered.
    async fn believed(&self, db: &mut Db, found: Option<&Envelope>) -> Result<Option<Head>, StoreError> {
        let (mut trusted, anchor) = {
            let state = self.state();
            (state.trusted.clone(), state.anchor.clone())
        };
        let Some(found) = found else { return Ok(anchor.map(|(head, _)| head)) };
        if let Some((head, envelope)) = &anchor
            && envelope == found
        {
            return Ok(Some(head.clone()));
        }
        if Head::open(found, &trusted).is_err() {
            // Another Hub may have a new key.
            trusted = self.trusted(db).await?;
        }
        let Ok(head) = Head::open(found, &trusted) else { return Ok(anchor.map(|(head, _)| head)) };
        match anchor {
            Some((known, _)) if known.order(&head).is_gt() => Ok(Some(known)),
            _ => Ok(Some(head)),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn after(head: &Head, last_seq: i64) -> Self {
        let prev_hash = Some(head.hash.as_str().to_owned());
        Self { next: last_seq + 1, prev_hash, epoch: head.epoch, is_older: false }
    }
}

/// What the seal of a retired key's proof is bound to.
pub fn proof_context(id: &str) -> String {
    format!("retired-signing-key/{id}")
}

fn opened(row: &SigningKeyRow, master_key: &SealKey) -> Option<SigningKey> {
    let der = master_key.open(&format!("signing-key/{}", row.id), &row.private).ok()?;
    SigningKey::from_pkcs8(&der).ok()
}

fn proved(row: &SigningKeyRow, master_key: &SealKey) -> Option<VerifyingKey> {
    let public = String::from_utf8(master_key.open(&proof_context(&row.id), &row.private).ok()?).ok()?;
    VerifyingKey::parse(&public).ok()
}

/// What a Hub remembered in a file; none where there is none that its key has signed.
pub fn remembered(file: &Path, trusted: &[VerifyingKey]) -> Option<Head> {
    read(file, trusted).ok().flatten().map(|(head, _)| head)
}

fn read(file: &Path, trusted: &[VerifyingKey]) -> io::Result<Option<(Head, Envelope)>> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let envelope: Option<Envelope> = serde_json::from_slice(&bytes).ok();
    let known = envelope.and_then(|envelope| Some((Head::open(&envelope, trusted).ok()?, envelope)));
    if known.is_none() {
        tracing::error!(file = %file.display(), "what this Hub remembers of its audit log is not signed by it");
    }
    Ok(known)
}

/// Whole or not at all. It may be older than the tables after a crash, which does no harm, so nothing waits for the disk.
fn write(file: &Path, envelope: &Envelope) -> io::Result<()> {
    let aside = file.with_extension("unfinished");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    serde_json::to_writer(options.open(&aside)?, envelope)?;
    fs::rename(aside, file)
}
