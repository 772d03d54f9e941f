//! Objects for a guest: what it was granted of which bucket, and what it has open.

use std::collections::HashMap;

use chrono::Utc;
use santokit_core::{
    access::Actor,
    logic::{StorageGrant, StorageOp},
    storage::{KeyPattern, ObjectKey, ObjectPrefix, Variable},
};
use santokit_wasm::{
    Condition, ObjectPage, ObjectStat, PutOptions, ReaderId, SignedUrl, StorageError, ToldName, UrlAsked, UrlDeed,
    WriterId,
};
use serde_json::Value as Json;
use tracing::{Instrument, field::Empty};

use super::Session;
use crate::{
    config::EnvName,
    storage::{Bucket, Reader, UrlFor, Writer, signed::Deed},
};

/// Readers and writers of an invocation at once: each is an open file.
const OPEN_MAX: usize = 16;

/// Grants with their patterns read.
#[derive(Debug, Default)]
pub struct GrantedObjects(Vec<(StorageGrant, Vec<KeyPattern>)>);

/// What a guest may put, where it names objects in rows.
#[derive(Clone, Copy, Debug)]
pub struct GuestObjects<'g> {
    /// To its component.
    pub(super) granted: &'g GrantedObjects,
    /// For whom it was called.
    pub(super) actor: &'g Actor,
}

/// What an invocation has open.
#[derive(Debug, Default)]
pub(super) struct OpenObjects {
    readers: HashMap<u32, Reader>,
    writers: HashMap<u32, Writer>,
    last: u32,
}

impl GrantedObjects {
    /// Of a component. The error is for operators.
    pub fn of(grants: &[StorageGrant]) -> Result<Self, String> {
        let read = |grant: &StorageGrant| {
            let patterns = grant.keys.iter().map(|pattern| KeyPattern::parse(pattern));
            let patterns = patterns.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
            Ok((grant.clone(), patterns))
        };
        Ok(Self(grants.iter().map(read).collect::<Result<_, String>>()?))
    }

    fn patterns(&self, bucket: &str, op: StorageOp) -> impl Iterator<Item = &KeyPattern> {
        let fits =
            move |(grant, _): &&(StorageGrant, Vec<KeyPattern>)| grant.bucket == bucket && grant.ops.contains(&op);
        self.0.iter().filter(fits).flat_map(|(_, patterns)| patterns)
    }
}

impl GuestObjects<'_> {
    /// Whether it may put this one itself.
    pub fn may_put(&self, bucket: &str, key: &ObjectKey) -> bool {
        let known = known(self.actor);
        self.granted.patterns(bucket, StorageOp::Put).any(|pattern| pattern.covers(key, &known))
    }
}

impl Session {
    pub(super) async fn object_stat(&mut self, bucket: &str, key: &str) -> Result<Option<ObjectStat>, StorageError> {
        let (bucket, key) = self.granted(bucket, key, StorageOp::Get)?;
        traced("stat", bucket.stat(&key)).await
    }

    pub(super) async fn object_open(
        &mut self,
        bucket: &str,
        key: &str,
    ) -> Result<(ReaderId, ObjectStat), StorageError> {
        let (bucket, key) = self.granted(bucket, key, StorageOp::Get)?;
        self.objects.need_room()?;
        let reader = traced("get", bucket.open(&key)).await?;
        let (id, stat) = (self.objects.next(), reader.stat.clone());
        self.objects.readers.insert(id, reader);
        Ok((ReaderId(id), stat))
    }

    pub(super) async fn object_read(
        &mut self,
        reader: ReaderId,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, StorageError> {
        let reader = self.objects.readers.get(&reader.0).ok_or_else(ended)?;
        reader.read(offset, length).await
    }

    pub(super) fn object_close(&mut self, reader: ReaderId) {
        self.objects.readers.remove(&reader.0);
    }

    pub(super) async fn object_create(
        &mut self,
        bucket: &str,
        key: &str,
        options: PutOptions,
    ) -> Result<WriterId, StorageError> {
        let (bucket, key) = self.granted(bucket, key, StorageOp::Put)?;
        self.objects.need_room()?;
        let writer = traced("put", bucket.create(key, options)).await?;
        let id = self.objects.next();
        self.objects.writers.insert(id, writer);
        Ok(WriterId(id))
    }

    pub(super) async fn object_write(&mut self, writer: WriterId, part: Vec<u8>) -> Result<(), StorageError> {
        self.objects.writers.get_mut(&writer.0).ok_or_else(ended)?.write(part).await
    }

    pub(super) async fn object_finish(&mut self, writer: WriterId) -> Result<ObjectStat, StorageError> {
        let writer = self.objects.writers.remove(&writer.0).ok_or_else(ended)?;
        traced("finish", writer.finish()).await
    }

    pub(super) fn object_abort(&mut self, writer: WriterId) {
        self.objects.writers.remove(&writer.0);
    }

    pub(super) async fn object_list(
        &mut self,
        bucket: &str,
        prefix: &str,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<ObjectPage, StorageError> {
        let prefix = ObjectPrefix::parse(prefix).map_err(|error| StorageError::Invalid(error.to_string()))?;
        let after = cursor.map(key).transpose()?;
        let is_granted = {
            let known = known(&self.actor);
            self.granted_objects.patterns(bucket, StorageOp::List).any(|pattern| pattern.covers_prefix(&prefix, &known))
        };
        let bucket = self.bucket(bucket, is_granted, StorageOp::List)?;
        traced("list", bucket.list(&prefix, after.as_ref(), limit)).await
    }

    pub(super) async fn object_remove(
        &mut self,
        bucket: &str,
        key: &str,
        condition: Condition,
    ) -> Result<bool, StorageError> {
        let (bucket, key) = self.granted(bucket, key, StorageOp::Delete)?;
        traced("delete", bucket.remove(&key, &condition)).await
    }

    /// A URL by which others do what the logic may do itself.
    pub(super) async fn object_presign(
        &mut self,
        bucket: &str,
        key: &str,
        UrlAsked { deed, expires_in }: UrlAsked,
    ) -> Result<SignedUrl, StorageError> {
        self.granted(bucket, key, StorageOp::Presign)?;
        let op = if matches!(deed, UrlDeed::Get { .. }) { StorageOp::Get } else { StorageOp::Put };
        let (bucket, key) = self.granted(bucket, key, op)?;
        let lives = self.buckets.lives(expires_in)?;
        // What a caller says in Host is no address to hand on to others.
        let base = match self.buckets.public_url() {
            Some(base) => base,
            None if !bucket.is_local() => "",
            None => {
                let message = "the Bridge does not know how clients reach it: its publicUrl is not set";
                return Err(StorageError::Invalid(message.to_owned()));
            }
        };
        let deed = bucket.deed(deed)?;
        let env = EnvName { project: self.invocation.project.clone(), env: self.invocation.env.clone() };
        let now = Utc::now().timestamp();
        let presigned = traced("presign", bucket.url(&key, &deed, UrlFor { env: &env, base, now, lives })).await?;
        Ok(SignedUrl {
            url: presigned.url,
            method: if matches!(deed, Deed::Put(_)) { "PUT" } else { "GET" }.to_owned(),
            headers: presigned.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            expires: u64::try_from(now.saturating_add(lives.into())).unwrap_or(0).saturating_mul(1_000),
        })
    }

    /// A bucket and a key in its one form, where the deed is granted.
    fn granted(&self, bucket: &str, text: &str, op: StorageOp) -> Result<(Bucket, ObjectKey), StorageError> {
        let key = key(text)?;
        let known = known(&self.actor);
        let is_granted = self.granted_objects.patterns(bucket, op).any(|pattern| pattern.covers(&key, &known));
        Ok((self.bucket(bucket, is_granted, op)?, key))
    }

    /// A bucket that the release has not is answered as one that is not granted.
    fn bucket(&self, alias: &str, is_granted: bool, op: StorageOp) -> Result<Bucket, StorageError> {
        let found = self.buckets.get(alias).filter(|_| is_granted).cloned();
        found.ok_or_else(|| {
            let (op, alias) = (op.as_str(), ToldName(alias));
            StorageError::Denied(format!("grants.storage does not allow {op} of this key in bucket {alias}"))
        })
    }
}

impl OpenObjects {
    fn need_room(&self) -> Result<(), StorageError> {
        if self.readers.len() + self.writers.len() < OPEN_MAX {
            return Ok(());
        }
        Err(StorageError::Invalid(format!("more than {OPEN_MAX} objects are open; drop those that are done with")))
    }

    fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }
}

fn key(text: &str) -> Result<ObjectKey, StorageError> {
    ObjectKey::parse(text).map_err(|error| StorageError::Invalid(error.to_string()))
}

/// What patterns may be told of a caller.
fn known(actor: &Actor) -> impl Fn(&Variable) -> Option<String> {
    move |variable| match variable {
        Variable::Subject => actor.subject.clone(),
        Variable::Claim(name) => match actor.claims.get(name)? {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        },
    }
}

fn ended() -> StorageError {
    StorageError::Invalid("the object is open no more".to_owned())
}

/// A span for what reaches a disk. No key is seen: it can be a secret.
async fn traced<T>(op: &'static str, call: impl Future<Output = Result<T, StorageError>>) -> Result<T, StorageError> {
    let span = tracing::debug_span!("host.storage", op, outcome = Empty);
    let answer = call.instrument(span.clone()).await;
    span.record("outcome", answer.as_ref().map_or_else(StorageError::code, |_| "ok"));
    answer
}
