//! What applications ask of an upload in parts. What was decided at its start stands in what they hold of it, signed: which project, env, bucket and
//! key it is for, how large the object is and of which type. Whether they may is asked again each time.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    storage::{ObjectKey, ObjectVerb, UploadBounds, told::Happened},
};
use santokit_wasm::{Condition, StorageError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::{
    Bucket, UrlFor,
    asked::{Asked, fits, problem_of},
    parts::{PART_BYTES, UPLOAD_LIVES},
    signed::UrlKey,
};

const TOKEN_BYTES_MAX: usize = 8 << 10;
/// URLs of one answer.
const URLS_MAX: usize = 100;
const DOMAIN: &str = "santokit upload 1\n";

/// An upload, as its holder has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Begun {
    project: String,
    env: String,
    bucket: String,
    key: String,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_new: bool,
    id: String,
    expires: i64,
}

/// What is asked at its start.
pub(super) struct Wanted {
    pub(super) key: ObjectKey,
    pub(super) size: u64,
    pub(super) content_type: Option<String>,
    pub(super) is_new: bool,
}

impl Begun {
    fn signed(&self, key: &UrlKey) -> Outcome<String> {
        let text = serde_json::to_vec(self).map_err(Problem::internal)?;
        let signature = key.sign(DOMAIN, &text);
        Ok(format!("{}.{}", URL_SAFE_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Nothing of it is read before its signature holds.
    fn read(token: &str, key: &UrlKey) -> Option<Self> {
        let (text, signature) = Some(token).filter(|token| token.len() <= TOKEN_BYTES_MAX)?.split_once('.')?;
        let (text, signature) = (URL_SAFE_NO_PAD.decode(text).ok()?, URL_SAFE_NO_PAD.decode(signature).ok()?);
        if key.verifies(DOMAIN, &text, &signature) { serde_json::from_slice(&text).ok() } else { None }
    }

    fn parts(&self) -> u16 {
        u16::try_from(self.size.div_ceil(PART_BYTES)).unwrap_or(u16::MAX)
    }

    /// Of a part, in bytes.
    fn part_size(&self, part: u16) -> u64 {
        let before = u64::from(part.saturating_sub(1)) * PART_BYTES;
        self.size.saturating_sub(before).min(PART_BYTES)
    }

    /// Whether it may still be what it was begun as.
    pub(super) fn fits(&self, bucket: &Bucket, bounds: &UploadBounds) -> Outcome<()> {
        fits(bucket, bounds, Some(self.size), self.content_type.as_deref()).map(drop)
    }

    /// As it was asked for, for the rules.
    fn params(&self) -> Map<String, Json> {
        let mut params = Map::new();
        params.insert("key".to_owned(), json!(self.key));
        params.insert("size".to_owned(), json!(self.size));
        params.extend(self.content_type.as_ref().map(|kind| ("contentType".to_owned(), json!(kind))));
        if self.is_new {
            params.insert("onlyNew".to_owned(), json!(true));
        }
        params
    }
}

impl Asked<'_> {
    /// `multipart_start`: it was decided that it may be.
    pub(super) async fn start(&self, bucket: &Bucket, wanted: Wanted) -> Outcome<Json> {
        if wanted.size == 0 {
            return Err(Problem::new(Code::BadRequest, "an upload in parts has one byte at least")
                .hint("upload_sign is for small objects"));
        }
        let url_key = bucket.upload_key().await.map_err(|error| problem_of(&error))?;
        let begun = bucket.begin_parts(&wanted.key, wanted.content_type.as_deref()).await;
        let lives = i64::try_from(UPLOAD_LIVES.as_secs()).map_err(Problem::internal)?;
        let begun = Begun {
            project: self.env.project.clone(),
            env: self.env.env.clone(),
            bucket: bucket.alias.clone(),
            key: wanted.key.as_str().to_owned(),
            size: wanted.size,
            content_type: wanted.content_type,
            is_new: wanted.is_new,
            id: begun.map_err(|error| problem_of(&error))?,
            expires: self.now.timestamp().saturating_add(lives),
        };
        Ok(json!({
            "upload": begun.signed(&url_key)?, "key": begun.key, "size": begun.size, "partSize": PART_BYTES,
            "parts": begun.parts(), "expiresAt": time(begun.expires, self.now),
        }))
    }

    /// `multipart_sign`: URLs of parts that are not there.
    pub(super) async fn missing(
        &self,
        bucket: &Bucket,
        (begun, key): (&Begun, &ObjectKey),
        (from, lives): (u16, u32),
    ) -> Outcome<Json> {
        let found = bucket.parts(key, &begun.id).await.map_err(|error| gone(&error))?;
        let is_there = |part: u16| found.get(&part).is_some_and(|(size, _)| *size == begun.part_size(part));
        let missing: Vec<u16> = (1..=begun.parts()).filter(|part| !is_there(*part)).collect();
        let of = UrlFor { env: self.env, base: self.base, now: self.now.timestamp(), lives };
        let mut urls = Vec::new();
        for part in missing.iter().copied().filter(|part| *part >= from).take(URLS_MAX) {
            let size = begun.part_size(part);
            let url = bucket.part_url(key, (&begun.id, part, size), of).await.map_err(|error| problem_of(&error))?;
            urls.push(json!({"part": part, "size": size, "url": url}));
        }
        let expires = self.now.timestamp().saturating_add(lives.into());
        Ok(json!({"method": "PUT", "parts": urls, "missing": missing.len(), "expiresAt": time(expires, self.now)}))
    }

    /// `multipart_complete`.
    pub(super) async fn complete(&self, bucket: &Bucket, (begun, key): (&Begun, &ObjectKey)) -> Outcome<Json> {
        let mut found = bucket.parts(key, &begun.id).await.map_err(|error| gone(&error))?;
        found.retain(|part, _| (1..=begun.parts()).contains(part));
        let missing: Vec<u16> = (1..=begun.parts())
            .filter(|part| found.get(part).is_none_or(|(size, _)| *size != begun.part_size(*part)))
            .take(URLS_MAX)
            .collect();
        // Who asks again, because the answer before was lost, is answered the same, and what may not have been told is told.
        let joined = if missing.is_empty() { Ok(None) } else { bucket.joined(&begun.id).await };
        let joined = joined.map_err(|error| problem_of(&error))?;
        if joined.is_none() && !missing.is_empty() {
            return Err(Problem::new(Code::Conflict, "not all parts are there")
                .hint("multipart_sign answers URLs for those that are missing")
                .detail("missing", json!(missing)));
        }
        self.told.admit(bucket, Happened::Upload).await?;
        let stat = if let Some(stat) = joined {
            stat
        } else {
            let condition = if begun.is_new { Condition::Absent } else { Condition::None };
            let how = (begun.content_type.clone(), condition);
            bucket.join_parts(key, &begun.id, &found, how).await.map_err(|error| problem_of(&error))?
        };
        self.told.there(bucket, &stat).await?;
        Ok(json!({"key": stat.key, "size": stat.size, "etag": stat.etag}))
    }

    /// `multipart_abort`.
    pub(super) async fn abort(&self, bucket: &Bucket, (begun, key): (&Begun, &ObjectKey)) -> Outcome<Json> {
        bucket.drop_parts(key, &begun.id).await.map_err(|error| problem_of(&error))?;
        Ok(json!({"aborted": true}))
    }

    /// The upload that somebody holds, of this bucket, which the rules allow still, and what they let it be.
    pub(super) async fn begun(&self, bucket: &Bucket, token: &str) -> Outcome<(Begun, ObjectKey, UploadBounds)> {
        let url_key = bucket.upload_key().await.map_err(|error| problem_of(&error))?;
        let is_of_here = |begun: &Begun| {
            begun.project == self.env.project && begun.env == self.env.env && begun.bucket == bucket.alias
        };
        let begun = Begun::read(token, &url_key).filter(is_of_here);
        let key = begun.as_ref().and_then(|begun| ObjectKey::parse(&begun.key).ok());
        let (Some(begun), Some(key)) = (begun, key) else {
            return Err(Problem::new(Code::Forbidden, "this is no upload of this bucket")
                .hint("multipart_start begins one; send its upload as it was given"));
        };
        let bounds = self.decide(bucket, ObjectVerb::Upload, &key, &begun.params())?;
        if self.now.timestamp() >= begun.expires {
            return Err(Problem::new(Code::Forbidden, "this upload has expired").hint("begin another one"));
        }
        Ok((begun, key, bounds))
    }
}

/// An upload that the store does not know.
fn gone(error: &StorageError) -> Box<Problem> {
    match error {
        StorageError::Missing => Problem::new(Code::NotFound, "there is no such upload: it was completed or given up"),
        other => problem_of(other),
    }
}

fn time(seconds: i64, otherwise: DateTime<Utc>) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or(otherwise).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Begun {
        Begun {
            project: "shop".to_owned(),
            env: "prod".to_owned(),
            bucket: "images".to_owned(),
            key: "a".to_owned(),
            size: 2 * PART_BYTES + 1,
            content_type: Some("image/png".to_owned()),
            is_new: true,
            id: "obj_1".to_owned(),
            expires: 1_000,
        }
    }

    #[test]
    fn what_was_signed_is_read_and_nothing_else() {
        let key = UrlKey::new(&[7; 32]);
        let token = begun().signed(&key).unwrap();
        assert_eq!(Begun::read(&token, &key), Some(begun()));
        assert_eq!(Begun::read(&token, &UrlKey::new(&[8; 32])), None);
        let (text, signature) = token.split_once('.').unwrap();
        let larger = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Begun { size: 9, ..begun() }).unwrap());
        // The same key signs URLs: what it has signed as one is no upload.
        let other = URL_SAFE_NO_PAD.encode(key.sign("santokit url 1\n", &URL_SAFE_NO_PAD.decode(text).unwrap()));
        for forged in [
            String::new(),
            ".".to_owned(),
            text.to_owned(),
            format!("{text}."),
            format!("{larger}.{signature}"),
            format!("{text}.{other}"),
            format!("{text}.{signature}A"),
            "a".repeat(TOKEN_BYTES_MAX + 1),
        ] {
            assert_eq!(Begun::read(&forged, &key), None, "{forged}");
        }
    }

    #[test]
    fn parts_are_the_whole() {
        for size in [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 5_000_000_000] {
            let begun = Begun { size, ..begun() };
            let sizes: Vec<u64> = (1..=begun.parts()).map(|part| begun.part_size(part)).collect();
            assert_eq!(sizes.iter().sum::<u64>(), size);
            assert!(sizes.iter().all(|part| *part > 0) && sizes.len() <= 600, "{size}: {}", sizes.len());
        }
    }
}
