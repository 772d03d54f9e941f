//! The keys of what a component may be given, and of the buckets and topics that it names.

use super::{ITEMS, Keys, Shape, TYPES, VERBS, key, must};

pub(in crate::project) static GRANTS: Keys = Keys {
    what: "grants",
    keys: &[
        key("queries", Shape::List(&Shape::Text), "Names of declared queries."),
        key("sql", Shape::List(&Shape::Map(&SQL_GRANT)), "Raw SQL on these tables."),
        key("crud", Shape::Map(&CRUD_GRANT), "Requests to tables, under the tables' rules."),
        key("logics", Shape::List(&Shape::Text), "Names of other logics, which it may call."),
        key("http", Shape::List(&Shape::Map(&HTTP_GRANT)), "Outbound requests; https only."),
        key("storage", Shape::List(&Shape::Map(&STORAGE_GRANT)), "Objects in buckets."),
        key("secrets", Shape::List(&Shape::Text), "Names of secrets."),
        key("config", Shape::List(&Shape::Text), "Names of configuration values."),
        key("events", Shape::Map(&EVENTS_GRANT), "Events of the project's topics."),
    ],
};

pub(in crate::project) static EVENTS_GRANT: Keys = Keys {
    what: "events grant",
    keys: &[must("publish", Shape::List(&Shape::Text), "Topics whose events it may publish.")],
};

pub(in crate::project) static TOPIC: Keys = Keys {
    what: "topic",
    keys: &[
        must("name", Shape::Text, "Unique in the project, for example order_placed."),
        key("description", Shape::Text, "For people."),
        key("schema", Shape::Names(&Shape::Map(&TOPIC_FIELD)), "What a payload has, by name; nothing by default."),
        key("delivery", Shape::Words(DELIVERIES), "at_least_once, which is the only one."),
        key("retention", Shape::Duration, "How long its events are kept; 7d by default, 90d at most."),
    ],
};

pub(in crate::project) const DELIVERIES: &[&str] = &["at_least_once"];

pub(in crate::project) static TOPIC_FIELD: Keys = Keys {
    what: "field",
    keys: &[
        must("type", Shape::Words(TYPES), "The field's type."),
        key("required", Shape::Boolean, "Whether every payload has it."),
        key("items", Shape::Map(&ITEMS), "Element type of an array."),
        key("enum", Shape::List(&Shape::Text), "The allowed strings."),
        key("maxLength", Shape::Whole, "Largest number of characters."),
        key("min", Shape::Number, "Smallest number."),
        key("max", Shape::Number, "Largest number."),
        key("pattern", Shape::Text, "A regular expression that the whole string must match."),
    ],
};

pub(in crate::project) static STORAGE_GRANT: Keys = Keys {
    what: "storage grant",
    keys: &[
        must("bucket", Shape::Text, "A bucket of config/storage.yaml."),
        must(
            "keys",
            Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]),
            "Keys such as receipts/*, or {auth.sub}/* for the caller's own.",
        ),
        must("ops", Shape::List(&Shape::Words(STORAGE_OPS)), "What may be done."),
    ],
};

pub(in crate::project) const STORAGE_OPS: &[&str] = &["get", "put", "list", "delete"];

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
        must("provider", Shape::Words(PROVIDERS), "local: a directory of the Bridge."),
        key("maxObject", Shape::Size, "The largest object; 5 GB by default."),
    ],
};

pub(in crate::project) const PROVIDERS: &[&str] = &["local", "s3"];

pub(in crate::project) static SQL_GRANT: Keys = Keys {
    what: "SQL grant",
    keys: &[
        key("connection", Shape::Text, "The project's default connection by default."),
        must("tables", Shape::Names(&Shape::List(&Shape::Words(VERBS))), "Verbs by table."),
    ],
};

pub(in crate::project) static CRUD_GRANT: Keys = Keys {
    what: "CRUD grant",
    keys: &[
        must(
            "as",
            Shape::Words(&["caller", "service"]),
            "caller: as whoever calls the logic; service: with roles of its own.",
        ),
        key("roles", Shape::List(&Shape::Text), "With service: the roles that the tables' rules know it by."),
    ],
};

pub(in crate::project) static HTTP_GRANT: Keys = Keys {
    what: "HTTP grant",
    keys: &[
        must(
            "hosts",
            Shape::List(&Shape::Text),
            "Names such as api.stripe.com, *.example.com for one label more, or with a port: api.example.com:8443.",
        ),
        key("methods", Shape::List(&Shape::Words(crate::logic::HttpGrant::METHODS)), "Methods; GET by default."),
        key(
            "paths",
            Shape::List(&Shape::Text),
            "Paths such as /v1/charges, /v1/customers/*/orders or /v1/* for all below; all by default.",
        ),
    ],
};
