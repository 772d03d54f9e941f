//! The keys of triggers, of what SQL logics publish, and of the rules of topics.

use super::{CALL_RULE, Keys, Shape, key, must};

/// As the model spells and orders them; a test holds the two together.
pub(in crate::project) const CHANGES: &[&str] = &["insert", "update", "delete"];

pub(in crate::project) static TRIGGER: Keys = Keys {
    what: "trigger",
    keys: &[
        key("name", Shape::Text, "Unique in the project; by default the file's, without .yaml."),
        key("description", Shape::Text, "For people."),
        must(
            "on",
            Shape::Either(&[Shape::Words(CHANGES), Shape::List(&Shape::Words(CHANGES))]),
            "What must have happened to a row.",
        ),
        must("table", Shape::Text, "The table."),
        must("topic", Shape::Text, "What is published."),
        key("mapping", Shape::Names(&Shape::Text), "The column that each field of the payload is, by field."),
    ],
};

pub(in crate::project) static SQL_PUBLISH: Keys = Keys {
    what: "published event",
    keys: &[
        must("topic", Shape::Text, "What is published."),
        key(
            "mapping",
            Shape::Names(&Shape::Text),
            "What each field of the payload is, by field: a :param, a system :variable, or a column of the last row that is answered.",
        ),
    ],
};

pub(in crate::project) static EVENT_RULES: Keys = Keys {
    what: "rules of a topic",
    keys: &[key(
        "publish",
        Shape::Either(&[Shape::Map(&CALL_RULE), Shape::List(&Shape::Map(&CALL_RULE))]),
        "Who may publish.",
    )],
};
