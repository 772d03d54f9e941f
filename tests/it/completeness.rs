//! Nothing is without a test: routes, error codes, limits and host calls are taken from where they are defined, and what no
//! case and no named test covers is listed. Exceptions, with reasons: `tests/cases/completeness.yaml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    num::NonZeroUsize,
};

use santokit_bridge::{BridgeConfig, Settings, config::Rate};
use santokit_core::{
    code::Code,
    limit::{InvocationLimits, LimitName},
    quantity::{Bytes, Millis},
};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::http::case::{self, CaseFile, Server};

mod source;

const EXCEPTIONS: &str = "tests/cases/completeness.yaml";
const LIMITS_PAGE: &str = "docs/reference/limits.md";

/// The file of exceptions.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Exceptions {
    routes: RouteExceptions,
    codes: CodeExceptions,
    limits: Covered,
    /// What a Hub keeps, and the test of each.
    kept: BTreeMap<String, String>,
    audit: AuditExceptions,
    host_calls: HostCalls,
    /// Of packages that the guest above is older than.
    query_calls: HostCalls,
    http_calls: HostCalls,
    logic_calls: HostCalls,
    storage_calls: HostCalls,
    event_calls: HostCalls,
    once_calls: HostCalls,
    running_calls: HostCalls,
    handling_calls: HostCalls,
    /// In each language: what one SDK lacks is not seen where another calls it.
    crud_calls: Vec<HostCalls>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RouteExceptions {
    cannot_fail: BTreeSet<String>,
    covered_by: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AuditExceptions {
    changes_nothing: BTreeMap<String, String>,
    covered_by: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CodeExceptions {
    covered_by: BTreeMap<String, String>,
    not_yet: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Covered {
    covered_by: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostCalls {
    test: String,
    guest: String,
    calls: BTreeMap<String, String>,
}

/// Which listing a route stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listener {
    Bridge,
    Scrape,
    Admin,
    Hub,
}

/// A case as routes see it.
struct Asked {
    listener: Listener,
    method: String,
    path: String,
    status: u16,
}

fn exceptions() -> Exceptions {
    serde_saphyr::from_str(&source::read(EXCEPTIONS).unwrap()).unwrap()
}

/// Routes of the Hub whose cases are not looked for in the audit log, as `METHOD template`.
pub(crate) fn unaudited() -> BTreeSet<String> {
    let AuditExceptions { changes_nothing, covered_by } = exceptions().audit;
    changes_nothing.into_keys().chain(covered_by.into_keys()).collect()
}

#[test]
fn what_is_not_looked_for_in_the_audit_log_is_so_for_a_reason() {
    let AuditExceptions { changes_nothing, covered_by } = exceptions().audit;
    let mut missing = Vec::new();
    check_tests(&covered_by, &mut missing);
    let empty = changes_nothing.iter().filter(|(_, reason)| reason.trim().is_empty());
    missing.extend(empty.map(|(route, _)| format!("{route}: why does it change nothing?")));
    tell(&missing);
}

fn tell(missing: &[impl Display]) {
    let lines: Vec<String> = missing.iter().map(|line| format!("  {line}")).collect();
    assert!(missing.is_empty(), "not covered, or covered without need ({EXCEPTIONS}):\n{}", lines.join("\n"));
}

/// Each named test must be one.
fn check_tests<'a>(covered: impl IntoIterator<Item = (&'a String, &'a String)>, missing: &mut Vec<String>) {
    for (what, test) in covered {
        if !source::is_test(test).unwrap_or(false) {
            missing.push(format!("{what}: there is no test {test}"));
        }
    }
}

fn listener(server: Server) -> Listener {
    match server {
        Server::Bridge | Server::Fleet => Listener::Bridge,
        Server::Scrape => Listener::Scrape,
        Server::Admin => Listener::Admin,
        Server::Hub => Listener::Hub,
    }
}

/// (listener, method, path) of everything that is served.
fn routes() -> Vec<(Listener, String, String)> {
    let (bridge, scrape) = (santokit_bridge::edge::routes(), santokit_bridge::edge::metrics_routes());
    let bridge = bridge.into_iter().map(|route| (Listener::Bridge, route.method.to_string(), route.path));
    let scrape = scrape.into_iter().map(|route| (Listener::Scrape, route.method.to_string(), route.path));
    let admin = santokit_bridge::edge::admin::routes().into_iter();
    let admin = admin.map(|route| (Listener::Admin, route.method.to_string(), route.path));
    let hub = santokit_hub::api::routes().into_iter();
    bridge
        .chain(scrape)
        .chain(admin)
        .chain(hub.map(|route| (Listener::Hub, route.method.to_string(), route.path)))
        .collect()
}

/// How many segments of a template stand as they are in the path; none where it does not fit.
pub(crate) fn fit(template: &str, path: &str) -> Option<usize> {
    let (mut path, mut equal) = (path.split('/'), 0);
    for part in template.split('/') {
        if part.starts_with("{*") {
            return path.next().is_some_and(|rest| !rest.is_empty()).then_some(equal);
        }
        let sent = path.next()?;
        if part == sent {
            equal += 1;
        } else if !part.starts_with('{') || sent.is_empty() {
            return None;
        }
    }
    path.next().is_none().then_some(equal)
}

#[test]
fn every_route_has_a_case_that_succeeds_and_one_that_fails() {
    let (routes, exceptions) = (routes(), exceptions().routes);
    let mut asked = Vec::new();
    for file in case::files().unwrap() {
        for case in &file.cases {
            // Variables stay as they are: `${id}` fits `{id}`.
            let (method, path) = case.request.split_once(' ').unwrap();
            let path = path.split('?').next().unwrap_or_default();
            let at = listener(file.server);
            let best = routes.iter().filter(|(other, ..)| *other == at);
            let best = best.filter_map(|(_, _, template)| Some((fit(template, path)?, template))).max();
            if let Some((_, template)) = best {
                let (method, path) = (method.to_owned(), template.clone());
                asked.push(Asked { listener: at, method, path, status: case.expect.status });
            }
        }
    }
    let mut missing = Vec::new();
    check_tests(&exceptions.covered_by, &mut missing);
    let mut unused = exceptions.cannot_fail.clone();
    for (at, method, path) in &routes {
        let here = || asked.iter().filter(|asked| asked.listener == *at && asked.path == *path);
        let own = || here().filter(|asked| asked.method == *method || method == "ANY");
        let name = format!("{at:?} {method} {path}");
        let is_covered = exceptions.covered_by.contains_key(&name);
        match (own().any(|asked| asked.status < 400), is_covered) {
            (false, false) => missing.push(format!("{name}: no case succeeds")),
            (true, true) => missing.push(format!("{name}: coveredBy is not needed")),
            _ => {}
        }
        let may_not_fail = unused.remove(&name);
        match (own().any(|asked| asked.status >= 400), may_not_fail) {
            (true, true) => missing.push(format!("{name}: cannotFail is not so")),
            (false, true) if !here().any(|asked| asked.status == 405) => {
                missing.push(format!("{name}: no case asks with another method"));
            }
            (false, false) => missing.push(format!("{name}: no case fails")),
            _ => {}
        }
    }
    missing.extend(unused.iter().map(|route| format!("cannotFail: there is no route {route}")));
    tell(&missing);
}

#[test]
fn no_route_stands_outside_of_the_listing() {
    let mut outside = Vec::new();
    for folder in ["bridge/src", "hub/src", "cli/src"] {
        for (path, text) in source::product(folder).unwrap() {
            let adds = [".route(", ".route_service(", ".nest(", ".nest_service("];
            if !path.ends_with("/routes.rs") && adds.iter().any(|call| text.contains(call)) {
                outside.push(format!("{path} adds a route by hand: use `Routes`, which lists it"));
            }
        }
    }
    tell(&outside);
}

#[test]
fn every_code_is_expected_somewhere() {
    let exceptions = exceptions().codes;
    let files = case::files().unwrap();
    let expected: BTreeSet<&str> =
        files.iter().flat_map(|file| &file.cases).filter_map(|case| case.expect.code.as_deref()).collect();
    let mut missing = Vec::new();
    check_tests(&exceptions.covered_by, &mut missing);
    for code in Code::ALL {
        let name = code.as_str();
        let covered =
            [expected.contains(name), exceptions.covered_by.contains_key(name), exceptions.not_yet.contains_key(name)];
        match covered.iter().filter(|covered| **covered).count() {
            0 => missing.push(format!("{name}: nothing expects it")),
            1 => {}
            _ => missing.push(format!("{name}: it is covered, the exception is not needed")),
        }
        if exceptions.not_yet.contains_key(name) {
            missing.extend(makers(*code).iter().map(|path| format!("{name}: {path} makes it now; expect it")));
        }
    }
    let known = |name: &&String| Code::ALL.iter().any(|code| code.as_str() == name.as_str());
    let named = exceptions.covered_by.keys().chain(exceptions.not_yet.keys());
    missing.extend(named.filter(|name| !known(name)).map(|name| format!("{name}: there is no such code")));
    let empty = exceptions.not_yet.iter().filter(|(_, reason)| reason.trim().is_empty());
    missing.extend(empty.map(|(name, _)| format!("{name}: why not yet?")));
    tell(&missing);
}

/// The files that make a code. The tables from code to status, and those of the command line, only read it.
fn makers(code: Code) -> Vec<String> {
    let used = format!("Code::{code:?}");
    let is_word = |text: &str| {
        text.match_indices(&used)
            .any(|(at, _)| !text[at + used.len()..].starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    let folders = ["core/src", "sql/src", "bridge/src", "bridge/wasm/src", "hub/src"];
    let files = folders.iter().flat_map(|folder| source::product(folder).unwrap());
    let makes = files
        .filter(|(path, text)| !path.ends_with("/respond.rs") && !path.ends_with("core/src/code.rs") && is_word(text));
    makes.map(|(path, _)| path).collect()
}

#[test]
fn every_limit_is_hit_by_a_case() {
    let exceptions = exceptions().limits.covered_by;
    let files = case::files().unwrap();
    let hit = |of_hub: bool| -> BTreeSet<&str> {
        let of = |file: &&CaseFile| (file.server == Server::Hub) == of_hub;
        files.iter().filter(of).flat_map(|file| &file.cases).filter_map(|case| case.expect.limit.as_deref()).collect()
    };
    let guests = LimitName::ALL.iter().map(|limit| limit.as_str().to_owned());
    let bridge: BTreeSet<String> = source::limits("bridge/src").unwrap().into_iter().chain(guests).collect();
    let hub = source::limits("hub/src").unwrap();
    let mut missing = Vec::new();
    check_tests(&exceptions, &mut missing);
    for (plane, limits, hit) in [("Bridge", &bridge, hit(false)), ("Hub", &hub, hit(true))] {
        for limit in limits {
            match (hit.contains(limit.as_str()), exceptions.contains_key(limit)) {
                (false, false) => missing.push(format!("{plane}, {limit}: no case hits it")),
                (true, true) => missing.push(format!("{plane}, {limit}: coveredBy is not needed")),
                _ => {}
            }
        }
        missing.extend(hit.iter().filter(|name| !limits.contains(**name)).map(|name| format!("{plane} has no {name}")));
    }
    let unknown = exceptions.keys().filter(|name| !bridge.contains(*name) && !hub.contains(*name));
    missing.extend(unknown.map(|name| format!("{name}: there is no such limit")));
    tell(&missing);
}

#[test]
fn the_page_of_limits_says_what_the_code_does() {
    let page = source::read(LIMITS_PAGE).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let row = |name: &str| rows.iter().find(|row| row[0] == format!("`{name}`"));
    let (defaults, ceilings) = (json!(InvocationLimits::default()), json!(InvocationLimits::ceiling()));
    let mut wrong = Vec::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (name, default) in defaults.as_object().unwrap() {
        known.insert(name.clone());
        match row(name).map(|row| (number(row[1]), number(row[2]))) {
            Some((said, most)) if said == *default && most == ceilings[name] => {}
            said => wrong.push(format!("{name}: the page says {said:?}, the code {default} and {}", ceilings[name])),
        }
    }
    known.extend(LimitName::ALL.iter().map(|limit| limit.as_str().to_owned()));
    known.extend(source::limits("bridge/src").unwrap());
    known.extend(source::limits("hub/src").unwrap());
    known.extend(exceptions().kept.into_keys());
    wrong.extend(known.iter().filter(|name| row(name).is_none()).map(|name| format!("{name}: the page has no row")));
    let said = rows.iter().map(|row| row[0].trim_matches('`'));
    wrong.extend(said.filter(|name| !known.contains(*name)).map(|name| format!("{name}: there is no such limit")));
    assert!(wrong.is_empty(), "{LIMITS_PAGE}:\n  {}", wrong.join("\n  "));
}

#[test]
fn every_limit_of_a_request_is_a_setting_with_the_default_that_is_said() {
    let config = bridge_defaults();
    let rates = config.edge.rates;
    let is_default = |key: &str, text: &str| match key {
        "bodyLimit" => text.parse::<Bytes>() == Ok(Bytes(config.body_limit as u64)),
        "responseLimit" => text.parse::<Bytes>() == Ok(Bytes(config.response_limit as u64)),
        "concurrentRequests" => text.parse::<NonZeroUsize>() == Ok(config.concurrent_requests),
        "apiKeyRate" => Rate::parse(text) == Ok(rates.api_key),
        "userRate" => Rate::parse(text) == Ok(rates.user),
        "addressRate" => Rate::parse(text) == Ok(rates.address),
        "publishRate" => Rate::parse(text) == Ok(rates.topic),
        "eventPayload" => text.parse::<Bytes>() == Ok(Bytes(config.delivery.payload_max as u64)),
        "resultRows" => text.parse() == Ok(config.crud.result_rows),
        "whereConditions" => text.parse() == Ok(config.crud.conditions),
        "listValues" => text.parse() == Ok(config.crud.list_values),
        "expandDepth" => text.parse() == Ok(config.crud.expand_depth),
        "expandRelations" => text.parse() == Ok(config.crud.expand_relations),
        "insertRows" => text.parse() == Ok(config.crud.insert_rows),
        "batchCalls" => text.parse() == Ok(config.crud.batch_calls),
        "poolSize" => text.parse() == Ok(config.databases.pool_size),
        "queryTimeout" => text.parse::<Millis>().is_ok_and(|said| said.duration() == config.databases.query_timeout),
        _ => false,
    };
    let page = source::read(LIMITS_PAGE).unwrap();
    let (_, section) = page.split_once("# Limits of a request to a Bridge\n").unwrap();
    let section = section.split("\n# ").next().unwrap();
    let settings = source::read("docs/reference/bridge.md").unwrap();
    let mut wrong = Vec::new();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    for row in &rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let key = cells[1].split('`').nth(1).unwrap_or_default();
        let setting = settings.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let said = setting.and_then(|line| line.split('|').nth(3)).map(|cell| cell.trim().trim_matches('`'));
        if !said.is_some_and(|said| is_default(key, said)) {
            wrong.push(format!("{}: the setting {key:?} is said to be {said:?}", cells[0]));
        }
    }
    assert!(rows.len() >= 6, "the section has lost its rows");
    tell(&wrong);
}

#[test]
fn what_a_hub_keeps_is_a_setting_with_the_default_that_is_said() {
    let config = santokit_hub::Settings::default().check().unwrap();
    let is_default = |key: &str, text: &str| match key {
        "releasesKept" => text.parse() == Ok(config.releases_kept),
        "auditEntriesADay" => text.parse() == Ok(config.audit_entries_a_day),
        "auditRetention" => text.parse::<Millis>().is_ok_and(|said| said.duration() == config.audit_retention),
        "bridgesKept" => text.parse::<Millis>().is_ok_and(|said| said.duration() == config.bridges_kept),
        _ => false,
    };
    let (page, settings) = (source::read(LIMITS_PAGE).unwrap(), source::read("docs/reference/hub.md").unwrap());
    let (_, section) = page.split_once("# What a Hub keeps\n").unwrap();
    let rows = section.split("\n# ").next().unwrap().lines().filter(|line| line.starts_with("| `"));
    let mut said: BTreeSet<String> = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let key = cells[0].trim_matches('`');
        let setting = settings.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
        let default = setting.and_then(|line| line.split('|').nth(3)).map(|cell| cell.trim().trim_matches('`'));
        if !is_default(key, cells[1]) || default != Some(cells[1]) {
            wrong.push(format!("{key}: the page says {:?}, the settings {default:?}", cells[1]));
        }
        said.insert(key.to_owned());
    }
    let kept = exceptions().kept;
    assert_eq!(said, kept.keys().cloned().collect(), "{EXCEPTIONS} and {LIMITS_PAGE}");
    check_tests(&kept, &mut wrong);
    tell(&wrong);
}

/// What a Bridge does that was told nothing but what it needs.
fn bridge_defaults() -> BridgeConfig {
    let key = santokit_core::release::SigningKey::generate().unwrap().verifying_key().to_string();
    let settings = Settings {
        service_token: Some("t".into()),
        envs: Some("shop/prod".into()),
        trusted_keys: Some(key.into()),
        ..Settings::default()
    };
    settings.check().unwrap()
}

/// A quantity as manifests write it.
fn number(text: &str) -> Json {
    let millis = || text.parse::<Millis>().ok().map(|millis| json!(millis));
    let bytes = || text.parse::<Bytes>().ok().map(|bytes| json!(bytes));
    text.parse::<u64>().ok().map(Json::from).or_else(millis).or_else(bytes).unwrap_or_default()
}

#[test]
fn every_host_call_is_made_by_a_guest_of_a_test() {
    let exceptions = exceptions();
    let Exceptions { host_calls, query_calls, http_calls, logic_calls, crud_calls, .. } = &exceptions;
    let Exceptions { storage_calls, event_calls, once_calls, running_calls, handling_calls, .. } = &exceptions;
    let of_data = [host_calls, query_calls, http_calls, logic_calls, storage_calls];
    let of_events = [event_calls, once_calls, running_calls, handling_calls];
    let all: Vec<&HostCalls> = of_data.into_iter().chain(of_events).chain(crud_calls).collect();
    let functions = source::wit_functions().unwrap();
    let mut missing = Vec::new();
    for HostCalls { test, guest, calls } in &all {
        let guest_source = source::read(guest).unwrap();
        check_tests([(&"host calls".to_owned(), test)], &mut missing);
        for (function, call) in calls {
            if !functions.contains(function) {
                missing.push(format!("{function}: wit/ has no such function"));
            } else if !guest_source.contains(call.as_str()) {
                missing.push(format!("{function}: {guest} does not hold {call:?}"));
            }
        }
    }
    for HostCalls { guest, calls, .. } in crud_calls {
        let of_crud = functions.iter().filter(|name| name.starts_with("santokit:crud/"));
        missing.extend(of_crud.filter(|name| !calls.contains_key(*name)).map(|name| format!("{name}: not by {guest}")));
    }
    let called = |name: &&String| all.iter().any(|of| of.calls.contains_key(*name));
    missing.extend(functions.iter().filter(|name| !called(name)).map(|name| format!("{name}: no guest calls it")));
    tell(&missing);
}
