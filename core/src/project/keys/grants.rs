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
        key("once", Shape::Boolean, "Whether it remembers what it has done, to do it once."),
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

pub(in crate::project) static SUBSCRIPTION: Keys = Keys {
    what: "subscription",
    keys: &[
        must("name", Shape::Text, "Unique in the project, for example bill_orders."),
        must("topic", Shape::Text, "Whose events."),
        must("handler", Shape::Text, "What is given them: logics/NAME."),
        key("filter", Shape::Text, "CEL on event.payload: which of them; all by default."),
        key("retry", Shape::Map(&RETRY), "How often an event is tried."),
        key("deadLetter", Shape::Boolean, "Whether what was tried in vain is kept; true by default."),
        key("concurrency", Shape::Whole, "Events at once, over all Bridges; 4 by default, 100 at most."),
        key("orderBy", Shape::Text, "A field of the payload: events of one value are handled in order."),
        key("timeout", Shape::Duration, "How long an attempt may take; 30s by default."),
    ],
};

pub(in crate::project) static RETRY: Keys = Keys {
    what: "retry",
    keys: &[
        key("maxRetries", Shape::Whole, "Attempts after the first; 3 by default, 10 at most."),
        key("minBackoff", Shape::Duration, "Before the second attempt, doubled with each further one; 1s by default."),
        key("maxBackoff", Shape::Duration, "The longest time between two attempts; 60s by default."),
        key("never", Shape::List(&Shape::Text), "Codes of failures after which an event is not tried again."),
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

pub(in crate::project) const STORAGE_OPS: &[&str] = &["get", "put", "list", "delete", "presign"];

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
