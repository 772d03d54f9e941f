//! `config/storage.yaml`: buckets; and what logics are granted of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    decode::File,
    diagnostic::Check,
    keys,
    logics::Known,
    node::{Node, Yaml},
    read::version,
};
use crate::{
    logic::{StorageGrant, StorageGrantError, StorageOp},
    quantity::Bytes,
    storage::{BUCKETS_MAX, Bucket, OBJECT_BYTES_MAX, Provider, Storage, StorageError, check_alias},
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
    if read.len() > BUCKETS_MAX {
        file.error(buckets.span, Check::TooMany, StorageError::TooMany.to_string());
    }
    Storage { buckets: read }
}

fn bucket(file: &File<'_>, node: &Node) -> Option<Bucket> {
    let map = file.map(node, &keys::BUCKET)?;
    let provider = file.word(map.get("provider")?, keys::PROVIDERS, &[Some(Provider::Local), None])?;
    if provider.is_none() {
        let hint = "provider: local keeps objects in a directory of the Bridge";
        file.error_hint(map.span, Check::Unsupported, "not supported by this version: buckets on S3", hint);
    }
    let max_object = map.get("maxObject").and_then(|node| {
        let size = file.quantity::<Bytes>(node)?;
        if size == Bytes(0) || size > OBJECT_BYTES_MAX {
            file.error(node.span, Check::InvalidValue, format!("an object has 1 byte to {OBJECT_BYTES_MAX}"));
        }
        Some(size)
    });
    Some(Bucket { provider: provider?, max_object: max_object.unwrap_or(OBJECT_BYTES_MAX) })
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
    for word in &patterns {
        if let Err(error) = StorageGrant::check_pattern(&word.text, &granted) {
            file.error(word.span, Check::InvalidValue, error.to_string());
        }
    }
    Some(StorageGrant { bucket: bucket.text, keys: patterns.into_iter().map(|word| word.text).collect(), ops: granted })
}
