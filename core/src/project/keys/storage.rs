//! Keys of `config/storage.yaml`.

use super::{CALL_RULE, Keys, Shape, key, must};

pub(in crate::project) static STORAGE: Keys = Keys {
    what: "config/storage.yaml",
    keys: &[
        must("version", Shape::Whole, "The format's version: 1."),
        key("buckets", Shape::Names(&Shape::Map(&BUCKET)), "Places for objects, by alias; each env has its own."),
    ],
};

pub(in crate::project) static BUCKET: Keys = Keys {
    what: "bucket",
    keys: &[
        must("provider", Shape::Words(PROVIDERS), "local: a directory of the Bridge. s3: a store that speaks S3."),
        key("maxObject", Shape::Size, "The largest object; 5 GB by default."),
        key(
            "policies",
            Shape::Names(&Shape::Map(&STORAGE_POLICY)),
            "Who may ask for what, by a pattern of keys such as users/{userId}/*.",
        ),
        key("events", Shape::Map(&BUCKET_EVENTS), "Topics that are told what applications do with its objects."),
        key("bucket", Shape::Text, "s3: the store's bucket; {env} and {project} stand for their names."),
        key("prefix", Shape::Text, "s3: what keys have before them; {env}/ by default where the bucket has no {env}."),
        key("region", Shape::Text, "s3: the store's region, for example eu-central-1."),
        key("endpoint", Shape::Text, "s3: where the Bridge reaches the store; that of AWS by default."),
        key("publicEndpoint", Shape::Text, "s3: where clients reach it; the endpoint by default."),
        key("pathStyle", Shape::Boolean, "s3: the bucket stands in the path; by default with an endpoint only."),
        key("accessKeyId", Shape::Text, "s3: the name of the secret that holds the id of the key."),
        key("secretAccessKey", Shape::Text, "s3: the name of the secret that holds the key."),
        key("sessionToken", Shape::Text, "s3: the name of the secret that holds a session's token."),
    ],
};

pub(in crate::project) static BUCKET_EVENTS: Keys = Keys {
    what: "events of a bucket",
    keys: &[
        key("upload", Shape::Text, "The topic that is told of new objects."),
        key("delete", Shape::Text, "The topic that is told of objects that are gone."),
    ],
};

/// Of a bucket with the provider `s3` alone: those that it needs, and the others.
pub(in crate::project) const S3_NEEDED: &[&str] = &["bucket", "region", "accessKeyId", "secretAccessKey"];
pub(in crate::project) const S3_MORE: &[&str] = &["prefix", "endpoint", "publicEndpoint", "pathStyle", "sessionToken"];

pub(in crate::project) const PROVIDERS: &[&str] = &["local", "s3"];

pub(in crate::project) static STORAGE_POLICY: Keys = Keys {
    what: "storage policy",
    keys: &[
        key(
            "upload_sign",
            Shape::Either(&[Shape::Map(&UPLOAD_RULE), Shape::List(&Shape::Map(&UPLOAD_RULE))]),
            "Who may put objects.",
        ),
        key(
            "download_sign",
            Shape::Either(&[Shape::Map(&CALL_RULE), Shape::List(&Shape::Map(&CALL_RULE))]),
            "Who may read objects.",
        ),
        key(
            "delete",
            Shape::Either(&[Shape::Map(&CALL_RULE), Shape::List(&Shape::Map(&CALL_RULE))]),
            "Who may remove objects.",
        ),
    ],
};

pub(in crate::project) static UPLOAD_RULE: Keys = Keys {
    what: "rule for uploads",
    keys: &[
        must("roles", Shape::List(&Shape::Text), "public, authenticated or role names."),
        key("condition", Shape::Text, "CEL; absent holds. path.NAME is what {NAME} of the pattern stands for."),
        key("maxSize", Shape::Size, "The largest object; that of the bucket by default."),
        key("allowedTypes", Shape::List(&Shape::Text), "Content types, as image/png or image/*; any by default."),
    ],
};
