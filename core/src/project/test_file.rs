//! `tests/*.yaml`: cases of logics as data, checked against the project, so that a wrong name is told with its place.
//!
//! It says what is given, called and expected. It runs nothing and compares nothing: `stk logic test` does.

use std::{cell::RefCell, collections::BTreeMap};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value as Json};

use super::{
    Project,
    decode::{File, Map as Keyed},
    diagnostic::{Check, Diagnostic, has_errors},
    keys, node,
    node::{Node, Span, Yaml},
};
use crate::{
    access::{Actor, ActorKind},
    logic::HttpGrant,
    name::{check_role, check_secret},
    param::convert,
    quantity::{Bytes, Millis},
    schema::Type,
    value::Value,
};

mod begun;
mod expected;
pub mod matrix;

pub use begun::{Begun, GivenEvent, GivenRun};
pub use expected::{Expect, ExpectError, ExpectRows, Matcher};

/// Bytes of one file.
const FILE_BYTES_MAX: usize = 1 << 20;
const CASES_MAX: usize = 1_000;
const STEPS_MAX: usize = 100;
const FINDINGS_MAX: usize = 500;

/// One case: its own database, its calls in order.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// For people.
    pub name: String,
    /// The line of the file that it begins in.
    pub line: u32,
    /// What is there before.
    pub given: Given,
    /// At least one.
    pub steps: Vec<TestStep>,
}

/// What is there before the first call.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// In the order of the file.
    pub rows: Vec<GivenRow>,
    /// Seed files, relative to the project.
    pub seed: Vec<String>,
    /// Over the project's own.
    pub config: BTreeMap<String, String>,
    /// By name.
    pub secrets: BTreeMap<String, SecretString>,
    /// Where the clock stands.
    pub now: Option<DateTime<Utc>>,
    /// What random numbers are made from.
    pub random_seed: Option<u64>,
    /// What outbound requests are answered.
    pub http: Vec<GivenHttp>,
}

/// An answer to outbound requests of one method and URL.
#[derive(Clone, Debug)]
pub struct GivenHttp {
    /// In capitals.
    pub method: String,
    /// The whole of it.
    pub url: String,
    /// Three digits.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// As it comes.
    pub body: Vec<u8>,
}

/// A row that is written before the first call.
#[derive(Clone, Debug)]
pub struct GivenRow {
    /// The table's connection.
    pub connection: String,
    /// The table.
    pub table: String,
    /// The line of the file.
    pub line: u32,
    /// Column and value.
    pub values: Vec<(String, Value)>,
}

/// One call.
#[derive(Clone, Debug)]
pub struct TestStep {
    /// The line of the file that it begins in.
    pub line: u32,
    /// Who calls.
    pub caller: Actor,
    /// The logic's name.
    pub logic: String,
    /// As sent; of an event, its payload.
    pub params: Map<String, Json>,
    /// By whom or what.
    pub begun: Begun,
    /// What becomes of it.
    pub expect: Expect,
}

/// Upper bounds; none is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageMax {
    /// Time on a CPU.
    pub cpu: Option<Millis>,
    /// Linear memories.
    pub memory: Option<Bytes>,
    /// Calls into the host.
    pub host_calls: Option<u64>,
    /// Rows read.
    pub sql_rows: Option<u64>,
    /// Bytes read.
    pub sql_bytes: Option<Bytes>,
    /// The answer.
    pub output: Option<Bytes>,
    /// Log lines.
    pub log_bytes: Option<Bytes>,
}

/// Whether a path is one of a file of cases: `tests/NAME.yaml` in the project's folder or in that of a logic.
pub fn is_test_file(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let in_place = folder == "tests" || (folder.starts_with("logics/") && folder.ends_with("/tests"));
    let is_yaml = super::source::has_extension(name, "yaml") || super::source::has_extension(name, "yml");
    in_place && is_yaml && !name.starts_with('.')
}

/// Reads a file of cases against the project that it is about.
pub fn parse(path: &str, bytes: &[u8], project: &Project) -> Result<Vec<TestCase>, Vec<Diagnostic>> {
    finish(|found| read(path, bytes, found, |file, root| cases(&file.reader(path, project), root)).unwrap_or_default())
}

/// Reads, and answers what was read only where nothing is wrong with it.
fn finish<T>(read: impl FnOnce(&RefCell<Vec<Diagnostic>>) -> T) -> Result<T, Vec<Diagnostic>> {
    let found = RefCell::new(Vec::new());
    let answer = read(&found);
    let mut found = found.into_inner();
    found.sort_by_key(|finding| (finding.line, finding.column));
    found.truncate(FINDINGS_MAX);
    if has_errors(&found) { Err(found) } else { Ok(answer) }
}

/// The file's tree; `None` where it has none.
fn read<T>(
    path: &str,
    bytes: &[u8],
    found: &RefCell<Vec<Diagnostic>>,
    then: impl FnOnce(&File<'_>, &Node) -> T,
) -> Option<T> {
    let unreadable = |message: String| {
        File::new(path, "", true, found).error(Span::START, Check::Syntax, message);
        None
    };
    if super::source::has_extension(path, "yml") {
        return unreadable("name it .yaml".to_owned());
    }
    if bytes.len() > FILE_BYTES_MAX {
        return unreadable(format!("the file has more than {FILE_BYTES_MAX} bytes"));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => return unreadable(format!("the file is not UTF-8: byte {} cannot be read", error.valid_up_to())),
    };
    // What is given as a secret is not shown, not even as a part of a wrong line.
    let file = File::new(path, text, text.contains("secrets"), found);
    let root = match node::parse(text) {
        Ok(root) => root,
        Err(error) => {
            file.error(error.span, Check::Syntax, error.message);
            return None;
        }
    };
    Some(then(&file, &root))
}

fn cases(reader: &Reader<'_>, root: &Node) -> Vec<TestCase> {
    let file = reader.file;
    let Some(map) = file.map(root, &keys::TEST_FILE) else { return Vec::new() };
    let cases = map.get("cases").map(|node| file.list(node)).unwrap_or_default();
    if let Some(extra) = cases.get(CASES_MAX) {
        file.error(extra.span, Check::TooMany, format!("a file has at most {CASES_MAX} cases"));
    }
    cases.iter().take(CASES_MAX).filter_map(|node| reader.case(node)).collect()
}

/// A file that is being read.
struct Reader<'r> {
    file: &'r File<'r>,
    project: &'r Project,
    /// The logic whose folder the file is in.
    logic: Option<&'r str>,
}

impl<'f> File<'f> {
    fn reader<'r>(&'r self, path: &'r str, project: &'r Project) -> Reader<'r>
    where
        'f: 'r,
    {
        let folder = path.strip_prefix("logics/").and_then(|rest| rest.rsplit_once("/tests/")).map(|(name, _)| name);
        Reader { file: self, project, logic: folder.filter(|name| project.logics.contains_key(*name)) }
    }
}

impl Reader<'_> {
    fn case(&self, node: &Node) -> Option<TestCase> {
        let file = self.file;
        let map = file.map(node, &keys::TEST_CASE)?;
        let name = map.get("name").and_then(|node| file.text(node)).map(|word| word.text).unwrap_or_default();
        let given = map.get("given").map(|node| self.given(node)).unwrap_or_default();
        let caller = map.get("as").and_then(|node| self.caller(node)).unwrap_or_else(Actor::anonymous);
        let steps = match map.entry("steps") {
            None => self.step(&map, &caller).into_iter().collect(),
            Some(steps) => {
                for key in ["call", "params", "event", "run", "expect"] {
                    if let Some(entry) = map.entry(key) {
                        let message = format!("{key:?} goes into a step where a case has steps");
                        file.error(entry.span, Check::Conflict, message);
                    }
                }
                let steps = file.list(&steps.value);
                if let Some(extra) = steps.get(STEPS_MAX) {
                    file.error(extra.span, Check::TooMany, format!("a case has at most {STEPS_MAX} steps"));
                }
                let step = |node: &Node| self.step(&file.map(node, &keys::TEST_STEP)?, &caller);
                steps.iter().take(STEPS_MAX).filter_map(step).collect()
            }
        };
        Some(TestCase { name, line: node.span.line, given, steps })
    }

    fn step(&self, map: &Keyed<'_>, caller: &Actor) -> Option<TestStep> {
        let file = self.file;
        let own = map.get("as").and_then(|node| self.caller(node));
        let params = map.get("params").map(|node| object(file, node)).unwrap_or_default();
        let logic = match (map.get("call"), self.logic) {
            (Some(node), _) => {
                let word = file.text(node)?;
                if !self.project.logics.contains_key(&word.text) {
                    let message = format!("there is no logic {:?}", word.text);
                    let known = self.project.logics.keys().map(String::as_str);
                    file.unknown(word.span, Check::UnknownLogic, message, &word.text, known);
                    return None;
                }
                word.text
            }
            (None, Some(name)) => name.to_owned(),
            (None, None) => {
                let message = "the file is in no logic's folder, so that each call names its logic";
                file.error_hint(map.span, Check::MissingKey, message, "add call: NAME");
                return None;
            }
        };
        let expect = map.get("expect").map(|node| self.expect(node, &logic)).unwrap_or_default();
        let (begun, payload) = self.begun(map, &logic)?;
        let params = payload.unwrap_or(params);
        let caller = own.unwrap_or_else(|| caller.clone());
        Some(TestStep { line: map.span.line, caller, logic, params, begun, expect })
    }

    fn caller(&self, node: &Node) -> Option<Actor> {
        let file = self.file;
        if matches!(node.yaml, Yaml::Text(_)) {
            return file.word(node, &["anonymous"], &[()]).map(|()| Actor::anonymous());
        }
        let map = file.map(node, &keys::TEST_CALLER)?;
        let roles = |node: &Node| -> Vec<String> {
            let words = file.texts(node).into_iter();
            words.filter(|word| file.check_name(&word.text, word.span, check_role)).map(|word| word.text).collect()
        };
        match (map.entry("apiKey"), map.entry("user")) {
            (Some(entry), None) => Some(Actor {
                kind: ActorKind::ApiKey,
                subject: Some("test".to_owned()),
                roles: roles(&entry.value),
                claims: Map::new(),
            }),
            (None, Some(entry)) => {
                let user = file.map(&entry.value, &keys::TEST_USER)?;
                Some(Actor {
                    kind: ActorKind::User,
                    subject: user.get("subject").and_then(|node| file.text(node)).map(|word| word.text),
                    roles: user.get("roles").map(roles).unwrap_or_default(),
                    claims: user.get("claims").map(|node| object(file, node)).unwrap_or_default(),
                })
            }
            _ => {
                let hint = "as: anonymous, as: {apiKey: [role]} or as: {user: {subject: id, roles: [role]}}";
                file.error_hint(node.span, Check::Conflict, "a caller is one of apiKey and user", hint);
                None
            }
        }
    }

    /// Rows by table, in the order of the file.
    fn rows(&self, node: &Node) -> Vec<GivenRow> {
        let file = self.file;
        let mut rows = Vec::new();
        for table in file.names(node) {
            let Some((connection, schema)) = self.table(&table.key, table.span) else { continue };
            for row in file.list(&table.value) {
                let values = file.names(row).into_iter().filter_map(|entry| {
                    let kind = self.column(schema, &table.key, &entry.key, entry.span)?;
                    Some((entry.key.clone(), typed(file, &entry.value, kind)?))
                });
                let values = values.collect();
                let (connection, table) = (connection.to_owned(), table.key.clone());
                rows.push(GivenRow { connection, table, line: row.span.line, values });
            }
        }
        rows
    }

    fn now(&self, node: &Node) -> Option<DateTime<Utc>> {
        let json = expected::normal(self.file, node, Type::Timestamp, self.file.text(node)?.text.into())?;
        DateTime::parse_from_rfc3339(json.as_str()?).ok().map(|time| time.to_utc())
    }

    fn given(&self, node: &Node) -> Given {
        let file = self.file;
        let mut given = Given::default();
        let Some(map) = file.map(node, &keys::TEST_GIVEN) else { return given };
        given.rows = map.get("rows").map(|node| self.rows(node)).unwrap_or_default();
        let inside = |path: &str| !path.starts_with('/') && !path.split('/').any(|part| part == "..");
        for word in map.get("seed").map(|node| file.texts(node)).unwrap_or_default() {
            if !inside(&word.text) {
                file.error(word.span, Check::InvalidValue, "a seed file is inside the project's folder");
            }
            given.seed.push(word.text);
        }
        for entry in map.get("config").map(|node| file.names(node)).unwrap_or_default() {
            given.config.extend(file.text(&entry.value).map(|word| (entry.key.clone(), word.text)));
        }
        for entry in map.get("secrets").map(|node| file.names(node)).unwrap_or_default() {
            file.check_name(&entry.key, entry.span, check_secret);
            given.secrets.extend(file.text(&entry.value).map(|word| (entry.key.clone(), word.text.into())));
        }
        given.now = map.get("now").and_then(|node| self.now(node));
        given.random_seed = map.get("randomSeed").and_then(|node| file.whole(node));
        let answers = map.get("http").map(|node| file.list(node)).unwrap_or_default();
        given.http = answers.iter().filter_map(|node| http(file, node)).collect();
        given
    }
}

/// An answer to an outbound request.
fn http(file: &File<'_>, node: &Node) -> Option<GivenHttp> {
    let map = file.map(node, &keys::TEST_HTTP)?;
    let method = map.get("method").and_then(|node| file.word(node, HttpGrant::METHODS, HttpGrant::METHODS));
    let url = file.text(map.get("url")?)?;
    if !url.text.starts_with("https://") {
        file.error(url.span, Check::InvalidValue, "a request is to https://");
    }
    let status = map.get("status").and_then(|node| Some((node.span, file.whole(node)?)));
    let is_status = |status: u64| (200..600).contains(&status);
    if let Some((span, _)) = status.filter(|(_, status)| !is_status(*status)) {
        file.error(span, Check::InvalidValue, "the status of an answer is between 200 and 599");
    }
    if let (Some(_), Some(entry)) = (map.get("body"), map.entry("json")) {
        file.error(entry.span, Check::Conflict, "an answer has \"body\" or \"json\", not both");
    }
    let headers = map.get("headers").map(|node| file.names(node)).unwrap_or_default();
    let mut headers: Vec<(String, String)> =
        headers.into_iter().filter_map(|entry| Some((entry.key.clone(), file.text(&entry.value)?.text))).collect();
    let body = match map.get("json") {
        None => map.get("body").and_then(|node| file.text(node)).map(|word| word.text).unwrap_or_default(),
        Some(node) => {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            json(file, node).to_string()
        }
    };
    Some(GivenHttp {
        method: method.unwrap_or("GET").to_owned(),
        url: url.text,
        status: status.and_then(|(_, status)| u16::try_from(status).ok()).unwrap_or(200),
        headers,
        body: body.into_bytes(),
    })
}

/// A value for a column, as it is bound.
fn typed(file: &File<'_>, node: &Node, kind: Type) -> Option<Value> {
    if matches!(node.yaml, Yaml::Null) {
        return Some(Value::Null);
    }
    let json = expected::normal(file, node, kind, json(file, node))?;
    let value = convert::to_value(kind, &json);
    value.map_err(|message| file.error(node.span, Check::InvalidValue, message)).ok()
}

/// As JSON; a key that stands twice is told.
fn json(file: &File<'_>, node: &Node) -> Json {
    match &node.yaml {
        Yaml::Map(_) => Json::Object(object(file, node)),
        Yaml::List(items) => items.iter().map(|item| json(file, item)).collect(),
        _ => node.json(),
    }
}

fn object(file: &File<'_>, node: &Node) -> Map<String, Json> {
    file.names(node).into_iter().map(|entry| (entry.key.clone(), json(file, &entry.value))).collect()
}
