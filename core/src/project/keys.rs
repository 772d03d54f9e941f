//! The keys of every file kind: what the decoder accepts and what the JSON Schemas say, in one table each.

/// A map with fixed keys.
pub(super) struct Keys {
    /// What the map is, for messages and as the name of its definition in a JSON Schema.
    pub(super) what: &'static str,
    pub(super) keys: &'static [Key],
}

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) shape: Shape,
    /// For people.
    pub(super) doc: &'static str,
}

/// What a value may be.
pub(super) enum Shape {
    /// The format's version.
    One,
    Text,
    Boolean,
    Whole,
    Number,
    Any,
    Duration,
    Size,
    Words(&'static [&'static str]),
    List(&'static Shape),
    /// A map with free names.
    Names(&'static Shape),
    Map(&'static Keys),
    Either(&'static [Shape]),
}

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, required: false, shape, doc }
}

const fn must(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, required: true, shape, doc }
}

/// As the model spells and orders them; a test holds the two together.
pub(super) const TYPES: &[&str] =
    &["string", "int", "bigint", "float", "decimal", "boolean", "json", "timestamp", "bytes", "file", "array"];

pub(super) const GENERATE: &[&str] = &["ulid", "nanoid", "uuid_v4", "uuid_v7", "auto_increment", "client"];

pub(super) const ACTIONS: &[&str] = &["restrict", "no_action", "cascade", "set_null", "set_default"];

pub(super) const FILE_ACTIONS: &[&str] = &["preserve", "cascade"];

pub(super) const VERBS: &[&str] = &["select", "insert", "update", "delete"];

pub(super) const AUTH: &[&str] = &["public", "authenticated"];

pub(super) const LANGUAGES: &[&str] = &["rust", "js", "ts"];

pub(super) static PROJECT: Keys = Keys {
    what: "santokit.yaml",
    keys: &[
        must("version", Shape::One, "The version of the file's format: 1."),
        must("name", Shape::Text, "The project's name, unique in a Hub."),
        key("defaultConnection", Shape::Text, "The connection that is meant where none is named; main by default."),
        key("config", Shape::Names(&Shape::Text), "Configuration values that logics may read, if granted."),
        key("envs", Shape::Names(&Shape::Map(&ENV)), "What differs by env."),
    ],
};

pub(super) static ENV: Keys = Keys {
    what: "env",
    keys: &[key("config", Shape::Names(&Shape::Text), "Values that replace or add to the project's.")],
};

pub(super) static DEV: Keys = Keys {
    what: "santokit.dev.yaml",
    keys: &[
        key("connections", Shape::Names(&Shape::Map(&DEV_CONNECTION)), "Databases of stk dev."),
        key("apiKeys", Shape::List(&Shape::Map(&DEV_API_KEY)), "Keys that the local Bridge accepts."),
        key("secrets", Shape::Names(&Shape::Map(&DEV_SECRET)), "Secrets that logics may read, if granted."),
    ],
};

pub(super) static DEV_CONNECTION: Keys = Keys {
    what: "connection",
    keys: &[
        must("engine", Shape::Words(&["sqlite"]), "The kind of database."),
        must("url", Shape::Text, "For example sqlite:.stk/dev/main.db."),
    ],
};

pub(super) static DEV_API_KEY: Keys = Keys {
    what: "API key",
    keys: &[
        must("name", Shape::Text, "For people."),
        must("key", Shape::Text, "stk_<id>.<secret>."),
        key("roles", Shape::List(&Shape::Text), "Roles of the caller."),
    ],
};

pub(super) static DEV_SECRET: Keys = Keys {
    what: "secret",
    keys: &[
        key("value", Shape::Text, "The secret."),
        key("fromEnv", Shape::Text, "The variable of the environment that has it."),
    ],
};

pub(super) static SCHEMA: Keys = Keys {
    what: "schema file",
    keys: &[
        must("version", Shape::One, "The version of the file's format: 1."),
        key("tables", Shape::Names(&Shape::Map(&TABLE)), "Tables by name."),
    ],
};

pub(super) static TABLE: Keys = Keys {
    what: "table",
    keys: &[
        key("connection", Shape::Text, "The connection that the table is on; the project's default by default."),
        key("id", Shape::Map(&PRIMARY_KEY), "The primary key."),
        key("columns", Shape::Names(&Shape::Map(&COLUMN)), "Columns by name, without the primary key."),
        key("indexes", Shape::List(&Shape::Map(&INDEX)), "Further indexes."),
        key("deprecated", Shape::Text, "Why and since when the table is no longer to be used."),
    ],
};

pub(super) static PRIMARY_KEY: Keys = Keys {
    what: "primary key",
    keys: &[
        key("name", Shape::Text, "id by default."),
        key("generate", Shape::Words(GENERATE), "Who makes the value; ulid by default."),
        key("type", Shape::Words(TYPES), "string; bigint for auto_increment; a free choice for client."),
    ],
};

pub(super) static COLUMN: Keys = Keys {
    what: "column",
    keys: &[
        must("type", Shape::Words(TYPES), "The column's type."),
        key("nullable", Shape::Boolean, "Whether NULL is allowed; true by default."),
        key("unique", Shape::Boolean, "Whether values are unique."),
        key("default", Shape::Any, "A literal, or now for a timestamp."),
        key("items", Shape::Map(&ITEMS), "Element type of an array."),
        key("bucket", Shape::Text, "The bucket of a file."),
        key("onDelete", Shape::Words(FILE_ACTIONS), "What happens to a file when its row goes."),
        key("enum", Shape::List(&Shape::Text), "The allowed strings."),
        key("maxLength", Shape::Whole, "Largest number of characters."),
        key("min", Shape::Number, "Smallest number."),
        key("max", Shape::Number, "Largest number."),
        key("pattern", Shape::Text, "A regular expression that the whole string must match."),
        key("references", Shape::Map(&REFERENCE), "A foreign key."),
        key("renamedFrom", Shape::Text, "The name that the column had before."),
        key("deprecated", Shape::Text, "Why and since when the column is no longer to be used."),
    ],
};

pub(super) static ITEMS: Keys = Keys {
    what: "element type",
    keys: &[
        must("type", Shape::Words(TYPES), "The elements' type."),
        key("items", Shape::Map(&ITEMS), "For arrays of arrays."),
    ],
};

pub(super) static REFERENCE: Keys = Keys {
    what: "reference",
    keys: &[
        must("table", Shape::Text, "The table referred to."),
        key("column", Shape::Text, "Its column; the primary key by default."),
        key("as", Shape::Text, "The relation's name; the table's name by default."),
        key("onDelete", Shape::Words(ACTIONS), "When the row referred to is deleted; restrict by default."),
        key("onUpdate", Shape::Words(ACTIONS), "When its key changes; restrict by default."),
    ],
};

pub(super) static INDEX: Keys = Keys {
    what: "index",
    keys: &[
        must("columns", Shape::List(&Shape::Text), "In order."),
        key("unique", Shape::Boolean, "Whether the combination is unique."),
    ],
};

pub(super) static PERMISSIONS: Keys = Keys {
    what: "permissions",
    keys: &[
        key("tables", Shape::Names(&Shape::Map(&TABLE_RULES)), "Rules of tables."),
        key(
            "logics",
            Shape::Names(&Shape::Either(&[Shape::Map(&CALL_RULE), Shape::List(&Shape::Map(&CALL_RULE))])),
            "Rules of logics.",
        ),
        key("events", Shape::Any, "Rules of topics (a later version)."),
    ],
};

pub(super) static TABLE_RULES: Keys = Keys {
    what: "rules of a table",
    keys: &[
        key("select", Shape::Either(&[Shape::Map(&RULE), Shape::List(&Shape::Map(&RULE))]), "Who may read rows."),
        key("insert", Shape::Either(&[Shape::Map(&RULE), Shape::List(&Shape::Map(&RULE))]), "Who may add rows."),
        key("update", Shape::Either(&[Shape::Map(&RULE), Shape::List(&Shape::Map(&RULE))]), "Who may change rows."),
        key(
            "delete",
            Shape::Either(&[Shape::Map(&CALL_RULE), Shape::List(&Shape::Map(&CALL_RULE))]),
            "Who may remove rows.",
        ),
    ],
};

pub(super) static RULE: Keys = Keys {
    what: "rule",
    keys: &[
        must("roles", Shape::List(&Shape::Text), "public, authenticated or role names."),
        key("condition", Shape::Text, "CEL; absent holds."),
        key("columns", Shape::List(&Shape::Text), "The columns; absent or \"*\" is all."),
    ],
};

pub(super) static CALL_RULE: Keys = Keys {
    what: "rule without columns",
    keys: &[
        must("roles", Shape::List(&Shape::Text), "public, authenticated or role names."),
        key("condition", Shape::Text, "CEL; absent holds."),
    ],
};

pub(super) static PARAM: Keys = Keys {
    what: "param",
    keys: &[
        must("type", Shape::Words(TYPES), "The param's type."),
        key("required", Shape::Boolean, "Whether a caller must send it."),
        key("default", Shape::Any, "What is used when it is not sent."),
        key("items", Shape::Map(&ITEMS), "Element type of an array."),
        key("enum", Shape::List(&Shape::Text), "The allowed strings."),
        key("maxLength", Shape::Whole, "Largest number of characters."),
        key("min", Shape::Number, "Smallest number."),
        key("max", Shape::Number, "Largest number."),
        key("pattern", Shape::Text, "A regular expression that the whole string must match."),
    ],
};

pub(super) static SQL_LOGIC: Keys = Keys {
    what: "front matter",
    keys: &[
        key("description", Shape::Text, "For people."),
        key("auth", Shape::Words(AUTH), "Who may call it: anyone, or every end user."),
        key("roles", Shape::List(&Shape::Text), "Who may call it: these roles."),
        key("condition", Shape::Text, "CEL that must hold as well."),
        key("connection", Shape::Text, "The connection of its statements."),
        key("params", Shape::Names(&Shape::Map(&PARAM)), "Params by name."),
        key(
            "transaction",
            Shape::Boolean,
            "Whether its statements are one transaction; by default where there are several.",
        ),
        key("timeout", Shape::Duration, "Wall time."),
        key("publish", Shape::Any, "Events to publish (a later version)."),
    ],
};

pub(super) static WASM_LOGIC: Keys = Keys {
    what: "logic",
    keys: &[
        key("description", Shape::Text, "For people."),
        must(
            "component",
            Shape::Map(&COMPONENT),
            "Where the component comes from: path, build, or command and output.",
        ),
        key("auth", Shape::Words(AUTH), "Who may call it: anyone, or every end user."),
        key("roles", Shape::List(&Shape::Text), "Who may call it: these roles."),
        key("condition", Shape::Text, "CEL that must hold as well."),
        key("connection", Shape::Text, "The connection of its transaction."),
        key("params", Shape::Names(&Shape::Map(&PARAM)), "Params by name."),
        key("transaction", Shape::Words(&["none", "required"]), "required: the whole invocation is one transaction."),
        key("timeout", Shape::Duration, "Wall time."),
        key("grants", Shape::Map(&GRANTS), "What it may do; absent is nothing."),
        key("limits", Shape::Map(&LIMITS), "How much it may use."),
        key("instances", Shape::Words(&["fresh"]), "fresh: a new instance for every call."),
    ],
};

pub(super) static COMPONENT: Keys = Keys {
    what: "component",
    keys: &[
        key("path", Shape::Text, "A component that is there already."),
        key("build", Shape::Words(LANGUAGES), "The language of the source beside the manifest."),
        key("command", Shape::Text, "A command that builds it."),
        key("output", Shape::Text, "The file that the command leaves."),
    ],
};

pub(super) static GRANTS: Keys = Keys {
    what: "grants",
    keys: &[
        key("sql", Shape::List(&Shape::Map(&SQL_GRANT)), "Raw SQL on these tables."),
        key("secrets", Shape::List(&Shape::Text), "Names of secrets."),
        key("config", Shape::List(&Shape::Text), "Names of configuration values."),
        key("queries", Shape::Any, "Declared queries (a later version)."),
        key("crud", Shape::Any, "CRUD (a later version)."),
        key("storage", Shape::Any, "Objects (a later version)."),
        key("events", Shape::Any, "Events (a later version)."),
        key("logics", Shape::Any, "Other logics (a later version)."),
        key("http", Shape::Any, "Outbound requests (a later version)."),
    ],
};

/// Grants of the contract that this version cannot give.
pub(super) const LATER_GRANTS: &[&str] = &["queries", "crud", "storage", "events", "logics", "http"];

pub(super) static SQL_GRANT: Keys = Keys {
    what: "SQL grant",
    keys: &[
        key("connection", Shape::Text, "The project's default connection by default."),
        must("tables", Shape::Names(&Shape::List(&Shape::Words(VERBS))), "Verbs by table."),
    ],
};

pub(super) static LIMITS: Keys = Keys {
    what: "limits",
    keys: &[
        key("timeout", Shape::Duration, "Wall time."),
        key("cpu", Shape::Duration, "Time on a CPU."),
        key("memory", Shape::Size, "All linear memories together."),
        key("hostCalls", Shape::Whole, "Calls into the host."),
        key("sqlRows", Shape::Whole, "Rows read from databases."),
        key("sqlBytes", Shape::Size, "Bytes read from databases."),
        key("output", Shape::Size, "The answer."),
        key("logBytes", Shape::Size, "Log lines and standard output together."),
        key("httpRequests", Shape::Whole, "Outbound requests."),
    ],
};

impl Keys {
    /// The names, in the order of the documentation.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}
