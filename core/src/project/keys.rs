//! The keys of every file kind: what the decoder accepts and what the JSON Schemas say, in one table each.

mod cron;
mod grants;
mod storage;
mod triggers;

pub(super) use cron::CRON;
pub(super) use grants::{
    CRUD_GRANT, DELIVERIES, EVENTS_GRANT, GRANTS, HTTP_GRANT, RETRY, SQL_GRANT, STORAGE_GRANT, STORAGE_OPS,
    SUBSCRIPTION, TOPIC, TOPIC_FIELD,
};
pub(super) use storage::{BUCKET, BUCKET_EVENTS, PROVIDERS, S3_MORE, S3_NEEDED, STORAGE, STORAGE_POLICY, UPLOAD_RULE};
pub(super) use triggers::{CHANGES, EVENT_RULES, SQL_PUBLISH, TRIGGER};

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

pub(super) const RETURNS: &[&str] = &["many", "one", "exec"];

pub(super) const AUTH: &[&str] = &["public", "authenticated"];

pub(super) const LANGUAGES: &[&str] = &["rust", "js", "ts", "python", "c"];

pub(super) const ENGINES: &[&str] = &["quickjs", "starlingmonkey"];

/// As the model spells and orders them; a test holds the two together.
pub(super) const DATABASES: &[&str] = &["sqlite", "postgres", "mysql"];

pub(super) static PROJECT: Keys = Keys {
    what: "santokit.yaml",
    keys: &[
        must("version", Shape::One, "The version of the file's format: 1."),
        must("name", Shape::Text, "The project's name, unique in a Hub."),
        key("defaultConnection", Shape::Text, "The connection that is meant where none is named; main by default."),
        key("config", Shape::Names(&Shape::Text), "Configuration values that logics may read, if granted."),
        key("cors", Shape::Map(&CORS), "Which web pages of other origins may call it; none by default."),
        key("envs", Shape::Names(&Shape::Map(&ENV)), "What differs by env."),
    ],
};

pub(super) static ENV: Keys = Keys {
    what: "env",
    keys: &[
        key("config", Shape::Names(&Shape::Text), "Values that replace or add to the project's."),
        key("cors", Shape::Map(&CORS), "What replaces the project's as a whole."),
    ],
};

pub(super) static CORS: Keys = Keys {
    what: "cors",
    keys: &[
        must("origins", Shape::List(&Shape::Text), "Origins such as https://shop.example, or \"*\"."),
        key("methods", Shape::List(&Shape::Words(crate::cors::METHODS)), "Methods; GET and POST by default."),
        key("headers", Shape::List(&Shape::Text), "Request headers, or \"*\"; those that a Bridge reads by default."),
        key("exposedHeaders", Shape::List(&Shape::Text), "Answer headers that a page may read as well."),
        key("credentials", Shape::Boolean, "Whether browsers send cookies; not together with \"*\"."),
        key("maxAge", Shape::Duration, "How long browsers keep this; 10m by default, 1d at most."),
    ],
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
        must("engine", Shape::Words(DATABASES), "The kind of database; mysql is MariaDB too."),
        must("url", Shape::Text, "For example sqlite:.stk/dev/main.db, or postgres://user:password@localhost/shop."),
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
        key(
            "sunset",
            Shape::Text,
            "The day from which on it may go, YYYY-MM-DD; 90 days after the first apply by default.",
        ),
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
        key(
            "sunset",
            Shape::Text,
            "The day from which on it may go, YYYY-MM-DD; 90 days after the first apply by default.",
        ),
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
        key("events", Shape::Names(&Shape::Map(&EVENT_RULES)), "Rules of topics."),
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
            "Whether its statements are one transaction; by default where there are several, and always where it publishes.",
        ),
        key("timeout", Shape::Duration, "Wall time."),
        key(
            "publish",
            Shape::List(&Shape::Map(&SQL_PUBLISH)),
            "Events that are stored with what its statements did, in their transaction.",
        ),
    ],
};

pub(super) static QUERY: Keys = Keys {
    what: "front matter",
    keys: &[
        key("description", Shape::Text, "For people."),
        key("connection", Shape::Text, "The connection that it runs on; the project's default by default."),
        key("params", Shape::Names(&Shape::Map(&PARAM)), "Params by name."),
        key(
            "returns",
            Shape::Words(RETURNS),
            "many rows (the default), exactly one row, or exec: the number of rows affected.",
        ),
        key(
            "result",
            Shape::Names(&Shape::Words(TYPES)),
            "Types of columns by name, for those whose type the schema does not say.",
        ),
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
        key(
            "mount",
            Shape::Text,
            "For a component of wasi:http: it answers requests below /http/ and this path, as they are. Instead of params.",
        ),
        key("methods", Shape::List(&Shape::Words(crate::logic::Mount::METHODS)), "With mount: which; all by default."),
        key("transaction", Shape::Words(&["none", "required"]), "required: the whole invocation is one transaction."),
        key("timeout", Shape::Duration, "Wall time."),
        key("grants", Shape::Map(&GRANTS), "What it may do; absent is nothing."),
        key("limits", Shape::Map(&LIMITS), "How much it may use."),
        key("record", Shape::Map(&RECORD), "Which of its invocations are recorded, where the Bridge allows it."),
        key("instances", Shape::Words(&["fresh"]), "fresh: a new instance for every call."),
    ],
};

pub(super) static RECORD: Keys = Keys {
    what: "record",
    keys: &[
        key("sample", Shape::Text, "The share of all calls, for example 1%."),
        key("failures", Shape::Text, "The share of calls that fail, for example 100%."),
        key("keep", Shape::Duration, "For how long; 24h by default, 30d at most."),
        key("redact", Shape::List(&Shape::Text), "Fields and columns whose values are left out."),
    ],
};

pub(super) static COMPONENT: Keys = Keys {
    what: "component",
    keys: &[
        key("path", Shape::Text, "A component that is there already."),
        key("build", Shape::Words(LANGUAGES), "The language of the source beside the manifest."),
        key("engine", Shape::Words(ENGINES), "What runs TypeScript or JavaScript; quickjs by default."),
        key("command", Shape::Text, "A command that builds it."),
        key("output", Shape::Text, "The file that the command leaves."),
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
        key("httpBytes", Shape::Size, "Bodies of outbound requests and their answers together."),
        key("storageBytes", Shape::Size, "Bytes read from buckets and written to them."),
    ],
};

pub(super) static TEST_FILE: Keys = Keys {
    what: "test file",
    keys: &[must("cases", Shape::List(&Shape::Map(&TEST_CASE)), "The cases, each with a database of its own.")],
};

pub(super) static MATRIX: Keys = Keys {
    what: "permission matrix",
    keys: &[
        must("callers", Shape::Names(&CALLER), "Who asks, by a name for the matrix."),
        key(
            "rows",
            Shape::Names(&Shape::List(&Shape::Names(&Shape::Any))),
            "Rows by table that the rules are asked about.",
        ),
        key("now", Shape::Text, "The time that conditions see, as RFC 3339."),
        must("matrix", Shape::Names(&Shape::Map(&MATRIX_TABLE)), "By table: what each caller may."),
    ],
};

pub(super) static MATRIX_TABLE: Keys = Keys {
    what: "table of a permission matrix",
    keys: &[
        must("select", Shape::Names(&CELL), "Which rows each caller may read."),
        must("insert", Shape::Names(&CELL), "Which rows each caller may add."),
        must("update", Shape::Names(&CELL), "Which rows each caller may change."),
        must("delete", Shape::Names(&CELL), "Which rows each caller may remove."),
    ],
};

const CELL: Shape = Shape::Either(&[Shape::Words(CELLS), Shape::List(&Shape::Any), Shape::Map(&MATRIX_CELL)]);

pub(super) const CELLS: &[&str] = &["none", "all"];

pub(super) static MATRIX_CELL: Keys = Keys {
    what: "expectation of a permission matrix",
    keys: &[
        must(
            "rows",
            Shape::Either(&[Shape::Words(CELLS), Shape::List(&Shape::Any)]),
            "none, all, or the keys of rows.",
        ),
        key("columns", Shape::List(&Shape::Text), "Exactly these columns; not looked at where it is left out."),
    ],
};

pub(super) static TEST_CASE: Keys = Keys {
    what: "test case",
    keys: &[
        must("name", Shape::Text, "What is shown, in one line."),
        key("given", Shape::Map(&TEST_GIVEN), "What is there before."),
        key("as", CALLER, "Who calls: anonymous (the default), apiKey or user."),
        key("call", Shape::Text, "The logic; by default the one whose folder the file is in."),
        key("params", Shape::Names(&Shape::Any), "What is sent."),
        key("event", Shape::Map(&TEST_EVENT), "In place of a call: an event that the logic handles."),
        key("run", Shape::Map(&TEST_RUN), "In place of a call: a run of a job, whose handler the logic is."),
        key("expect", Shape::Map(&TEST_EXPECT), "What becomes of it; by default it succeeds."),
        key("steps", Shape::List(&Shape::Map(&TEST_STEP)), "Several calls in order, in place of one."),
    ],
};

pub(super) static TEST_STEP: Keys = Keys {
    what: "step",
    keys: &[
        key("as", CALLER, "Who calls; by default as the case says."),
        key("call", Shape::Text, "The logic; by default the one whose folder the file is in."),
        key("params", Shape::Names(&Shape::Any), "What is sent."),
        key("event", Shape::Map(&TEST_EVENT), "In place of a call: an event that the logic handles."),
        key("run", Shape::Map(&TEST_RUN), "In place of a call: a run of a job, whose handler the logic is."),
        key("expect", Shape::Map(&TEST_EXPECT), "What becomes of it; by default it succeeds."),
    ],
};

pub(super) static TEST_EVENT: Keys = Keys {
    what: "event",
    keys: &[
        must("topic", Shape::Text, "A topic of the project."),
        key("payload", Shape::Names(&Shape::Any), "Its fields, as they are published."),
        key("id", Shape::Text, "By default evt_test."),
        key("attempt", Shape::Whole, "From 1, which is the default."),
        key("causedBy", Shape::Text, "The event that was being handled when it was published."),
    ],
};

pub(super) static TEST_RUN: Keys = Keys {
    what: "run",
    keys: &[
        must("job", Shape::Text, "A job of the project."),
        key("id", Shape::Text, "By default run_test."),
        key("dueAt", Shape::Text, "The tick, as RFC 3339; without it an operator has begun it."),
        key("cause", Shape::Words(&TEST_CAUSES), "schedule by default; without a tick, manual."),
    ],
};

/// What begins a run.
pub(super) const TEST_CAUSES: [&str; 3] = ["schedule", "catchUp", "manual"];

pub(super) static TEST_EXPECTED_EVENT: Keys = Keys {
    what: "expected event",
    keys: &[must("topic", Shape::Text, "Its topic."), key("payload", Shape::Any, "Its payload; by default any.")],
};

const CALLER: Shape = Shape::Either(&[Shape::Words(&["anonymous"]), Shape::Map(&TEST_CALLER)]);

pub(super) static TEST_CALLER: Keys = Keys {
    what: "caller",
    keys: &[
        key("apiKey", Shape::List(&Shape::Text), "An API key with these roles."),
        key("user", Shape::Map(&TEST_USER), "An end user."),
    ],
};

pub(super) static TEST_USER: Keys = Keys {
    what: "end user",
    keys: &[
        must("subject", Shape::Text, "The user's id."),
        key("roles", Shape::List(&Shape::Text), "The user's roles."),
        key("claims", Shape::Names(&Shape::Any), "Further claims."),
    ],
};

pub(super) static TEST_GIVEN: Keys = Keys {
    what: "given",
    keys: &[
        key("rows", Shape::Names(&Shape::List(&Shape::Names(&Shape::Any))), "Rows by table."),
        key("seed", Shape::List(&Shape::Text), "Seed files, relative to the project, loaded before the rows."),
        key("config", Shape::Names(&Shape::Text), "Configuration values, over those of the project."),
        key("secrets", Shape::Names(&Shape::Text), "Secrets."),
        key("now", Shape::Text, "The time that the logic sees, as RFC 3339."),
        key("randomSeed", Shape::Whole, "What the logic's random numbers are made from."),
        key("http", Shape::List(&Shape::Map(&TEST_HTTP)), "What outbound requests are answered; none is sent."),
    ],
};

pub(super) static TEST_HTTP: Keys = Keys {
    what: "answer to a request",
    keys: &[
        key("method", Shape::Words(crate::logic::HttpGrant::METHODS), "Of the request; GET by default."),
        must("url", Shape::Text, "Of the request, the whole of it."),
        key("status", Shape::Whole, "Of the answer; 200 by default."),
        key("headers", Shape::Names(&Shape::Text), "Of the answer."),
        key("body", Shape::Text, "The answer as text."),
        key("json", Shape::Any, "The answer as JSON."),
    ],
};

pub(super) static TEST_EXPECT: Keys = Keys {
    what: "expectation",
    keys: &[
        key("answer", Shape::Any, "The answer."),
        key("error", Shape::Map(&TEST_ERROR), "The error."),
        key("rows", Shape::Names(&Shape::List(&Shape::Any)), "All rows of a table afterwards, by primary key."),
        key("sql", Shape::List(&Shape::Map(&TEST_SQL)), "Queries, and the rows that they find afterwards."),
        key("logs", Shape::List(&Shape::Text), "Parts of log lines, each in some line."),
        key("usage", Shape::Map(&TEST_USAGE), "What it uses at most."),
        key("events", Shape::List(&Shape::Map(&TEST_EXPECTED_EVENT)), "All events that it publishes, in order."),
    ],
};

pub(super) static TEST_ERROR: Keys = Keys {
    what: "expected error",
    keys: &[
        must("code", Shape::Text, "The logic's own code where the logic says no, else the platform's."),
        key("message", Shape::Any, "Its message."),
        key("details", Shape::Any, "Its details."),
        key("limit", Shape::Text, "The limit that stopped it."),
    ],
};

pub(super) static TEST_SQL: Keys = Keys {
    what: "expected query",
    keys: &[
        must("query", Shape::Text, "The statement; it can only read."),
        must("rows", Shape::List(&Shape::Any), "What it finds, in its order."),
        key("connection", Shape::Text, "The project's default connection by default."),
    ],
};

pub(super) static TEST_USAGE: Keys = Keys {
    what: "usage",
    keys: &[
        key("cpu", Shape::Duration, "Time on a CPU."),
        key("memory", Shape::Size, "All linear memories together."),
        key("hostCalls", Shape::Whole, "Calls into the host."),
        key("sqlRows", Shape::Whole, "Rows read from databases."),
        key("sqlBytes", Shape::Size, "Bytes read from databases."),
        key("output", Shape::Size, "The answer."),
        key("logBytes", Shape::Size, "Log lines and standard output together."),
    ],
};

impl Keys {
    /// The names, in the order of the documentation.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}
