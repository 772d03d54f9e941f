//! What applications ask of objects: a URL to put one or to get one, or that one is removed. Whether they may is decided here, from the
//! bucket's policies; the bytes come and go at the URL.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::{
    access::{Actor, ActorKind, Decision, Denial},
    code::Code,
    problem::{Outcome, Problem},
    storage::{ObjectKey, ObjectVerb, UploadBounds, told::Happened},
};
use santokit_wasm::{Condition, StorageError};
use serde_json::{Map, Value as Json, json};

use super::{
    Bucket, Buckets, UrlFor,
    multipart::Wanted,
    ops::{ObjectOp, Params},
    signed::{Deed, Size, Upload},
    told::Told,
};
use crate::{config::EnvName, crud::answer::Answer, metrics::Metrics};

/// Who asks, and of what.
pub struct Asked<'a> {
    /// Of the release.
    pub buckets: &'a Buckets,
    /// Whose they are.
    pub env: &'a EnvName,
    /// Who asks.
    pub actor: &'a Actor,
    /// When.
    pub now: DateTime<Utc>,
    /// Scheme and authority of the Bridge, as clients reach it.
    pub base: &'a str,
    /// The longest that a URL may live, and how long it does where nothing is said.
    pub expiry: Duration,
    /// Counts who was refused.
    pub metrics: &'a Metrics,
    /// Tells topics of what was done.
    pub told: Told<'a>,
}

impl Asked<'_> {
    /// Does it.
    pub async fn answer(&self, alias: &str, op: ObjectOp, params: Map<String, Json>) -> Outcome<Answer> {
        let declared = op.declared().as_ref().map_err(|error| Problem::internal(error.clone()))?;
        // The same for every bucket, also for one that is not there.
        let read = declared.check(Json::Object(params.clone()))?;
        let read: Params = serde_json::from_value(Json::Object(read)).map_err(Problem::internal)?;
        let bucket = self.buckets.get(alias).ok_or_else(|| self.unknown())?;
        let answer = match op {
            ObjectOp::UploadSign
            | ObjectOp::UploadComplete
            | ObjectOp::DownloadSign
            | ObjectOp::Delete
            | ObjectOp::MultipartStart => self.of_key(bucket, op, read, params).await?,
            ObjectOp::MultipartSign | ObjectOp::MultipartComplete | ObjectOp::MultipartAbort => {
                self.of_upload(bucket, op, &read).await?
            }
        };
        Ok(Answer::of(answer.to_string().into_bytes()))
    }

    async fn of_key(
        &self,
        bucket: &Bucket,
        op: ObjectOp,
        read: Params,
        mut params: Map<String, Json>,
    ) -> Outcome<Json> {
        let key = ObjectKey::parse(&read.key).map_err(|error| bad("key", &error.to_string()))?;
        // Conditions see a key in its one form: it can be written in others.
        params.insert("key".to_owned(), json!(key.as_str()));
        let bounds = self.decide(bucket, op.verb(), &key, &params)?;
        match op {
            ObjectOp::UploadSign => {
                let upload = upload(bucket, &bounds, &read)?;
                self.url(bucket, key, Deed::Put(upload), read.expires_in).await
            }
            ObjectOp::UploadComplete => self.uploaded(bucket, &key, &bounds, &params).await,
            ObjectOp::DownloadSign => {
                let deed = Deed::Get { save_as: read.save_as.map(|name| file_name(&name)).transpose()? };
                self.url(bucket, key, deed, read.expires_in).await
            }
            ObjectOp::MultipartStart => {
                let upload = upload(bucket, &bounds, &read)?;
                let Size::Exactly(size) = upload.size else { return Err(bad("size", "it is needed")) };
                let (content_type, is_new) = (upload.content_type, upload.is_new);
                self.start(bucket, Wanted { key, size, content_type, is_new }).await
            }
            _ => {
                self.told.admit(bucket, Happened::Delete).await?;
                let is_removed = bucket.remove(&key, &Condition::None).await.map_err(|error| problem_of(&error))?;
                if is_removed {
                    self.told.gone(bucket, &key).await?;
                }
                Ok(json!({"deleted": is_removed}))
            }
        }
    }

    /// `upload_complete`: what was put at the URL of a store is not seen here, and told when its sender says so. What is there may be another's:
    /// who may put it, and not read it, is told that it is there, and nothing else of it.
    async fn uploaded(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        bounds: &UploadBounds,
        params: &Map<String, Json>,
    ) -> Outcome<Json> {
        let found = bucket.stat(key).await.map_err(|error| problem_of(&error))?;
        let stat = found.ok_or_else(|| problem_of(&StorageError::Missing))?;
        // Others write to a store too, and a URL may be older than the rules are.
        fits(bucket, bounds, Some(stat.size), Some(&stat.content_type))?;
        if !bucket.is_local() {
            self.told.admit(bucket, Happened::Upload).await?;
            self.told.there(bucket, &stat).await?;
        }
        let (may_read, _) = bucket.policies.decide(ObjectVerb::Download, key, self.actor, params, self.now);
        Ok(match may_read {
            Decision::Allow => json!({"key": stat.key, "size": stat.size, "etag": stat.etag}),
            Decision::Deny { .. } | Decision::DenyAnonymous => json!({"key": stat.key}),
        })
    }

    async fn of_upload(&self, bucket: &Bucket, op: ObjectOp, read: &Params) -> Outcome<Json> {
        let (begun, key, bounds) = self.begun(bucket, &read.upload).await?;
        // What may be put can have become less since it was begun. To give it up one always may.
        if op != ObjectOp::MultipartAbort {
            begun.fits(bucket, &bounds)?;
        }
        match op {
            ObjectOp::MultipartSign => {
                let lives = self.lives(read.expires_in)?;
                self.missing(bucket, (&begun, &key), (read.from.unwrap_or(1), lives)).await
            }
            ObjectOp::MultipartComplete => self.complete(bucket, (&begun, &key)).await,
            _ => self.abort(bucket, (&begun, &key)).await,
        }
    }

    pub(super) fn decide(
        &self,
        bucket: &Bucket,
        verb: ObjectVerb,
        key: &ObjectKey,
        params: &Map<String, Json>,
    ) -> Outcome<UploadBounds> {
        let (decision, bounds) = bucket.policies.decide(verb, key, self.actor, params, self.now);
        match decision {
            Decision::Allow => Ok(bounds),
            Decision::DenyAnonymous => {
                self.metrics.denied(&bucket.alias, verb.as_str());
                Err(self.unknown())
            }
            Decision::Deny { reason } => {
                self.metrics.denied(&bucket.alias, verb.as_str());
                if self.actor.kind == ActorKind::User {
                    return Err(self.unknown());
                }
                let message = match reason {
                    Denial::Evaluation { rule, .. } => format!("the condition of rule {rule} cannot be evaluated"),
                    other => other.to_string(),
                };
                Err(Problem::new(Code::Forbidden, message))
            }
        }
    }

    /// The same whether there is no such bucket, or nothing in it for the caller.
    fn unknown(&self) -> Box<Problem> {
        match self.actor.kind {
            ActorKind::Anonymous => Problem::new(Code::Unauthorized, "this needs a credential"),
            _ => Problem::new(Code::NotFound, "there is no such bucket, or nothing in it for you"),
        }
    }

    /// Of a URL, in seconds.
    fn lives(&self, expires_in: Option<u64>) -> Outcome<u32> {
        let longest = self.expiry.as_secs();
        let seconds = expires_in.unwrap_or(longest);
        if seconds == 0 || seconds > longest {
            return Err(bad("expiresIn", &format!("a URL lives for 1 to {longest} seconds")));
        }
        u32::try_from(seconds).map_err(Problem::internal)
    }

    async fn url(&self, bucket: &Bucket, key: ObjectKey, deed: Deed, expires_in: Option<u64>) -> Outcome<Json> {
        let lives = self.lives(expires_in)?;
        let now = self.now.timestamp();
        let of = UrlFor { env: self.env, base: self.base, now, lives };
        let presigned = bucket.url(&key, &deed, of).await.map_err(|error| problem_of(&error))?;
        let until = DateTime::from_timestamp(now.saturating_add(lives.into()), 0).unwrap_or(self.now);
        let mut answer = json!({
            "url": presigned.url, "key": key.as_str(), "expiresAt": until.to_rfc3339_opts(SecondsFormat::Secs, true),
            "method": if matches!(deed, Deed::Put(_)) { "PUT" } else { "GET" },
        });
        if let Deed::Put(upload) = &deed {
            let headers = presigned.headers.into_iter().map(|(name, value)| (shown(name), json!(value)));
            answer["headers"] = headers.collect::<Map<String, Json>>().into();
            let (name, bytes) = match upload.size {
                Size::Exactly(bytes) => ("size", bytes),
                Size::AtMost(bytes) => ("maxSize", bytes),
            };
            answer[name] = json!(bytes);
        }
        Ok(answer)
    }
}

/// A header's name as people write it.
fn shown(name: &str) -> String {
    let part = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

/// What an upload must be, by what it says of itself and what it may be.
fn upload(bucket: &Bucket, bounds: &UploadBounds, read: &Params) -> Outcome<Upload> {
    let size = read.size.as_ref().map(|size| size.parse::<u64>()).transpose().map_err(Problem::internal)?;
    let most = fits(bucket, bounds, size, read.content_type.as_deref())?;
    Ok(Upload {
        size: size.map_or(Size::AtMost(most), Size::Exactly),
        content_type: read.content_type.clone(),
        sha256: read.sha256.clone(),
        is_new: read.only_new,
    })
}

/// Whether an upload may be what it says of itself; the most bytes that it may have.
pub(super) fn fits(
    bucket: &Bucket,
    bounds: &UploadBounds,
    size: Option<u64>,
    content_type: Option<&str>,
) -> Outcome<u64> {
    let most = bounds.max_size.map_or(bucket.object_bytes_max, |size| size.0.min(bucket.object_bytes_max));
    if size.is_some_and(|size| size > most) {
        return Err(Problem::limit(
            Code::BadRequest,
            "objectSize",
            format!("an object of this key has {most} bytes at most"),
        ));
    }
    match content_type {
        Some(kind) if !is_header(kind) => return Err(bad("contentType", "it is no content type")),
        Some(kind) if bounds.allows_type(kind) => {}
        None if bounds.allowed_types.is_empty() => {}
        Some(_) => return Err(bad("contentType", "objects of this key are of other types")),
        None => return Err(bad("contentType", "objects of this key are of some types only: say which")),
    }
    Ok(most)
}

/// What a header can hold as it is.
fn is_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.trim() == text
}

/// A name that is no path, and that nothing hides in.
fn file_name(text: &str) -> Outcome<String> {
    match ObjectKey::parse(text) {
        Ok(name) if !name.as_str().contains('/') => Ok(name.as_str().to_owned()),
        _ => Err(bad("saveAs", "it is no name of a file")),
    }
}

fn bad(field: &str, message: &str) -> Box<Problem> {
    Problem::new(Code::SchemaValidationFailed, format!("{field}: {message}"))
        .detail("errors", json!([{"field": field, "message": message}]))
}

/// For applications.
pub fn problem_of(error: &StorageError) -> Box<Problem> {
    match error {
        StorageError::Missing => Problem::new(Code::NotFound, "there is no such object"),
        StorageError::Precondition => Problem::new(Code::Conflict, "the object is not as was asked for"),
        StorageError::Checksum => Problem::new(Code::BadRequest, "the bytes have another digest than was said"),
        StorageError::TooLarge(most) => {
            Problem::limit(Code::BadRequest, "objectSize", format!("an object of this key has {most} bytes at most"))
        }
        StorageError::Full(_) => Problem::limit(Code::ServiceUnavailable, "storageEnvBytes", "there is no room for it"),
        StorageError::Invalid(message) | StorageError::Denied(message) => {
            Problem::new(Code::BadRequest, message.clone())
        }
        StorageError::Unavailable | StorageError::Bytes => {
            Problem::new(Code::ServiceUnavailable, "the store of objects does not answer")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_says_is_told_by_its_code() {
        for (error, code, limit) in [
            (StorageError::Missing, Code::NotFound, None),
            (StorageError::Precondition, Code::Conflict, None),
            (StorageError::Checksum, Code::BadRequest, None),
            (StorageError::TooLarge(1), Code::BadRequest, Some("objectSize")),
            (StorageError::Full(String::new()), Code::ServiceUnavailable, Some("storageEnvBytes")),
            (StorageError::Unavailable, Code::ServiceUnavailable, None),
        ] {
            let problem = problem_of(&error);
            let body = problem.body("req_1");
            let told = body.details.get("limit").and_then(Json::as_str);
            assert_eq!((problem.code, told), (code, limit), "{error:?}");
        }
    }

    #[test]
    fn a_name_to_save_under_is_no_path() {
        assert_eq!(file_name("a b.pdf").unwrap(), "a b.pdf");
        for name in ["", "a/b", "..", "a\\b", "a\nb", "\u{202e}fdp.exe"] {
            assert!(file_name(name).is_err(), "{name:?}");
        }
    }
}
