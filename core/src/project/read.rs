//! All files of a project, in the order in which they need each other: settings, tables, then what names tables.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    LogicSource, Project, ProjectLogic, ProjectQuery,
    access::{self, LogicRules},
    cron::Jobs,
    decode::{File, Map},
    diagnostic::{Check, Diagnostic, has_errors},
    events::Topics,
    links,
    logics::{DraftLogic, Known, name_of},
    loops::Chains,
    mount,
    node::{self, Node, Span, Yaml},
    query,
    settings::{self, Settings},
    source::{SourceTree, has_extension, is_project_file},
    sql_logic, storage,
    subscriptions::Subscriptions,
    tables,
    triggers::Triggers,
    wasm_logic,
};
use crate::{event::Events, name::check_logic, schema::Schema};

/// Bytes of one file.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Findings that are told; more would hide the first ones.
const FINDINGS_MAX: usize = 500;

const SETTINGS: &str = "santokit.yaml";
const DEV: &str = "santokit.dev.yaml";
const PERMISSIONS: &str = "config/permissions.yaml";

/// Reads a project; see [`super::parse`].
pub(super) fn project(files: &SourceTree) -> Result<Project, Vec<Diagnostic>> {
    let found = RefCell::new(Vec::new());
    let texts = texts(files, &found);
    let opened: Vec<(File<'_>, &str)> =
        texts.iter().map(|(path, text)| (File::new(path, text, *path == DEV, &found), *text)).collect();
    let project = Reader { opened: &opened }.read(&found);
    let mut found = found.into_inner();
    found.sort_by(|a, b| {
        (&a.path, a.line, a.column, a.code, &a.message).cmp(&(&b.path, b.line, b.column, b.code, &b.message))
    });
    found.dedup();
    found.truncate(FINDINGS_MAX);
    if has_errors(&found) {
        return Err(found);
    }
    Ok(Project { warnings: found, ..project })
}

/// `version: 1`.
pub(super) fn version(file: &File<'_>, map: &Map<'_>) {
    if let Some(node) = map.get("version").filter(|node| !matches!(node.yaml, Yaml::Whole(1))) {
        file.error(node.span, Check::InvalidValue, "the version of this format is 1");
    }
}

/// The project's files as text.
fn texts<'f>(files: &'f SourceTree, found: &RefCell<Vec<Diagnostic>>) -> Vec<(&'f str, &'f str)> {
    let mut texts = Vec::new();
    for (path, bytes) in files.iter().filter(|(path, _)| is_project_file(path)) {
        let unreadable = |message: String| File::new(path, "", true, found).error(Span::START, Check::Syntax, message);
        if bytes.len() > FILE_BYTES_MAX {
            unreadable(format!("the file has more than {FILE_BYTES_MAX} bytes"));
            continue;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => texts.push((path, text.strip_prefix('\u{feff}').unwrap_or(text))),
            Err(error) => unreadable(format!("the file is not UTF-8: byte {} cannot be read", error.valid_up_to())),
        }
    }
    texts
}

/// What a path says about a file.
enum Role {
    Settings,
    Dev,
    Schema,
    Permissions,
    Storage,
    Topic,
    Subscription,
    Trigger,
    Cron,
    SqlLogic,
    WasmLogic,
    Query,
    /// Of the contract, but not of this version: what it is.
    Later(&'static str),
    /// A mistake: what to do.
    Misplaced(&'static str),
}

fn role(path: &str, wasm_folders: &BTreeSet<&str>) -> Option<Role> {
    if has_extension(path, "yml") {
        return Some(Role::Misplaced("name it .yaml"));
    }
    let (folder, rest) = path.split_once('/').unwrap_or(("", path));
    Some(match (folder, rest) {
        ("", "santokit.yaml") => Role::Settings,
        ("", "santokit.dev.yaml") => Role::Dev,
        ("", _) => Role::Misplaced("the project's files are santokit.yaml and santokit.dev.yaml"),
        ("schema", _) => Role::Schema,
        ("config", "permissions.yaml") => Role::Permissions,
        ("config", "storage.yaml") => Role::Storage,
        ("config", "auth.yaml") => Role::Later("end users"),
        ("config", _) => Role::Misplaced("known are permissions.yaml and storage.yaml"),
        ("events", rest) => match rest.split_once('/') {
            Some(("topics", _)) => Role::Topic,
            Some(("subscriptions", _)) => Role::Subscription,
            Some(("triggers", _)) => Role::Trigger,
            _ => Role::Misplaced(
                "put a topic into events/topics, a subscription into events/subscriptions, and a trigger into events/triggers",
            ),
        },
        ("cron", _) => Role::Cron,
        ("queries", _) if has_extension(path, "sql") => Role::Query,
        ("queries", _) => Role::Misplaced("a declared query is a .sql file with a front matter"),
        ("logics", _) => return logic_role(path, wasm_folders),
        _ => return None,
    })
}

/// What lies below a Wasm logic's folder is its source, and a matter of its own toolchain.
fn logic_role(path: &str, wasm_folders: &BTreeSet<&str>) -> Option<Role> {
    let folders = || path.match_indices('/').map(|(at, _)| &path[..at]);
    let inside = folders().filter(|folder| wasm_folders.contains(folder)).count();
    match (path.ends_with("/logic.yaml"), inside) {
        (true, 1) if path != "logics/logic.yaml" => Some(Role::WasmLogic),
        (true, 1) => Some(Role::Misplaced("put it into a folder with the logic's name")),
        (true, _) => Some(Role::Misplaced("a logic cannot lie in the folder of another one")),
        (false, 0) => Some(Role::SqlLogic),
        (false, _) => None,
    }
}

struct Reader<'f> {
    opened: &'f [(File<'f>, &'f str)],
}

impl<'f> Reader<'f> {
    fn read(&self, found: &RefCell<Vec<Diagnostic>>) -> Project {
        let roles = self.roles();
        let settings = Self::settings(&roles, found);
        let mut drafts = Vec::new();
        for (_, file, text) in roles.iter().filter(|(role, ..)| matches!(role, Role::Schema)) {
            if let Some(root) = yaml(file, text) {
                tables::read(file, &root, &mut drafts);
            }
        }
        let storage_file = Self::storage(&roles);
        let storage = storage_file.as_ref().map(|(file, root)| storage::read(file, root)).unwrap_or_default();
        let connections = links::join(drafts, &settings.default_connection, &storage);
        let config =
            settings.config.keys().chain(settings.envs.values().flat_map(|env| env.config.keys())).cloned().collect();
        let queries = roles.iter().filter(|(role, ..)| matches!(role, Role::Query));
        let queries = queries.filter_map(|(_, file, _)| query::name_of(file.path)).map(str::to_owned).collect();
        let is_logic = |role: &Role| matches!(role, Role::SqlLogic | Role::WasmLogic);
        let logics = roles.iter().filter(|(role, ..)| is_logic(role));
        let logics = logics.filter_map(|(_, file, _)| name_of(file.path)).map(str::to_owned).collect();
        let default_connection = settings.default_connection.clone();
        let buckets = storage.buckets.keys().cloned().collect();
        let (mut events, subscriptions) = Self::events(&roles, connections.get(&default_connection));
        events.triggers = Self::triggers(&roles).check(&events, &connections);
        if let Some((file, root)) = &storage_file {
            storage::check_topics(file, root, &storage, &events);
        }
        let topics = events.topics.clone();
        let triggers = events.triggers.clone();
        let known = Known { default_connection, connections, config, queries, logics, buckets, topics, triggers };
        let permissions_file =
            roles.iter().find(|(role, ..)| matches!(role, Role::Permissions)).map(|(_, file, text)| (*file, *text));
        let root = permissions_file.and_then(|(file, text)| yaml(file, text).map(|root| (file, root)));
        let (permissions, given) = root
            .as_ref()
            .map(|(file, root)| access::read(file, root, (&known.connections, &events)))
            .unwrap_or_default();
        let queries = Self::queries(&roles, &known);
        let at = permissions_file.map(|(file, _)| file);
        let jobs = Self::jobs(&roles, &known);
        let handlers = Handlers { events: subscriptions.handlers(), jobs: jobs.handlers() };
        let logics = Self::logics((&roles, &known), (given, at), &handlers);
        let places = subscriptions.join(&mut events, &logics, &known.logics);
        Chains { events: &events, logics: &logics, permissions: &permissions }.warn(&places);
        let cron = jobs.check(&known, &logics);
        let dev = roles.iter().find(|(role, ..)| matches!(role, Role::Dev)).and_then(|(_, file, text)| {
            let names: Vec<&str> = known.connections.keys().map(String::as_str).collect();
            yaml(file, text).map(|root| settings::read_dev(file, &root, &names))
        });
        Project {
            name: settings.name,
            default_connection: settings.default_connection,
            connections: known.connections,
            permissions,
            cors: settings.cors,
            storage,
            events,
            cron,
            config: settings.config,
            envs: settings.envs,
            queries,
            logics,
            dev,
            warnings: Vec::new(),
        }
    }

    /// The files that mean something, and what. The others are told.
    fn roles(&self) -> Vec<(Role, &'f File<'f>, &'f str)> {
        let wasm_folders: BTreeSet<&str> =
            self.opened.iter().filter_map(|(file, _)| file.path.strip_suffix("/logic.yaml")).collect();
        let mut roles = Vec::new();
        for (file, text) in self.opened {
            match role(file.path, &wasm_folders) {
                Some(Role::Later(what)) => {
                    file.error_hint(
                        Span::START,
                        Check::Unsupported,
                        format!("not supported by this version: {what}"),
                        "remove the file",
                    );
                }
                Some(Role::Misplaced(hint)) => {
                    file.error_hint(Span::START, Check::UnknownFile, "this file means nothing here", hint);
                }
                Some(role) => roles.push((role, file, *text)),
                None => {}
            }
        }
        roles
    }

    fn settings(roles: &[(Role, &'f File<'f>, &'f str)], found: &RefCell<Vec<Diagnostic>>) -> Settings {
        if let Some((_, file, text)) = roles.iter().find(|(role, ..)| matches!(role, Role::Settings)) {
            return yaml(file, text).map(|root| settings::read(file, &root)).unwrap_or_default();
        }
        // The file can be there and unreadable; then that is said already.
        if !found.borrow().iter().any(|finding: &Diagnostic| finding.path == SETTINGS) {
            let hint = "run stk init, or stk in the project's folder";
            File::new(SETTINGS, "", true, found).error_hint(
                Span::START,
                Check::MissingFile,
                "the project has no santokit.yaml",
                hint,
            );
        }
        Settings::default()
    }

    fn storage(roles: &[(Role, &'f File<'f>, &'f str)]) -> Option<(&'f File<'f>, Node)> {
        let found = roles.iter().find(|(role, ..)| matches!(role, Role::Storage));
        found.and_then(|(_, file, text)| yaml(file, text).map(|root| (*file, root)))
    }

    fn events(roles: &[(Role, &'f File<'f>, &'f str)], default: Option<&Schema>) -> (Events, Subscriptions<'f>) {
        let of_topics = roles.iter().filter(|(role, ..)| matches!(role, Role::Topic));
        let (mut topics, mut files) = (Topics::default(), Vec::new());
        for (_, file, text) in of_topics {
            if let Some(root) = yaml(file, text) {
                topics.read(file, &root);
            }
            files.push(*file);
        }
        (topics.events(&files, default), Self::subscriptions(roles))
    }

    fn subscriptions(roles: &[(Role, &'f File<'f>, &'f str)]) -> Subscriptions<'f> {
        let mut subscriptions = Subscriptions::default();
        for (_, file, text) in roles.iter().filter(|(role, ..)| matches!(role, Role::Subscription)) {
            if let Some(root) = yaml(file, text) {
                subscriptions.read(file, &root);
            }
        }
        subscriptions
    }

    fn triggers(roles: &[(Role, &'f File<'f>, &'f str)]) -> Triggers<'f> {
        let mut triggers = Triggers::default();
        for (_, file, text) in roles.iter().filter(|(role, ..)| matches!(role, Role::Trigger)) {
            if let Some(root) = yaml(file, text) {
                triggers.read(file, &root);
            }
        }
        triggers
    }

    fn jobs(roles: &[(Role, &'f File<'f>, &'f str)], known: &Known) -> Jobs<'f> {
        let mut jobs = Jobs::default();
        for (_, file, text) in roles.iter().filter(|(role, ..)| matches!(role, Role::Cron)) {
            if let Some(root) = yaml(file, text) {
                jobs.read(file, &root, known);
            }
        }
        jobs
    }

    fn queries(roles: &[(Role, &'f File<'f>, &'f str)], known: &Known) -> BTreeMap<String, ProjectQuery> {
        let read = |(role, file, text): &(Role, &'f File<'f>, &'f str)| {
            let name = matches!(role, Role::Query).then(|| query::name_of(file.path)).flatten()?;
            file.check_name(name, Span::START, |name| check_logic(name).map_err(|error| error.of("a query's name")));
            Some((name.to_owned(), query::read(file, text, known)?))
        };
        roles.iter().filter_map(read).collect()
    }

    fn logics(
        (roles, known): (&[(Role, &'f File<'f>, &'f str)], &Known),
        (mut given, permissions): (LogicRules, Option<&File<'_>>),
        handlers: &Handlers,
    ) -> BTreeMap<String, ProjectLogic> {
        let mut logics = BTreeMap::new();
        // Also those that cannot be read: a rule for one of them is no mistake.
        let mut names = BTreeMap::new();
        for (role, file, text) in roles {
            let understood = match role {
                Role::SqlLogic => sql_logic::read(file, text, known),
                Role::WasmLogic => yaml(file, text).and_then(|root| wasm_logic::read(file, &root, known)),
                _ => continue,
            };
            let Some(name) = name_of(file.path) else { continue };
            file.check_name(name, Span::START, check_logic);
            if let Some(earlier) = names.insert(name.to_owned(), file.path) {
                file.error(
                    Span::START,
                    Check::Duplicate,
                    format!("the logic {name:?} is declared in {earlier} already"),
                );
            }
            let access = given.by_name.remove(name).map(|given| (given, permissions));
            if let Some(mut draft) = understood {
                if let LogicSource::Wasm(source) = &mut draft.logic.source {
                    source.subscription = handlers.events.get(name).cloned();
                    source.job_at = handlers.jobs.get(name).cloned();
                }
                logics.insert(name.to_owned(), with_access(draft, access, handlers.has(name)));
            }
        }
        let by_path = |path: &str| roles.iter().map(|(_, file, _)| *file).find(|file| file.path == path);
        mount::check(&logics, by_path);
        for (name, rules) in &given.by_name {
            if let Some(file) = permissions {
                let message = format!("there is no logic {name:?}");
                file.unknown(rules.span, Check::UnknownLogic, message, name, names.keys().map(String::as_str));
            }
        }
        logics
    }
}

/// The logics that something else than a caller begins, each with the name or the place of one thing that does.
struct Handlers {
    /// By subscriptions, which have names.
    events: BTreeMap<String, String>,
    /// By jobs, which have places.
    jobs: BTreeMap<String, String>,
}

impl Handlers {
    fn has(&self, logic: &str) -> bool {
        self.events.contains_key(logic) || self.jobs.contains_key(logic)
    }
}

/// Gives a logic its rules: its own, or those of `config/permissions.yaml`. One that handles events or jobs needs none.
fn with_access(
    draft: DraftLogic<'_>,
    given: Option<(access::GivenRules, Option<&File<'_>>)>,
    is_handler: bool,
) -> ProjectLogic {
    let DraftLogic { file, own_rules, mut logic } = draft;
    // A mistake in what it says is reported already.
    let is_silent =
        !is_handler && own_rules.is_none() && given.as_ref().is_none_or(|(given, _)| given.rules.is_empty());
    let rules = match (own_rules, given) {
        (Some(own), given) => {
            if let Some((given, Some(permissions))) = given {
                let message = format!("the logic says itself who may call it, in {}", file.path);
                permissions.error_hint(
                    given.span,
                    Check::Conflict,
                    message,
                    format!("say it there or in {PERMISSIONS}, not in both"),
                );
            }
            own.into_iter().map(|rule| rule.for_logic(file, &logic.params)).collect()
        }
        (None, Some((given, permissions))) => {
            let at = permissions.unwrap_or(file);
            given.rules.into_iter().map(|rule| rule.for_logic(at, &logic.params)).collect()
        }
        (None, None) => Vec::new(),
    };
    // Who handles is called by the platform, which needs no rule.
    if is_silent && !is_handler {
        let hint = format!("add auth: public, auth: authenticated or roles: […], or a rule in {PERMISSIONS}");
        file.warning(Span::START, Check::NoAccess, "nobody may call this logic", hint);
    }
    logic.rules = rules;
    logic
}

/// The tree of a YAML file; an error in one file does not stop the others.
fn yaml(file: &File<'_>, text: &str) -> Option<Node> {
    node::parse(text).map_err(|error| file.error(error.span, Check::Syntax, error.message)).ok()
}
