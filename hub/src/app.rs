//! What the Hub decides: the state that all requests share, and how it comes to be at the first start.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use santokit_core::{
    code::Code,
    id::Kind,
    problem::Problem,
    release::{Digest, EnvelopeError, SigningKey, VerifyingKey},
    seal::{SealError, SealKey},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, watch};

use crate::{
    clock::Clock,
    config::HubConfig,
    metrics::Metrics,
    store::{
        self, Failure, Place, Store, StoreError,
        audit::{Caller, Deed, Detail, FILE, Signer, append, name},
        commit,
        credentials::{self, SigningKeyRow},
        envs::now,
        operators::OperatorRow,
    },
};

pub mod access;
pub mod answers;
pub mod apply;
pub mod audit;
pub mod authority;
pub mod backup;
pub mod bridges;
pub mod canary;
pub mod ceilings;
pub mod databases;
mod deprecation;
mod drift;
pub mod fleet;
pub mod guest_logins;
pub mod import;
pub mod invites;
pub mod keys;
mod lock;
pub mod login;
pub mod master_key;
pub mod members;
pub mod operators;
pub mod orgs;
pub mod projects;
pub mod promote;
pub mod recover;
pub mod releases;
pub mod removal;
pub mod restore;
pub mod retention;
pub mod safety;
pub mod schema;
pub mod signatures;
pub mod status;
mod storage_keys;
pub mod teams;
pub mod tokens;
mod turn;
pub mod user_keys;
pub mod user_tokens;

use authority::OrgRole;
use login::Logins;

/// Components in memory at once: each may have 64 MiB.
const BLOBS_AT_ONCE: usize = 4;

/// A running Hub's state.
#[derive(Debug)]
pub struct App {
    /// What is kept.
    pub store: Store,
    /// What is counted.
    pub metrics: Metrics,
    /// Opens `/metrics` and nothing else.
    pub metrics_token: Option<SecretString>,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// Bounds how many components are in memory to be read.
    pub blobs_at_once: Arc<Semaphore>,
    /// Bounds how many components are uploaded at once; a slow upload must not hold up those who read.
    pub uploads: Arc<Semaphore>,
    /// What credentials are judged by.
    pub clock: Clock,
    logins: Logins,
    started_at: DateTime<Utc>,
    /// One is enough: each reads everything.
    backups_at_once: Semaphore,
    data_dir: PathBuf,
    /// While it is held, nobody replaces the database under this Hub.
    _lock: Option<File>,
    audit_retention: Duration,
    audit_entries_a_day: u32,
    releases_kept: u32,
    bridges_kept: Duration,
    guest_logins: guest_logins::LoginSettings,
    user_token_life: Duration,
    master_key: Arc<SealKey>,
    /// Given to each env that is made, in place of a new one.
    storage_key: Option<SecretString>,
    /// Makes ETags of secret content say nothing about it. Of the key that was current at the start: where Hubs differ in it, a Bridge
    /// that asks now one and now another is told the same once more.
    etag_salt: Digest,
    /// Counts pointer moves, this Hub's and others'; long polls wait for it.
    moved: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
}

/// Why a Hub cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory cannot be made, read or written.
    #[error("the data directory {dir} cannot be used; set STK_HUB_DATA_DIR to one that can be written")]
    DataDir {
        /// As configured.
        dir: String,
        /// Why.
        source: io::Error,
    },
    /// A restore, or another command that wants to be alone.
    #[error("a command is at work on the data directory; start the Hub when it has ended")]
    Busy,
    /// The database or the blobs.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not the key that sealed what is in the database.
    #[error(
        "the master key does not open this Hub's data; start it with the STK_MASTER_KEY that it was made with, or, where a \
         change of the key was stopped, end it with `stk hub rotate-master-key`"
    )]
    MasterKey(#[source] SealError),
    /// The signing key cannot be made or read.
    #[error("the signing key cannot be used")]
    SigningKey(#[from] EnvelopeError),
    /// A key for end users of an env cannot be made.
    #[error("a key for tokens of end users cannot be made")]
    UserKey(#[from] user_keys::NewKeyError),
    /// What Bridges sign uploads with cannot be made.
    #[error("a key for uploads cannot be made")]
    StorageKey(#[source] SealError),
    /// The system has no randomness.
    #[error("logins cannot be checked: {}", .0.message)]
    Logins(Box<Problem>),
    /// Two metrics have one name: a mistake in this program.
    #[error("the metrics cannot be made")]
    Metrics(#[from] prometheus::Error),
}

impl App {
    /// Opens the store; at the first start it makes the master key, the signing key and the operator's token, as far as they
    /// are not given. The path is where the operator's token was written, if it was not given.
    pub async fn open(config: &HubConfig) -> Result<(Self, Option<PathBuf>), StartError> {
        let dir = &config.data_dir;
        let at_disk = |source| StartError::DataDir { dir: dir.display().to_string(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at_disk)?;
        let dir = &fs::canonicalize(dir).map_err(at_disk)?;
        let master_key = match &config.master_key {
            Some(key) => key.clone(),
            None => Arc::new(master_key(&dir.join("master-key")).map_err(at_disk)?.map_err(StartError::MasterKey)?),
        };
        let lock = match &config.database_url {
            None => Some(lock::shared(dir).map_err(at_disk)?.ok_or(StartError::Busy)?),
            Some(_) => None,
        };
        let place = config.database_url.as_ref().map_or(Place::Directory(dir), Place::Postgres);
        let store = Store::open(place).await?;
        let (token, path) = if let Some(token) = &config.operator_token {
            (token.clone(), None)
        } else {
            let path = dir.join("operator-token");
            (operator_token(&path).map_err(at_disk)?, Some(path))
        };
        let metrics = Metrics::new()?;
        store.log.measure(metrics.audit_write_lag());
        let signing_key = prepare(&store, &master_key, &token, dir).await?;
        user_keys::furnish(&store, &master_key, &config.clock).await?;
        storage_keys::furnish(&store, &master_key, config.storage_key.as_ref()).await?;
        let etag_salt = Digest::of(&[b"etags of ".as_slice(), &signing_key.to_pkcs8()?].concat());
        let app = Self {
            store,
            metrics,
            metrics_token: config.metrics_token.clone(),
            body_timeout: config.body_timeout,
            blobs_at_once: Arc::new(Semaphore::new(BLOBS_AT_ONCE)),
            uploads: Arc::new(Semaphore::new(BLOBS_AT_ONCE)),
            clock: config.clock.clone(),
            logins: Logins::new().map_err(StartError::Logins)?,
            started_at: Utc::now(),
            backups_at_once: Semaphore::new(1),
            data_dir: dir.clone(),
            _lock: lock,
            audit_retention: config.audit_retention,
            audit_entries_a_day: config.audit_entries_a_day,
            releases_kept: config.releases_kept,
            bridges_kept: config.bridges_kept,
            guest_logins: config.guest_logins,
            user_token_life: config.user_token_life,
            master_key,
            storage_key: config.storage_key.clone(),
            etag_salt,
            moved: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        };
        Ok((app, path))
    }

    /// Ends waiting requests.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether it is about to end.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// An ETag that changes with the content and tells nothing of it.
    fn etag(&self, content: &[u8]) -> String {
        let salted = [self.etag_salt.as_str().as_bytes(), content].concat();
        format!("\"{}\"", &Digest::of(&salted).hex()[..32])
    }
}

impl From<StoreError> for Box<Problem> {
    fn from(error: StoreError) -> Self {
        match error.failure() {
            Failure::Away => Problem::new(Code::ServiceUnavailable, "the Hub's database does not answer, or is busy")
                .hint("try again; the Hub's log has the cause under the request id")
                .because(error),
            Failure::Character => Problem::new(Code::BadRequest, "a text has a character that cannot be kept"),
            Failure::Other => Problem::internal(error),
        }
    }
}

/// A random text of 256 bits that is safe in URLs and headers.
fn random_text() -> Result<String, Box<Problem>> {
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Problem::internal("no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The Hub itself, for deeds that nobody asked for.
fn hub_itself() -> Caller {
    Caller { actor_id: "hub".to_owned(), actor_type: "system", request_id: Kind::Request.generate(), ip: None }
}

async fn prepare(
    store: &Store,
    master_key: &Arc<SealKey>,
    token: &SecretString,
    dir: &Path,
) -> Result<Arc<SigningKey>, StartError> {
    let mut db = store.write().await?;
    let current = credentials::signing_keys(&mut db).await?.into_iter().next();
    let begin = |key: SigningKey| {
        let key = Arc::new(key);
        store.log.sign_with(Signer { key: Arc::clone(&key), master_key: Arc::clone(master_key) });
        key
    };
    let signing_key = if let Some(row) = current {
        let der = master_key.open(&keys::context(&row.id), &row.private).map_err(StartError::MasterKey)?;
        let key = begin(SigningKey::from_pkcs8(&der)?);
        store.log.remember_in(&mut db, dir.join(FILE)).await?;
        key
    } else {
        let key = SigningKey::generate()?;
        let public: VerifyingKey = key.verifying_key();
        let (id, der) = (public.id(), key.to_pkcs8()?);
        let private = master_key.seal(&keys::context(&id), &der).map_err(StartError::MasterKey)?;
        let (public_text, created_at) = (public.to_string(), now());
        let row = SigningKeyRow { id, public: public_text, private, created_at, replaced_at: None, retired_at: None };
        credentials::add_signing_key(&mut db, &row).await?;
        let key = begin(key);
        store.log.remember_in(&mut db, dir.join(FILE)).await?;
        let detail = Detail::of("id", name(&public.id()));
        let deed = Deed { action: "signingkey.create", project: None, env: None, detail };
        append(&mut db, &hub_itself(), &deed).await?;
        key
    };
    // Another token is another way in for the same operator.
    let (known, hash) = (credentials::first_operator(&mut db).await?, Digest::of(token.expose_secret().as_bytes()));
    let id = if let Some(id) = known {
        id
    } else {
        let (id, name) = (Kind::Operator.generate(), "first operator".to_owned());
        let row = OperatorRow { id: id.clone(), email: None, name, created_at: now(), disabled_at: None };
        store::operators::add(&mut db, &row).await?;
        store::members::set_org_role(&mut db, store::orgs::FIRST, &id, OrgRole::Owner.as_str()).await?;
        id
    };
    if credentials::set_operator(&mut db, &id, hash.as_str(), &now()).await? {
        let detail = Detail::of("id", name(&id));
        let deed = Deed { action: "operator.token", project: None, env: None, detail };
        append(&mut db, &hub_itself(), &deed).await?;
    }
    commit(db).await?;
    Ok(signing_key)
}

fn master_key(path: &Path) -> io::Result<Result<SealKey, SealError>> {
    if let Some(text) = read_private(path)? {
        return Ok(SealKey::parse(&text));
    }
    let text = match SealKey::generate_text() {
        Ok(text) => text,
        Err(error) => return Ok(Err(error)),
    };
    write_private(path, &text)?;
    tracing::warn!(
        path = %path.display(),
        "made a master key beside the data that it seals; keep it elsewhere and give it as STK_MASTER_KEY, and back it up: without it no secret can be read"
    );
    Ok(SealKey::parse(&text))
}

fn operator_token(path: &Path) -> io::Result<SecretString> {
    if let Some(text) = read_private(path)? {
        return Ok(text.into());
    }
    let token = format!("stk_op_{}", random_text().map_err(|_| io::Error::other("no randomness"))?);
    write_private(path, &token)?;
    tracing::info!(path = %path.display(), "made the operator's token; delete the file and start again to get another");
    Ok(token.into())
}

fn read_private(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
        Ok(_) => Err(io::Error::other(format!("{} is empty", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whole or not at all: half a key would lock its owner out.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}
