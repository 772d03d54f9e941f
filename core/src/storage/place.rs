//! Where a bucket of a project lies in a store that speaks S3: which bucket there, below which prefix, and by which secrets it is opened. The
//! secrets themselves are no part of a release.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bucket, key::ObjectKey};
use crate::name::{NameError, check_secret};

const ENDPOINT_CHARS_MAX: usize = 200;
const REGION_CHARS_MAX: usize = 40;
const PREFIX_BYTES_MAX: usize = 200;
pub(super) const ENV: &str = "{env}";
pub(super) const PROJECT: &str = "{project}";

/// A place in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "S3Place")]
pub struct S3Place {
    /// The store's bucket. `{env}` and `{project}` stand for their names.
    pub bucket: String,
    /// What keys have before them in the store; ends with a slash. None is nothing where the bucket is the env's own, and `{env}/` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Signed with each request.
    pub region: String,
    /// Where the Bridge reaches the store; none is that of AWS for the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Where clients reach it, for URLs; none is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_endpoint: Option<String>,
    /// Whether the bucket stands in the path instead of in the host's name.
    pub path_style: bool,
    /// The secret that holds the id of the key.
    pub access_key_id: String,
    /// The secret that holds the key.
    pub secret_access_key: String,
    /// The secret that holds the token of a session, for keys that need one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
}

/// A place that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// No name that every store takes.
    #[error(
        "{0:?} is no bucket of S3: 3 to 63 of a-z, 0-9, - and ., with a letter or digit at each end; {{env}} and {{project}} stand for names"
    )]
    Bucket(String),
    /// No prefix.
    #[error(
        "{0:?} is no prefix: segments as a key has them, with a slash at the end, and {PREFIX_BYTES_MAX} bytes at most"
    )]
    Prefix(String),
    /// Envs would share their objects.
    #[error("neither bucket nor prefix has {{env}}: envs would have the same objects")]
    Shared,
    /// No region.
    #[error("{0:?} is no region: a-z, 0-9 and -, {REGION_CHARS_MAX} characters at most")]
    Region(String),
    /// No endpoint.
    #[error(
        "{0:?} is no endpoint: https://HOST, http://HOST, with a port and a path where it has them, and nothing else"
    )]
    Endpoint(String),
    /// A secret's name.
    #[error(transparent)]
    Secret(#[from] NameError),
    /// Two buckets would have the same objects.
    #[error(
        "{0:?} and {1:?} lie in the same bucket of S3, and one within the other, be it for some names of envs: what may be done with an object must be said once"
    )]
    Overlap(String, String),
}

impl S3Place {
    /// Whether it can be meant.
    pub fn check(&self) -> Result<(), PlaceError> {
        self.check_bucket()?;
        self.check_prefix()?;
        let is_region = (1..=REGION_CHARS_MAX).contains(&self.region.len())
            && self.region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if !is_region {
            return Err(PlaceError::Region(self.region.clone()));
        }
        for endpoint in self.endpoint.iter().chain(&self.public_endpoint) {
            check_endpoint(endpoint)?;
        }
        self.secrets().try_for_each(|name| check_secret(name).map_err(PlaceError::from))
    }

    /// The names of the secrets that open it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        [&self.access_key_id, &self.secret_access_key].into_iter().chain(&self.session_token).map(String::as_str)
    }

    /// Where the Bridge reaches the store.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", self.region))
    }

    /// The store's bucket for an env. Not each name of an env can be in one.
    pub fn bucket_of(&self, project: &str, env: &str) -> Result<String, PlaceError> {
        let bucket = filled(&self.bucket, project, env);
        if is_bucket(&bucket) { Ok(bucket) } else { Err(PlaceError::Bucket(bucket)) }
    }

    /// What the keys of an env have before them.
    pub fn prefix_of(&self, project: &str, env: &str) -> String {
        filled(self.prefix_or_default(), project, env)
    }

    pub(super) fn prefix_or_default(&self) -> &str {
        match &self.prefix {
            Some(prefix) => prefix,
            None if self.bucket.contains(ENV) => "",
            None => "{env}/",
        }
    }

    fn check_bucket(&self) -> Result<(), PlaceError> {
        if is_bucket(&filled(&self.bucket, "project", "env")) {
            Ok(())
        } else {
            Err(PlaceError::Bucket(self.bucket.clone()))
        }
    }

    fn check_prefix(&self) -> Result<(), PlaceError> {
        let prefix = self.prefix_or_default();
        let filled = filled(prefix, "project", "env");
        let is_prefix = filled.is_empty()
            || filled.strip_suffix('/').is_some_and(|key| ObjectKey::parse(key).is_ok_and(|read| read.as_str() == key));
        if !is_prefix || filled.len() > PREFIX_BYTES_MAX || filled.contains(['{', '}']) {
            return Err(PlaceError::Prefix(prefix.to_owned()));
        }
        if prefix.contains(ENV) || self.bucket.contains(ENV) { Ok(()) } else { Err(PlaceError::Shared) }
    }
}

/// Whether no two buckets can have the same objects.
pub fn check_apart(buckets: &BTreeMap<String, Bucket>) -> Result<(), PlaceError> {
    let places: Vec<_> = buckets.iter().filter_map(|(alias, bucket)| Some((alias, bucket.s3.as_ref()?))).collect();
    for (number, (alias, place)) in places.iter().enumerate() {
        if let Some((before, _)) = places[..number].iter().find(|(_, before)| before.overlaps(place)) {
            return Err(PlaceError::Overlap((*before).clone(), (*alias).clone()));
        }
    }
    Ok(())
}

fn filled(text: &str, project: &str, env: &str) -> String {
    text.replace(PROJECT, project).replace(ENV, env)
}

/// What every store takes for a bucket's name.
fn is_bucket(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && is_end(bytes.first())
        && is_end(bytes.last())
        && !name.contains("..")
        && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

/// Scheme, host, port and path: no user, query or fragment, and nothing that readers of URLs read differently.
fn check_endpoint(text: &str) -> Result<(), PlaceError> {
    let wrong = || PlaceError::Endpoint(text.to_owned());
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(wrong)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':' | b'[' | b']');
    let is_segment = |segment: &str| {
        !matches!(segment, "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    let is_fine = text.len() <= ENDPOINT_CHARS_MAX
        && authority.bytes().next().is_some_and(|first| first != b':')
        && authority.bytes().all(is_name)
        && path.trim_end_matches('/').split('/').all(is_segment);
    if is_fine { Ok(()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{OBJECT_BYTES_MAX, Provider, Storage, StorageError};

    fn place(bucket: &str, prefix: Option<&str>) -> S3Place {
        S3Place {
            bucket: bucket.to_owned(),
            prefix: prefix.map(str::to_owned),
            region: "eu-central-1".to_owned(),
            endpoint: None,
            public_endpoint: None,
            path_style: false,
            access_key_id: "S3_KEY".to_owned(),
            secret_access_key: "S3_SECRET".to_owned(),
            session_token: None,
        }
    }

    #[test]
    fn each_env_has_its_own_objects() {
        for (bucket, prefix, found) in [
            ("shop-{env}", None, Ok(("shop-prod", ""))),
            ("shop", None, Ok(("shop", "prod/"))),
            ("shop", Some("{project}/{env}/"), Ok(("shop", "mine/prod/"))),
            ("shop-{env}", Some("images/"), Ok(("shop-prod", "images/"))),
            ("{project}-{env}.files", None, Ok(("mine-prod.files", ""))),
            ("shop", Some("images/"), Err(PlaceError::Shared)),
            ("shop", Some(""), Err(PlaceError::Shared)),
            ("shop", Some("{env}"), Err(PlaceError::Prefix("{env}".to_owned()))),
            ("shop", Some("/{env}/"), Err(PlaceError::Prefix("/{env}/".to_owned()))),
            ("shop", Some("../{env}/"), Err(PlaceError::Prefix("../{env}/".to_owned()))),
            ("shop", Some("{env}//"), Err(PlaceError::Prefix("{env}//".to_owned()))),
            ("shop", Some("{envs}/{env}/"), Err(PlaceError::Prefix("{envs}/{env}/".to_owned()))),
            ("Shop-{env}", None, Err(PlaceError::Bucket("Shop-{env}".to_owned()))),
            ("a/{env}", None, Err(PlaceError::Bucket("a/{env}".to_owned()))),
            ("-{env}", None, Err(PlaceError::Bucket("-{env}".to_owned()))),
            ("a..{env}", None, Err(PlaceError::Bucket("a..{env}".to_owned()))),
            ("{other}-{env}", None, Err(PlaceError::Bucket("{other}-{env}".to_owned()))),
        ] {
            let place = place(bucket, prefix);
            let made =
                place.check().map(|()| (place.bucket_of("mine", "prod").unwrap(), place.prefix_of("mine", "prod")));
            assert_eq!(
                made,
                found.map(|(bucket, prefix)| (bucket.to_owned(), prefix.to_owned())),
                "{bucket} {prefix:?}"
            );
        }
        // A name that an env may have and a bucket may not.
        place("shop-{env}", None).bucket_of("mine", "a_b").unwrap_err();
        place("shop-{env}", None).bucket_of("mine", &"a".repeat(59)).unwrap_err();
    }

    #[test]
    fn an_endpoint_is_a_host_and_no_more() {
        for endpoint in
            ["https://s3.example.com", "http://minio:9000", "https://a.example/storage/v1/s3", "http://[::1]:9000/"]
        {
            check_endpoint(endpoint).unwrap();
        }
        for endpoint in [
            "",
            "s3.example.com",
            "ftp://a",
            "https://",
            "https:///a",
            "https://:80",
            "https://user@host",
            "https://host?a=b",
            "https://host#a",
            "https://host/../a",
            "https://host\\a",
            "https://HOST",
            "https://ho st",
            "https://host/%2e",
            &format!("https://{}", "a".repeat(200)),
        ] {
            check_endpoint(endpoint).unwrap_err();
        }
    }

    #[test]
    fn buckets_lie_apart() {
        let of = |places: &[(&str, S3Place)]| {
            let bucket = |place: &S3Place| Bucket {
                provider: Provider::S3,
                max_object: OBJECT_BYTES_MAX,
                policies: BTreeMap::new(),
                events: crate::storage::BucketEvents::default(),
                s3: Some(place.clone()),
            };
            Storage { buckets: places.iter().map(|(alias, place)| ((*alias).to_owned(), bucket(place))).collect() }
        };
        let (all, part) = (place("shop-{env}", None), place("shop-{env}", Some("images/")));
        let overlap =
            StorageError::Place { bucket: "b".to_owned(), error: PlaceError::Overlap("a".to_owned(), "b".to_owned()) };
        assert_eq!(of(&[("a", all.clone()), ("b", part.clone())]).check(), Err(overlap.clone()));
        assert_eq!(of(&[("a", part.clone()), ("b", part.clone())]).check(), Err(overlap));
        assert_eq!(of(&[("a", part), ("b", place("shop-{env}", Some("files/")))]).check(), Ok(()));
        let elsewhere = S3Place { endpoint: Some("https://other.example".to_owned()), ..all.clone() };
        assert_eq!(of(&[("a", all), ("b", elsewhere)]).check(), Ok(()));
    }
}
