//! `config/storage.yaml`: buckets; and what logics are granted of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    access,
    decode::{File, Map},
    diagnostic::Check,
    keys,
    logics::Known,
    node::{Node, Yaml},
    read::version,
};
use crate::{
    access::Rule,
    event::Events,
    logic::{StorageGrant, StorageGrantError, StorageOp},
    name::check_secret,
    quantity::Bytes,
    storage::{
        BUCKETS_MAX, Bucket, BucketEvents, KeyGlob, MediaRange, OBJECT_BYTES_MAX, PlaceError, Policy, Provider,
        S3Place, Storage, StorageError, UploadRule, check_alias,
        place::check_apart,
        policy::{POLICIES_MAX, PolicyError, ambiguous},
        told::{self, ToldError},
    },
};

/// Reads the file.
pub(super) fn read(file: &File<'_>, root: &Node) -> Storage {
    let Some(map) = file.map(root, &keys::STORAGE) else { return Storage::default() };
    version(file, &map);
    let Some(buckets) = map.get("buckets") else { return Storage::default() };
    let mut read = BTreeMap::new();
    for entry in file.names(buckets) {
        if let Err(error) = check_alias(&entry.key) {
            file.error(entry.span, Check::InvalidName, error.to_string());
        }
        if let Some(bucket) = bucket(file, &entry.value) {
            read.insert(entry.key.clone(), bucket);
        }
    }
    if let Err(error @ PlaceError::Overlap(..)) = check_apart(&read) {
        file.error(buckets.span, Check::Conflict, error.to_string());
    }
    if read.len() > BUCKETS_MAX {
        file.error(buckets.span, Check::TooMany, StorageError::TooMany.to_string());
    }
    Storage { buckets: read }
}

fn bucket(file: &File<'_>, node: &Node) -> Option<Bucket> {
    let map = file.map(node, &keys::BUCKET)?;
    let provider = file.word(map.get("provider")?, keys::PROVIDERS, &[Provider::Local, Provider::S3])?;
    let s3 = match provider {
        Provider::Local => {
            for key in keys::S3_NEEDED.iter().chain(keys::S3_MORE) {
                if let Some(entry) = map.entry(key) {
                    let message = format!("{key:?} is for provider: s3");
                    file.error(entry.span, Check::Conflict, message);
                }
            }
            None
        }
        Provider::S3 => Some(place(file, &map)?),
    };
    let max_object = map.get("maxObject").and_then(|node| size(file, node)).unwrap_or(OBJECT_BYTES_MAX);
    let policies = map.get("policies").map(|node| policies(file, node)).unwrap_or_default();
    let events = map.get("events").map(|node| events(file, node)).unwrap_or_default();
    Some(Bucket { provider, max_object, policies, events, s3 })
}

/// Who is told of its objects.
fn events(file: &File<'_>, node: &Node) -> BucketEvents {
    let Some(map) = file.map(node, &keys::BUCKET_EVENTS) else { return BucketEvents::default() };
    let topic = |key: &'static str| map.get(key).and_then(|node| file.text(node)).map(|word| word.text);
    BucketEvents { upload: topic("upload"), delete: topic("delete") }
}

/// Whether the topics are there, and can be told.
pub(super) fn check_topics(file: &File<'_>, root: &Node, storage: &Storage, events: &Events) {
    for (bucket, happened, error) in told::problems(storage, events) {
        let node = ["buckets", bucket, "events", happened.as_str()].iter().try_fold(root, |node, key| node.field(key));
        let span = node.map_or(root.span, |node| node.span);
        match &error {
            ToldError::Topic(name) => {
                let known = events.topics.keys().map(String::as_str);
                file.unknown(span, Check::UnknownTopic, error.to_string(), name, known);
            }
            ToldError::Missing { .. } | ToldError::Misfit { .. } => {
                file.error(span, Check::InvalidTrigger, error.to_string());
            }
        }
    }
}

/// Where a bucket with the provider `s3` lies.
fn place(file: &File<'_>, map: &Map<'_>) -> Option<S3Place> {
    let missing: Vec<&str> = keys::S3_NEEDED.iter().copied().filter(|key| map.get(key).is_none()).collect();
    if !missing.is_empty() {
        let hint = "accessKeyId and secretAccessKey are names of secrets, for example S3_KEY_ID";
        let message = format!("provider: s3 needs {}", missing.join(", "));
        file.error_hint(map.span, Check::MissingKey, message, hint);
        return None;
    }
    let text = |key: &'static str| map.get(key).and_then(|node| file.text(node)).map(|word| word.text);
    let endpoint = text("endpoint");
    let path_style = map.get("pathStyle").and_then(|node| file.boolean(node));
    let place = S3Place {
        bucket: text("bucket")?,
        prefix: text("prefix"),
        region: text("region")?,
        path_style: path_style.unwrap_or(endpoint.is_some()),
        endpoint,
        public_endpoint: text("publicEndpoint"),
        access_key_id: text("accessKeyId")?,
        secret_access_key: text("secretAccessKey")?,
        session_token: text("sessionToken"),
    };
    if let Err(error) = place.check() {
        let key = match &error {
            PlaceError::Bucket(_) | PlaceError::Shared | PlaceError::Overlap(..) => "bucket",
            PlaceError::Prefix(_) => "prefix",
            PlaceError::Region(_) => "region",
            PlaceError::Endpoint(wrong) if place.endpoint.as_ref() == Some(wrong) => "endpoint",
            PlaceError::Endpoint(_) => "publicEndpoint",
            PlaceError::Secret(_) => ["accessKeyId", "secretAccessKey", "sessionToken"]
                .into_iter()
                .find(|key| text(key).is_some_and(|name| check_secret(&name).is_err()))
                .unwrap_or("accessKeyId"),
        };
        let span = map.entry(key).map_or(map.span, |entry| entry.span);
        file.error(span, Check::InvalidValue, error.to_string());
        return None;
    }
    Some(place)
}

/// Of an object.
fn size(file: &File<'_>, node: &Node) -> Option<Bytes> {
    let size = file.quantity::<Bytes>(node)?;
    if size == Bytes(0) || size > OBJECT_BYTES_MAX {
        file.error(node.span, Check::InvalidValue, format!("an object has 1 byte to {OBJECT_BYTES_MAX}"));
    }
    Some(size)
}

/// `policies` of a bucket, by pattern.
fn policies(file: &File<'_>, node: &Node) -> BTreeMap<String, Policy> {
    let entries = file.names(node);
    let mut policies = BTreeMap::new();
    let mut globs: Vec<(&str, KeyGlob)> = Vec::new();
    for entry in entries {
        match KeyGlob::parse(&entry.key) {
            Err(error) => {
                let error = PolicyError::Glob { glob: entry.key.clone(), error };
                file.error(entry.span, Check::InvalidValue, error.to_string());
            }
            Ok(glob) => {
                let names: Vec<&str> = glob.names().collect();
                policies.extend(policy(file, &entry.value, &names).map(|policy| (entry.key.clone(), policy)));
                globs.push((&entry.key, glob));
                // Each as it comes, so that the later one of two is shown.
                if let Some((one, other)) = ambiguous(&globs) {
                    let error = PolicyError::Ambiguous(one.to_owned(), other.to_owned());
                    let hint = "narrow one of them down, or give what both have a policy of its own in place of one";
                    file.error_hint(entry.span, Check::Conflict, error.to_string(), hint);
                    globs.pop();
                }
            }
        }
    }
    if policies.len() > POLICIES_MAX {
        file.error(node.span, Check::TooMany, PolicyError::TooMany.to_string());
    }
    policies
}

fn policy(file: &File<'_>, node: &Node, names: &[&str]) -> Option<Policy> {
    let map = file.map(node, &keys::STORAGE_POLICY)?;
    let rules = |key: &'static str| {
        map.get(key)
            .map(|node| access::for_objects(file, node, &keys::CALL_RULE, names, |rule, _| rule))
            .unwrap_or_default()
    };
    let upload = map.get("upload_sign");
    let upload_sign = upload
        .map(|node| {
            access::for_objects(file, node, &keys::UPLOAD_RULE, names, |rule, map| upload_rule(file, rule, map))
        })
        .unwrap_or_default();
    Some(Policy { upload_sign, download_sign: rules("download_sign"), delete: rules("delete") })
}

fn upload_rule(file: &File<'_>, rule: Rule, map: &Map<'_>) -> UploadRule {
    let allowed = map.get("allowedTypes").map(|node| file.texts(node)).unwrap_or_default();
    let is_type = |word: &super::decode::Word| match MediaRange::parse(&word.text) {
        Ok(_) => true,
        Err(error) => {
            file.error(word.span, Check::InvalidValue, error.to_string());
            false
        }
    };
    UploadRule {
        roles: rule.roles,
        condition: rule.condition,
        max_size: map.get("maxSize").and_then(|node| size(file, node)),
        allowed_types: allowed.into_iter().filter(is_type).map(|word| word.text).collect(),
    }
}

/// `grants.storage` of a logic.
pub(super) fn grants(file: &File<'_>, node: &Node, known: &Known) -> Vec<StorageGrant> {
    let grants: Vec<StorageGrant> = file.list(node).iter().filter_map(|node| grant(file, node, known)).collect();
    // What is wrong with one of them was told at its place.
    if let Err(error @ StorageGrantError::TooMany) = StorageGrant::check_all(&grants) {
        file.error(node.span, Check::TooMany, error.to_string());
    }
    grants
}

fn grant(file: &File<'_>, node: &Node, known: &Known) -> Option<StorageGrant> {
    let map = file.map(node, &keys::STORAGE_GRANT)?;
    let bucket = file.text(map.get("bucket")?)?;
    if !known.buckets.contains(&bucket.text) {
        let message = format!("there is no bucket {:?} in config/storage.yaml", bucket.text);
        let buckets = known.buckets.iter().map(String::as_str);
        file.unknown(bucket.span, Check::UnknownBucket, message, &bucket.text, buckets);
    }
    let keys = map.get("keys")?;
    let patterns = match &keys.yaml {
        Yaml::Text(_) => file.text(keys).into_iter().collect(),
        _ => file.texts(keys),
    };
    let ops = map.get("ops")?;
    for (name, node) in [("keys", keys), ("ops", ops)] {
        if matches!(&node.yaml, Yaml::List(items) if items.is_empty()) {
            file.error(node.span, Check::InvalidValue, format!("nothing is granted without one of {name:?}"));
        }
    }
    let op = |node: &Node| file.word(node, keys::STORAGE_OPS, StorageOp::ALL);
    let granted: BTreeSet<StorageOp> = file.list(ops).iter().filter_map(op).collect();
    if let Err(error) = StorageGrant::check_ops(&granted) {
        file.error(ops.span, Check::InvalidValue, error.to_string());
    }
    for word in &patterns {
        if let Err(error) = StorageGrant::check_pattern(&word.text, &granted) {
            file.error(word.span, Check::InvalidValue, error.to_string());
        }
    }
    Some(StorageGrant { bucket: bucket.text, keys: patterns.into_iter().map(|word| word.text).collect(), ops: granted })
}
