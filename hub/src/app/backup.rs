//! A backup of the Hub in one file, made while it runs: every table as it was at one moment, and every component. Secrets stay
//! sealed in it; the master key that opens them is not in it.

use std::{fs::File, io};

use chrono::{SecondsFormat, Utc};
use santokit_core::{
    audit::Head,
    problem::{Outcome, Problem},
    release::Digest,
};

use super::{App, releases::blocking};
use crate::store::{
    Engine, StoreError,
    audit::{self, Caller, Deed, Detail, name},
    commit,
    dump::{self, Table},
    releases,
};

pub mod archive;

use archive::{Contents, Scratch, Writer};

/// A backup, complete, in a file that nobody else can open.
#[derive(Debug)]
pub struct Backup {
    /// At its beginning.
    pub file: File,
    /// In bytes.
    pub length: u64,
}

impl App {
    /// Makes a backup. It has an entry in the audit log, which is in the backup too.
    pub async fn backup(&self, caller: &Caller) -> Outcome<Backup> {
        let _one = self.backups_at_once.acquire().await.map_err(Problem::internal)?;
        let mut db = self.store.write().await?;
        let detail = Detail::of("engine", name(engine_name(self.store.engine())));
        let deed = Deed { action: "hub.backup", project: None, env: None, detail };
        audit::append(&mut db, caller, &deed).await?;
        commit(db).await?;
        Ok(self.write_backup().await?)
    }

    async fn write_backup(&self) -> Result<Backup, StoreError> {
        let mut writer = Writer::begin(Scratch::file(&self.data_dir)?);
        // One moment for all tables.
        let mut db = self.store.snapshot().await?;
        let version = self.store.version(&mut db).await?;
        let tables = dump::tables(version)
            .await?
            .ok_or_else(|| StoreError::Newer(i64::try_from(version).unwrap_or(i64::MAX)))?;
        for table in &tables {
            writer = self.write_table(&mut db, table, writer).await?;
        }
        let head = match audit::head(&mut db).await? {
            Some(envelope) => Head::open(&envelope, &self.store.log.trusted(&mut db).await?).ok(),
            None => None,
        };
        let blobs = releases::all_blobs(&mut db).await?;
        drop(db);
        // A component that was known at that moment is there for a day still, whatever is removed meanwhile.
        for digest in blobs {
            let digest = Digest::parse(&digest).map_err(|error| StoreError::Damaged(error.to_string()))?;
            let _permit = self.blobs_at_once.acquire().await.map_err(io::Error::other)?;
            let bytes = self.read_kept(&digest).await?;
            writer = blocking_io(move || {
                writer.blob(&digest, &bytes)?;
                Ok(writer)
            })
            .await?;
        }
        let contents = Contents {
            format: archive::FORMAT,
            version: santokit_core::release::VERSION.to_owned(),
            schema_version: version,
            engine: engine_name(self.store.engine()).to_owned(),
            created_at: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            head,
            members: Vec::new(),
        };
        let key = self.store.log.signer()?.key;
        let (file, length) = blocking_io(move || writer.end(contents, &key)).await?;
        Ok(Backup { file, length })
    }

    /// A row at a time into a file, since an archive wants to know how long a member is before it begins.
    async fn write_table(
        &self,
        db: &mut crate::store::Db,
        table: &Table,
        mut writer: Writer,
    ) -> Result<Writer, StoreError> {
        let mut scratch = Scratch::new(&self.data_dir)?;
        let columns = serde_json::to_string(&table.columns()).map_err(io::Error::other)?;
        scratch.line(&columns)?;
        let rows = table.dump(db, |line| scratch.line(line)).await?;
        let name = table.name.clone();
        blocking_io(move || {
            writer.table(&name, rows, scratch)?;
            Ok(writer)
        })
        .await
    }

    async fn read_kept(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let found = self.store.blobs.get(digest).await?;
        found.ok_or_else(|| {
            StoreError::Damaged(format!("blob {digest} is lost; upload it again, then there can be a backup"))
        })
    }
}

pub(super) fn engine_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    }
}

async fn blocking_io<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = blocking(work).await.map_err(|problem| io::Error::other(problem.message))?;
    Ok(done?)
}
