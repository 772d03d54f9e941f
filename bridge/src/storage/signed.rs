//! URLs of objects that a Bridge keeps itself: who holds one may do what it says, with the object that it names, until it expires. Here they are
//! made and checked, without I/O; whether somebody may have one was decided before.
//!
//! What is signed is everything that it says, so that nothing of it can be another thing.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use santokit_core::storage::ObjectKey;

use crate::config::EnvName;

/// What RFC 3986 calls unreserved stays as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Bytes of a key that signs.
pub(super) const KEY_BYTES: usize = 32;

/// What an env's URLs are signed with.
#[derive(Clone, Debug)]
pub struct UrlKey(hmac::Key);

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The bucket's alias.
    pub bucket: String,
    /// The object.
    pub key: ObjectKey,
    /// What may be done.
    pub deed: Deed,
    /// Until when, in seconds since 1970.
    pub expires: i64,
}

/// What may be done with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is read.
    Get {
        /// The name that a browser saves it under; none lets it show what is safe to be shown.
        save_as: Option<String>,
    },
    /// It is written.
    Put(Upload),
    /// A part of it is written.
    Part {
        /// Of which upload.
        upload: String,
        /// From 1 on.
        part: u16,
        /// Exactly so many bytes.
        size: u64,
    },
}

/// What an object must be that is put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// Bytes: exactly so many, or at most.
    pub size: Size,
    /// The content type that it must be sent with.
    pub content_type: Option<String>,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: Option<String>,
    /// Whether there must be none yet.
    pub is_new: bool,
}

/// Of an object that is put, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Neither more nor less.
    Exactly(u64),
    /// Not more.
    AtMost(u64),
}

/// Why a URL is none. Its holder is told nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not made by us, or another one than was made.
    Forged,
    /// It was good.
    Expired,
}

impl Default for Size {
    fn default() -> Self {
        Self::AtMost(u64::MAX)
    }
}

impl UrlKey {
    pub(super) fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Of bytes of another kind than URLs.
    pub(super) fn sign(&self, domain: &str, bytes: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, &[domain.as_bytes(), bytes].concat()).as_ref().to_vec()
    }

    pub(super) fn verifies(&self, domain: &str, bytes: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.0, &[domain.as_bytes(), bytes].concat(), signature).is_ok()
    }
}

impl Signed {
    /// Path and query, below the Bridge's address.
    pub fn path(&self, env: &EnvName, key: &UrlKey) -> String {
        let mut path = format!("/p/{}/{}/storage/{}", escaped(&env.project), escaped(&env.env), escaped(&self.bucket));
        for segment in self.key.as_str().split('/') {
            path.push('/');
            path.push_str(&escaped(segment));
        }
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key.0, self.message(env).as_bytes()));
        let mut separator = '?';
        for (name, value) in self.query().chain([("signature", signature)]) {
            // Writing to a text does not fail.
            let _ = write!(path, "{separator}{name}={}", escaped(&value));
            separator = '&';
        }
        path
    }

    /// What a request asks for, by a URL: the bucket and the key of its path, decoded, and its query as it was sent.
    pub fn check(
        (env, url_key): (&EnvName, &UrlKey),
        bucket: &str,
        key: ObjectKey,
        query: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        let mut read = Query::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').ok_or(Refusal::Forged)?;
            read.set(name, decoded(value)?)?;
        }
        let signature =
            read.signature.take().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(Refusal::Forged)?;
        let signed = read.signed(bucket, key).ok_or(Refusal::Forged)?;
        hmac::verify(&url_key.0, signed.message(env).as_bytes(), &signature).map_err(|_| Refusal::Forged)?;
        if now.timestamp() >= signed.expires { Err(Refusal::Expired) } else { Ok(signed) }
    }

    /// Whether it is the URL's method.
    pub fn is_for(&self, method: &http::Method) -> bool {
        match self.deed {
            Deed::Get { .. } => *method == http::Method::GET || *method == http::Method::HEAD,
            Deed::Put(_) | Deed::Part { .. } => *method == http::Method::PUT,
        }
    }

    fn query(&self) -> impl Iterator<Item = (&'static str, String)> {
        let (verb, mut more) = match &self.deed {
            Deed::Get { save_as } => ("get", vec![("save", save_as.clone())]),
            Deed::Put(Upload { size, content_type, sha256, is_new }) => {
                let size = match size {
                    Size::Exactly(bytes) => ("size", Some(bytes.to_string())),
                    Size::AtMost(bytes) => ("max", Some(bytes.to_string())),
                };
                let is_new = ("new", is_new.then(|| "1".to_owned()));
                ("put", vec![size, ("type", content_type.clone()), ("sha256", sha256.clone()), is_new])
            }
            Deed::Part { upload, part, size } => {
                let (part, size) = (Some(part.to_string()), Some(size.to_string()));
                ("part", vec![("upload", Some(upload.clone())), ("part", part), ("size", size)])
            }
        };
        more.splice(0..0, [("verb", Some(verb.to_owned())), ("expires", Some(self.expires.to_string()))]);
        more.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// All of it, in one way only: no part has a line's end, and each line begins with what it is.
    fn message(&self, env: &EnvName) -> String {
        let mut message =
            format!("santokit url 1\n{}\n{}\n{}\n{}", env.project, env.env, self.bucket, self.key.as_str());
        for (name, value) in self.query() {
            let _ = write!(message, "\n{name}={}", escaped(&value));
        }
        message
    }
}

/// A query as it is read, each name once.
#[derive(Default)]
struct Query {
    verb: Option<String>,
    expires: Option<String>,
    save: Option<String>,
    size: Option<String>,
    max: Option<String>,
    kind: Option<String>,
    sha256: Option<String>,
    new: Option<String>,
    upload: Option<String>,
    part: Option<String>,
    signature: Option<String>,
}

impl Query {
    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        let place = match name {
            "verb" => &mut self.verb,
            "expires" => &mut self.expires,
            "save" => &mut self.save,
            "size" => &mut self.size,
            "max" => &mut self.max,
            "type" => &mut self.kind,
            "sha256" => &mut self.sha256,
            "new" => &mut self.new,
            "upload" => &mut self.upload,
            "part" => &mut self.part,
            "signature" => &mut self.signature,
            _ => return Err(Refusal::Forged),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(Refusal::Forged),
        }
    }

    fn signed(self, bucket: &str, key: ObjectKey) -> Option<Signed> {
        let expires = self.expires?.parse().ok()?;
        // What a verb does not have is not signed with it.
        let of_put = [&self.max, &self.kind, &self.sha256, &self.new];
        let (is_put, is_part) =
            (of_put.iter().any(|more| more.is_some()), self.upload.is_some() || self.part.is_some());
        let deed = match (self.verb?.as_str(), self.save) {
            ("get", save_as) if !is_put && !is_part && self.size.is_none() => Deed::Get { save_as },
            ("part", None) if !is_put => {
                Deed::Part { upload: self.upload?, part: self.part?.parse().ok()?, size: self.size?.parse().ok()? }
            }
            ("put", None) if !is_part => Deed::Put(Upload {
                size: match (self.size, self.max) {
                    (Some(size), None) => Size::Exactly(size.parse().ok()?),
                    (None, Some(max)) => Size::AtMost(max.parse().ok()?),
                    _ => return None,
                },
                content_type: self.kind,
                sha256: self.sha256,
                is_new: match self.new.as_deref() {
                    None => false,
                    Some("1") => true,
                    Some(_) => return None,
                },
            }),
            _ => return None,
        };
        Some(Signed { bucket: bucket.to_owned(), key, deed, expires })
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

fn decoded(text: &str) -> Result<String, Refusal> {
    percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| Refusal::Forged)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn env() -> EnvName {
        EnvName { project: "shop".into(), env: "prod".into() }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn key() -> UrlKey {
        UrlKey::new(&[7; KEY_BYTES])
    }

    fn object(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    fn upload() -> Signed {
        let upload = Upload {
            size: Size::AtMost(10),
            content_type: Some("image/png; a=\"b&c\"".to_owned()),
            sha256: Some("ab".repeat(32)),
            is_new: true,
        };
        Signed {
            bucket: "images".to_owned(),
            key: object("a b/\u{e9}?#&=%2F"),
            deed: Deed::Put(upload),
            expires: 1_000,
        }
    }

    #[test]
    fn what_was_signed_is_what_is_read() {
        let get = Signed {
            bucket: "images".to_owned(),
            key: object("a"),
            deed: Deed::Get { save_as: Some("a \"b\".pdf".to_owned()) },
            expires: 1_000,
        };
        let exactly = Upload { size: Size::Exactly(0), ..Upload::default() };
        let exactly = Signed { deed: Deed::Put(exactly), ..upload() };
        let part = Signed { deed: Deed::Part { upload: "obj_1".to_owned(), part: 7, size: 3 }, ..upload() };
        for signed in [upload(), exactly, get, part] {
            let path = signed.path(&env(), &key());
            let (place, query) = path.split_once('?').unwrap();
            assert!(place.starts_with("/p/shop/prod/storage/images/a"), "{path}");
            assert!(path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains('#'), "{path}");
            let read = Signed::check((&env(), &key()), "images", signed.key.clone(), query, at(999));
            assert_eq!(read, Ok(signed.clone()));
            let late = Signed::check((&env(), &key()), "images", signed.key.clone(), query, at(1_000));
            assert_eq!(late, Err(Refusal::Expired));
        }
    }

    /// Each thing that a holder could change.
    #[test]
    fn what_was_changed_is_forged() {
        let signed = upload();
        let path = signed.path(&env(), &key());
        let query = path.split_once('?').unwrap().1.to_owned();
        let check = |env: &EnvName, key: &UrlKey, bucket: &str, object: ObjectKey, query: &str| {
            Signed::check((env, key), bucket, object, query, at(1)).unwrap_err()
        };
        let own = || signed.key.clone();
        let other = EnvName { project: "shop".into(), env: "dev".into() };
        assert_eq!(check(&other, &key(), "images", own(), &query), Refusal::Forged);
        assert_eq!(check(&env(), &UrlKey::new(&[8; KEY_BYTES]), "images", own(), &query), Refusal::Forged);
        assert_eq!(check(&env(), &key(), "other", own(), &query), Refusal::Forged);
        assert_eq!(check(&env(), &key(), "images", object("other"), &query), Refusal::Forged);
        for (from, to) in [
            ("verb=put", "verb=get"),
            ("expires=1000", "expires=9000"),
            ("max=10", "max=11"),
            ("max=10", "size=10"),
            ("&new=1", ""),
            ("image", "video"),
            ("abab", "abac"),
            ("signature=", "signature=A"),
            ("&signature", "&save=x&signature"),
            ("&signature", "&unknown=x&signature"),
            ("new=1", "new=2"),
            ("&signature", "&signature"),
            ("signature=", "signed="),
            ("verb=put&", ""),
        ] {
            let changed = query.replacen(from, to, 1);
            if from == to {
                assert!(Signed::check((&env(), &key()), "images", own(), &changed, at(1)).is_ok());
                continue;
            }
            assert_ne!(changed, query, "{from}");
            assert_eq!(check(&env(), &key(), "images", own(), &changed), Refusal::Forged, "{from} {to}");
        }
        for appended in ["&expires=9000", "&max=11", "&", "&signature=a"] {
            assert_eq!(check(&env(), &key(), "images", own(), &format!("{query}{appended}")), Refusal::Forged);
        }
        assert_eq!(check(&env(), &key(), "images", own(), ""), Refusal::Forged);
        assert_eq!(check(&env(), &key(), "images", own(), "signature=%ff"), Refusal::Forged);
        // A part cannot pretend to be two.
        let split = Signed { bucket: "images\na".to_owned(), key: object("b"), ..signed.clone() };
        assert_ne!(
            split.message(&env()),
            Signed { bucket: "images".to_owned(), key: object("a/b"), ..signed }.message(&env())
        );
    }
}
