//! `logics/**/NAME/logic.yaml`: the manifest of a component.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ComponentSource, JsEngine, Language, LogicSource, ProjectLogic, WasmSource,
    decode::{File, Map, Word},
    diagnostic::Check,
    events, keys,
    logics::{self, DraftLogic, Known, check_ceiling},
    mount,
    node::{Node, Yaml},
    objects, storage, triggers,
};
use crate::{
    access::decide::{AUTHENTICATED, PUBLIC},
    event::Change,
    limit::InvocationLimits,
    logic::{CrudGrant, Grants, HttpGrant, HttpGrantError, Record, Share, SqlGrant, TransactionMode, Verb},
    name::{check_role, check_secret},
    quantity::{Bytes, Millis},
};

pub(super) fn read<'f>(file: &'f File<'f>, root: &Node, known: &Known) -> Option<DraftLogic<'f>> {
    let map = file.map(root, &keys::WASM_LOGIC)?;
    let component = map.get("component").and_then(|node| component(file, node));
    if let Some(node) = map.get("instances").filter(|node| !matches!(&node.yaml, Yaml::Text(text) if text == "fresh")) {
        let message = "only fresh instances are supported by this version: every call gets a new one";
        file.error_hint(node.span, Check::Unsupported, message, "leave \"instances\" out");
    }
    let (limits, timeout) = limits(file, &map);
    let mount = mount::read(file, &map);
    let transaction = map
        .get("transaction")
        .and_then(|node| file.word(node, &["none", "required"], &[TransactionMode::None, TransactionMode::Required]));
    let logic = ProjectLogic {
        path: file.path.to_owned(),
        description: DraftLogic::description(file, &map),
        rules: Vec::new(),
        params: logics::params(file, &map).into_iter().map(|param| param.param).collect(),
        connection: logics::connection(file, &map, known),
        transaction: transaction.unwrap_or(TransactionMode::None),
        timeout,
        source: LogicSource::Wasm(Box::new(WasmSource {
            // Without a component there is an error, and no project.
            component: component.unwrap_or(ComponentSource::Path(String::new())),
            dir: file.path.strip_suffix("/logic.yaml").unwrap_or(file.path).to_owned(),
            grants_at: format!("{}:{}", file.path, map.entry("grants").map_or(map.span, |entry| entry.span).line),
            grants: map.get("grants").map(|node| grants(file, node, known)).unwrap_or_default(),
            limits,
            record: map.get("record").and_then(|node| record(file, node)),
            mount,
            subscription: None,
            job_at: None,
        })),
    };
    Some(DraftLogic::new(file, &map, logic))
}

fn component(file: &File<'_>, node: &Node) -> Option<ComponentSource> {
    let map = file.map(node, &keys::COMPONENT)?;
    let forms = ["path", "build", "command"].into_iter().filter_map(|key| map.entry(key)).collect::<Vec<_>>();
    let hint = "for example component: {build: rust}, {path: x.wasm} or {command: \"make\", output: x.wasm}";
    match forms.as_slice() {
        [] => {
            file.error_hint(
                node.span,
                Check::MissingKey,
                "a component needs one of \"path\", \"build\" and \"command\"",
                hint,
            );
            return None;
        }
        [_] => {}
        [_, second, ..] => {
            let message = "a component has one of \"path\", \"build\" and \"command\", not several";
            file.error_hint(second.span, Check::Conflict, message, hint);
            return None;
        }
    }
    if let (Some(entry), None) = (map.entry("output"), map.get("command")) {
        file.error(entry.span, Check::Conflict, "\"output\" goes with \"command\" only");
    }
    if let (Some(entry), None) = (map.entry("engine"), map.get("build")) {
        file.error(entry.span, Check::Conflict, "\"engine\" goes with \"build\" only");
    }
    if let Some(node) = map.get("path") {
        return inner_path(file, node).map(ComponentSource::Path);
    }
    if let Some(node) = map.get("build") {
        return language(file, &map, node).map(ComponentSource::Build);
    }
    let Some(output) = map.get("output") else {
        file.error_hint(map.span, Check::MissingKey, "a command needs \"output\": the file that it leaves", hint);
        return None;
    };
    let command = file.text(map.get("command")?)?.text;
    Some(ComponentSource::Command { command, output: inner_path(file, output)? })
}

/// The language, and for JavaScript what runs it.
fn language(file: &File<'_>, map: &Map<'_>, node: &Node) -> Option<Language> {
    let engines = [JsEngine::QuickJs, JsEngine::StarlingMonkey];
    let named = map.get("engine").and_then(|node| file.word(node, keys::ENGINES, &engines));
    let engine = named.unwrap_or_default();
    let languages = [Language::Rust, Language::Js(engine), Language::Ts(engine), Language::Python, Language::C];
    let language = file.word(node, keys::LANGUAGES, &languages)?;
    if let (Some(entry), Language::Rust | Language::Python | Language::C) = (map.entry("engine"), language) {
        let message = format!("\"engine\" is for ts and js, and this is {}", language.as_str());
        file.error_hint(entry.span, Check::Conflict, message, "leave \"engine\" out");
    }
    Some(language)
}

/// A path that stays in the logic's folder.
fn inner_path(file: &File<'_>, node: &Node) -> Option<String> {
    let word = file.text(node)?;
    let inside = !word.text.is_empty()
        && !word.text.contains(['\\', '\0', ':'])
        && word.text.split('/').all(|part| !part.is_empty() && part != "..");
    if !inside {
        file.error(
            word.span,
            Check::InvalidValue,
            "the path must lie in the logic's folder, written with / and without ..",
        );
    }
    inside.then_some(word.text)
}

fn grants(file: &File<'_>, node: &Node, known: &Known) -> Grants {
    let Some(map) = file.map(node, &keys::GRANTS) else { return Grants::default() };
    let sql = map.get("sql").map(|node| file.list(node)).unwrap_or_default();
    let secret = |word: &Word| file.check_name(&word.text, word.span, check_secret);
    let words = |key| map.get(key).map(|node| file.texts(node)).unwrap_or_default();
    let config = |word: &Word| {
        let is_known = known.config.contains(&word.text);
        if !is_known {
            let message = format!("there is no configuration value {:?} in santokit.yaml", word.text);
            file.unknown(word.span, Check::UnknownConfig, message, &word.text, known.config.iter().map(String::as_str));
        }
        is_known
    };
    let query = |word: &Word| {
        let is_known = known.queries.contains(&word.text);
        if !is_known {
            let message = format!("there is no declared query {:?}", word.text);
            file.unknown(word.span, Check::UnknownQuery, message, &word.text, known.queries.iter().map(String::as_str));
        }
        is_known
    };
    let logic = |word: &Word| {
        let is_known = known.logics.contains(&word.text);
        if !is_known {
            let message = format!("there is no logic {:?}", word.text);
            file.unknown(word.span, Check::UnknownLogic, message, &word.text, known.logics.iter().map(String::as_str));
        }
        is_known
    };
    Grants {
        logics: words("logics").into_iter().filter(logic).map(|word| word.text).collect(),
        queries: words("queries").into_iter().filter(query).map(|word| word.text).collect(),
        sql: sql.iter().filter_map(|node| sql_grant(file, node, known)).collect(),
        crud: map.get("crud").and_then(|node| crud_grant(file, node)),
        http: map.get("http").map(|node| http_grants(file, node)).unwrap_or_default(),
        storage: map.get("storage").map(|node| storage::grants(file, node, known)).unwrap_or_default(),
        events: map.get("events").map(|node| events::grants(file, node, known)).unwrap_or_default(),
        once: map.get("once").and_then(|node| file.boolean(node)).unwrap_or_default(),
        secrets: words("secrets").into_iter().filter(secret).map(|word| word.text).collect(),
        config: words("config").into_iter().filter(config).map(|word| word.text).collect(),
    }
}

fn record(file: &File<'_>, node: &Node) -> Option<Record> {
    let map = file.map(node, &keys::RECORD)?;
    // What cannot be read is told at its place, and nothing more is said of it.
    let share = |key| map.get(key).map_or(Some(Share::default()), |node| file.quantity::<Share>(node));
    let keep = map.get("keep").map_or(Some(Record::KEEP), |node| file.quantity::<Millis>(node));
    let redact = map.get("redact").map(|node| file.texts(node)).unwrap_or_default();
    let record = Record {
        sample: share("sample")?,
        failures: share("failures")?,
        keep: keep?,
        redact: redact.into_iter().map(|word| word.text).collect(),
    };
    if let Err(error) = record.check() {
        file.error(node.span, Check::InvalidValue, error.to_string());
    }
    Some(record)
}

fn sql_grant(file: &File<'_>, node: &Node, known: &Known) -> Option<SqlGrant> {
    let map = file.map(node, &keys::SQL_GRANT)?;
    let connection = logics::connection(file, &map, known);
    let verbs = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete];
    let mut tables = BTreeMap::new();
    for entry in file.names(map.get("tables")?) {
        check_table(file, &connection, &Word { text: entry.key.clone(), span: entry.span }, known);
        let list = file.list(&entry.value);
        if list.is_empty() && matches!(&entry.value.yaml, Yaml::List(_) | Yaml::Null) {
            let hint = "name at least one of select, insert, update and delete, or leave the table out";
            file.error_hint(entry.span, Check::InvalidValue, format!("nothing is granted on {:?}", entry.key), hint);
        }
        let granted: BTreeSet<Verb> = list.iter().filter_map(|node| file.word(node, keys::VERBS, &verbs)).collect();
        let writes = |change: Change| {
            granted.contains(match change {
                Change::Insert => &Verb::Insert,
                Change::Update => &Verb::Update,
                Change::Delete => &Verb::Delete,
            })
        };
        triggers::warn_of_grant(file, (&entry.key, entry.span), writes, &known.triggers);
        objects::warn_of_grant(file, (&entry.key, entry.span), writes, &known.connections);
        tables.insert(entry.key.clone(), granted);
    }
    Some(SqlGrant { connection, tables })
}

fn http_grants(file: &File<'_>, node: &Node) -> Vec<HttpGrant> {
    let grants: Vec<HttpGrant> = file.list(node).iter().filter_map(|node| http_grant(file, node)).collect();
    // What is wrong with one of them was told at its place.
    if let Err(error @ HttpGrantError::TooMany) = HttpGrant::check_all(&grants) {
        file.error(node.span, Check::TooMany, error.to_string());
    }
    grants
}

fn http_grant(file: &File<'_>, node: &Node) -> Option<HttpGrant> {
    let map = file.map(node, &keys::HTTP_GRANT)?;
    let hosts = file.texts(map.get("hosts")?);
    if hosts.is_empty() {
        let hint = "name the hosts, for example hosts: [api.example.com]";
        file.error_hint(map.span, Check::InvalidValue, "nothing is granted without a host", hint);
    }
    let checked = |check: fn(&str) -> Result<(), HttpGrantError>, word: Word| match check(&word.text) {
        Ok(()) => Some(word.text),
        Err(error) => {
            file.error(word.span, Check::InvalidValue, error.to_string());
            None
        }
    };
    let method = |node: &Node| file.word(node, HttpGrant::METHODS, HttpGrant::METHODS);
    for key in ["methods", "paths"] {
        if let Some(node) = map.get(key).filter(|node| matches!(&node.yaml, Yaml::List(items) if items.is_empty())) {
            let message = format!("nothing is granted without one of {key:?}");
            file.error_hint(node.span, Check::InvalidValue, message, format!("name one, or leave {key:?} out"));
        }
    }
    let paths = map.get("paths").map(|node| file.texts(node));
    let methods = map.get("methods").map(|node| file.list(node).iter().filter_map(method).collect::<Vec<&str>>());
    Some(HttpGrant {
        hosts: hosts.into_iter().filter_map(|word| checked(HttpGrant::check_host, word)).collect(),
        methods: methods.unwrap_or_else(|| vec!["GET"]).into_iter().map(str::to_owned).collect(),
        paths: match paths {
            None => BTreeSet::from(["/*".to_owned()]),
            Some(words) => words.into_iter().filter_map(|word| checked(HttpGrant::check_path, word)).collect(),
        },
    })
}

fn crud_grant(file: &File<'_>, node: &Node) -> Option<CrudGrant> {
    let map = file.map(node, &keys::CRUD_GRANT)?;
    let is_service = file.word(map.get("as")?, &["caller", "service"], &[false, true])?;
    match (is_service, map.entry("roles")) {
        (false, None) => Some(CrudGrant::Caller {}),
        (false, Some(entry)) => {
            let hint = "leave \"roles\" out, or say as: service";
            file.error_hint(entry.span, Check::Conflict, "as the caller it has the caller's roles, and no other", hint);
            None
        }
        (true, None) => {
            let hint = "for example crud: {as: service, roles: [stockkeeper]}";
            file.error_hint(map.span, Check::MissingKey, "a service needs \"roles\"", hint);
            None
        }
        (true, Some(entry)) => {
            let roles = file.texts(&entry.value);
            if roles.is_empty() && matches!(&entry.value.yaml, Yaml::List(_)) {
                let hint = "name the roles whose rules are for it";
                file.error_hint(entry.span, Check::InvalidValue, "a service needs one role at least", hint);
            }
            let roles = roles.into_iter().filter(|role| service_role(file, role)).map(|role| role.text).collect();
            Some(CrudGrant::Service { roles })
        }
    }
}

/// Rules for `public` are for a service as for anybody; `authenticated` is an end user, which a service is not.
fn service_role(file: &File<'_>, role: &Word) -> bool {
    if [PUBLIC, AUTHENTICATED].contains(&role.text.as_str()) {
        let message = format!("{:?} says who is calling and is no role that a service can have", role.text);
        file.error_hint(role.span, Check::InvalidValue, message, "name a role of your own, and rules for it");
        return false;
    }
    file.check_name(&role.text, role.span, check_role)
}

fn check_table(file: &File<'_>, connection: &str, table: &Word, known: &Known) {
    let Some(schema) = known.connections.get(connection) else { return };
    if schema.tables.contains_key(&table.text) {
        return;
    }
    let message = format!("there is no table {:?} on connection {connection:?}", table.text);
    match known.connections.iter().find(|(_, schema)| schema.tables.contains_key(&table.text)) {
        Some((other, _)) => {
            file.error_hint(table.span, Check::UnknownTable, message, format!("it is on connection {other:?}"));
        }
        None => file.unknown(
            table.span,
            Check::UnknownTable,
            message,
            &table.text,
            schema.tables.keys().map(String::as_str),
        ),
    }
}

/// The limits, and the wall time, which can stand in either place.
fn limits(file: &File<'_>, map: &Map<'_>) -> (InvocationLimits, Millis) {
    let mut limits = InvocationLimits::default();
    let top = logics::timeout(file, map);
    if let Some(inner) = map.get("limits").and_then(|node| file.map(node, &keys::LIMITS)) {
        let ceiling = InvocationLimits::ceiling();
        let inner_timeout = logics::timeout(file, &inner);
        if let (Some(top), Some(timeout), Some(entry)) = (top, inner_timeout, inner.entry("timeout"))
            && top != timeout
        {
            let message = format!("the wall time is {timeout} here and {top} under \"timeout\" of the logic");
            file.error_hint(entry.span, Check::Conflict, message, "say it in one place");
        }
        limits.timeout = inner_timeout.unwrap_or(limits.timeout);
        time(file, &inner, "cpu", &mut limits.cpu, ceiling.cpu);
        size(file, &inner, "memory", &mut limits.memory, ceiling.memory);
        size(file, &inner, "sqlBytes", &mut limits.sql_bytes, ceiling.sql_bytes);
        size(file, &inner, "output", &mut limits.output, ceiling.output);
        size(file, &inner, "logBytes", &mut limits.log_bytes, ceiling.log_bytes);
        size(file, &inner, "httpBytes", &mut limits.http_bytes, ceiling.http_bytes);
        size(file, &inner, "storageBytes", &mut limits.storage_bytes, ceiling.storage_bytes);
        count(file, &inner, "hostCalls", &mut limits.host_calls, ceiling.host_calls);
        count(file, &inner, "sqlRows", &mut limits.sql_rows, ceiling.sql_rows);
        count(file, &inner, "httpRequests", &mut limits.http_requests, ceiling.http_requests);
    }
    limits.timeout = top.unwrap_or(limits.timeout);
    let timeout = limits.timeout;
    (limits, timeout)
}

fn time(file: &File<'_>, map: &Map<'_>, key: &'static str, limit: &mut Millis, ceiling: Millis) {
    let Some(node) = map.get(key) else { return };
    let Some(value) = file.quantity::<Millis>(node) else { return };
    check_ceiling(file, node.span, key, value > ceiling, value == Millis(0), &ceiling.to_string());
    *limit = value;
}

fn size(file: &File<'_>, map: &Map<'_>, key: &'static str, limit: &mut Bytes, ceiling: Bytes) {
    let Some(node) = map.get(key) else { return };
    let Some(value) = file.quantity::<Bytes>(node) else { return };
    // Without a byte to read or to log a logic can run; without memory or an answer it cannot.
    let needed = matches!(key, "memory" | "output");
    check_ceiling(file, node.span, key, value > ceiling, needed && value == Bytes(0), &ceiling.to_string());
    *limit = value;
}

fn count(file: &File<'_>, map: &Map<'_>, key: &'static str, limit: &mut u64, ceiling: u64) {
    let Some(node) = map.get(key) else { return };
    let Some(value) = file.whole(node) else { return };
    check_ceiling(file, node.span, key, value > ceiling, false, &ceiling.to_string());
    *limit = value;
}
