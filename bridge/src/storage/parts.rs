//! An object that comes in parts: each at a URL of its own, in any order and again where one broke off, and put together when all are there. On a disk
//! parts are objects of their own, in a bucket that no release can name; a store of S3 keeps them itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rusty_s3::S3Action;
use santokit_core::{
    id::Kind,
    storage::{ObjectKey, ObjectPrefix},
};
use santokit_wasm::{Condition, ObjectStat, PutOptions, StorageError};
use tokio::try_join;

use super::{
    Bucket, Reader, Store, UrlFor, local, now, s3,
    signed::{Deed, Signed, UrlKey},
};

/// Of each part but the last. The largest object has some six hundred.
pub(super) const PART_BYTES: u64 = 8 << 20;
/// How long an upload may take. Later its parts go.
pub(super) const UPLOAD_LIVES: Duration = Duration::from_hours(24);
const PAGE: u32 = 1_000;
/// Of a part at once, where parts are put together.
const COPIED_BYTES: u64 = 1 << 20;

/// What is there of an upload: by number, how large a part is and how the store calls it.
pub(super) type Parts = BTreeMap<u16, (u64, String)>;

impl Bucket {
    /// What says of an upload that it is one of ours is signed with this: the same for all Bridges of the env.
    pub async fn upload_key(&self) -> Result<UrlKey, StorageError> {
        match &self.store {
            Store::Local(store) => store.url_key().await,
            Store::S3(store) => store.place.upload_key(),
        }
    }

    /// Begins one; its id.
    pub async fn begin_parts(&self, key: &ObjectKey, content_type: Option<&str>) -> Result<String, StorageError> {
        match &self.store {
            Store::S3(store) => store.begin(&store.name(key)?, content_type.unwrap_or(s3::CONTENT_TYPE)).await,
            Store::Local(_) => Ok(Kind::Object.generate()),
        }
    }

    /// Where a part is put that has exactly so many bytes.
    pub async fn part_url(
        &self,
        key: &ObjectKey,
        (id, part, size): (&str, u16, u64),
        of: UrlFor<'_>,
    ) -> Result<String, StorageError> {
        match &self.store {
            Store::S3(store) => {
                let (name, credentials) = (store.name(key)?, store.place.credentials()?);
                let mut action = store.place.public().upload_part(Some(&credentials), &name, part, id);
                action.headers_mut().insert("content-length", size.to_string());
                Ok(action.sign(Duration::from_secs(of.lives.into())).into())
            }
            Store::Local(store) => {
                let deed = Deed::Part { upload: id.to_owned(), part, size };
                let (bucket, expires) = (self.alias.clone(), of.now.saturating_add(of.lives.into()));
                let signed = Signed { bucket, key: key.clone(), deed, expires };
                Ok(format!("{}{}", of.base, signed.path(of.env, &store.url_key().await?)))
            }
        }
    }

    /// Where a part lies on a disk, as a bucket and a key. None where parts are not on ours.
    pub fn part_place(&self, id: &str, part: u16) -> Option<(Self, ObjectKey)> {
        let Store::Local(_) = &self.store else { return None };
        Some((self.of_parts(), part_key(id, part).ok()?))
    }

    /// What is there.
    pub async fn parts(&self, key: &ObjectKey, id: &str) -> Result<Parts, StorageError> {
        match &self.store {
            Store::S3(store) => store.parts(&store.name(key)?, id).await,
            Store::Local(_) => {
                let found = self.of_parts().all(&format!("{id}/")).await?;
                let part =
                    |stat: ObjectStat| Some((stat.key.rsplit('/').next()?.parse().ok()?, (stat.size, stat.etag)));
                Ok(found.into_iter().filter_map(part).collect())
            }
        }
    }

    /// Puts them together. All are there, and as large as they must be.
    pub async fn join_parts(
        &self,
        key: &ObjectKey,
        id: &str,
        parts: &Parts,
        (content_type, condition): (Option<String>, Condition),
    ) -> Result<ObjectStat, StorageError> {
        let size = parts.values().map(|(size, _)| size).sum();
        match &self.store {
            Store::S3(store) => {
                let etags: Vec<String> = parts.values().map(|(_, etag)| etag.clone()).collect();
                let name = store.name(key)?;
                // Not each store holds to a condition at this step.
                if condition == Condition::Absent && store.stat(key).await?.is_some() {
                    return Err(StorageError::Precondition);
                }
                let etag = store.complete(&name, id, (etags.as_slice(), size), &condition).await?;
                let content_type = content_type.unwrap_or_else(|| s3::CONTENT_TYPE.to_owned());
                Ok(ObjectStat { key: key.as_str().to_owned(), size, etag, content_type, modified: now() })
            }
            Store::Local(store) => {
                let options = PutOptions { content_type, condition, digest: None };
                let (bucket, store, parts) = (self.clone(), Arc::clone(store), parts.clone());
                let (key, id) = (key.clone(), id.to_owned());
                // Who waits may stop to; it takes as long as all of its bytes take, and is then there all the same.
                let joined =
                    tokio::spawn(async move { bucket.join_once(&store, (key, id.as_str()), &parts, options).await });
                joined.await.unwrap_or_else(|error| {
                    tracing::error!(error = %error, "parts of an object were not put together");
                    Err(StorageError::Unavailable)
                })
            }
        }
    }

    /// The object that an upload has become, as long as it is there. A store of S3 does not say.
    pub async fn joined(&self, id: &str) -> Result<Option<ObjectStat>, StorageError> {
        match &self.store {
            Store::Local(store) => store.joined(id).await,
            Store::S3(_) => Ok(None),
        }
    }

    /// Who asks again while it is being done, or after it, is told what has become of it; also where another Bridge has done it.
    async fn join_once(
        &self,
        store: &local::Store,
        (key, id): (ObjectKey, &str),
        parts: &Parts,
        options: PutOptions,
    ) -> Result<ObjectStat, StorageError> {
        let joining = store.joining(id);
        let _held = joining.lock().await;
        if let Some(stat) = store.joined(id).await? {
            return Ok(stat);
        }
        let stat = match self.join(store, (key.clone(), id), parts, options).await {
            Ok(stat) => stat,
            Err(error) => return store.joined(id).await?.ok_or(error),
        };
        // What cannot be removed now is swept later.
        if let Err(error) = self.drop_parts(&key, id).await {
            tracing::warn!(error = error.code(), "parts of an object stay after it was put together");
        }
        Ok(stat)
    }

    async fn join(
        &self,
        store: &local::Store,
        (key, id): (ObjectKey, &str),
        parts: &Parts,
        options: PutOptions,
    ) -> Result<ObjectStat, StorageError> {
        let of_parts = self.of_parts();
        let writer = store.create(self.alias.clone(), key, options, self.object_bytes_max).await?;
        let mut writer = writer.joins(id.to_owned());
        for (part, (size, _)) in parts {
            let reader = of_parts.open(&part_key(id, *part)?).await?;
            copy(&reader, *size, &mut writer).await?;
        }
        writer.finish().await
    }

    /// Gives an upload up.
    pub async fn drop_parts(&self, key: &ObjectKey, id: &str) -> Result<(), StorageError> {
        match &self.store {
            Store::S3(store) => store.abort(&store.name(key)?, id).await,
            Store::Local(store) => store.remove_under(&self.of_parts().alias, &format!("{id}/")).await,
        }
    }

    /// Its parts' own: `#` is in no name that a release can have.
    fn of_parts(&self) -> Self {
        Self { alias: format!("{}#parts", self.alias), object_bytes_max: PART_BYTES, ..self.clone() }
    }

    async fn all(&self, prefix: &str) -> Result<Vec<ObjectStat>, StorageError> {
        let prefix = ObjectPrefix::parse(prefix).map_err(|error| StorageError::Invalid(error.to_string()))?;
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.list(&prefix, after.as_ref(), PAGE).await?;
            found.extend(page.objects);
            match page.next.map(|next| ObjectKey::parse(&next)) {
                Some(Ok(next)) => after = Some(next),
                _ => return Ok(found),
            }
        }
    }
}

/// All of a part; what comes next is read while one piece is written.
async fn copy(reader: &Reader, size: u64, writer: &mut local::Writer) -> Result<(), StorageError> {
    let length = |offset: u64| usize::try_from((size - offset).min(COPIED_BYTES)).unwrap_or(0);
    let (mut offset, mut piece) = (0, reader.read(0, length(0)).await?);
    loop {
        offset += piece.len() as u64;
        if offset >= size {
            return writer.write(piece).await;
        }
        (piece, ()) = try_join!(reader.read(offset, length(offset)), writer.write(piece))?;
    }
}

/// Where a part lies, in the bucket of parts.
fn part_key(id: &str, part: u16) -> Result<ObjectKey, StorageError> {
    ObjectKey::parse(&format!("{id}/{part:05}")).map_err(|error| StorageError::Invalid(error.to_string()))
}
