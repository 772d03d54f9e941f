//! Whether an answer is what a case expects, and what every answer must be. Differences are texts for people.

use santokit_core::code::Code;
use serde_json::Value as Json;

use super::{
    case::{Case, Server, Variables, filled, text},
    wire::Got,
};

/// Every secret of the cases begins so; no answer shows one.
const PLANTED: &str = "planted-";

/// All differences.
pub(crate) fn differences(case: &Case, got: &Got, server: Server, variables: &Variables) -> Vec<String> {
    let expect = &case.expect;
    let mut all = answer(case, got.status, &got.body, variables);
    let everything = got.everything();
    parts(case, &everything, variables, &mut all);
    for (name, value) in &expect.headers {
        let found = got.header(name);
        match value {
            None if found.is_some() => all.push(format!("header {name}: expected none, got {found:?}")),
            Some(value) if value == "*" && found.is_none() => all.push(format!("header {name} is missing")),
            Some(value) if value != "*" => match text(value, variables) {
                Ok(value) => same(&format!("header {name}"), &value, found, &mut all),
                Err(error) => all.push(format!("{error:#}")),
            },
            _ => {}
        }
    }
    let shown = case.shows.as_ref().map_or_else(|| everything.clone(), |secret| everything.replace(secret, ""));
    if shown.contains(PLANTED) {
        all.push("the answer shows a planted secret".to_owned());
    }
    if !expect.before_http {
        always(got, server, &mut all);
    }
    all
}

/// Status and body.
fn answer(case: &Case, status: u16, body: &Json, variables: &Variables) -> Vec<String> {
    let (mut all, expect) = (Vec::new(), &case.expect);
    if status != expect.status {
        all.push(format!("status: expected {}, got {status}", expect.status));
    }
    let error = &body["error"];
    if let Some(code) = &expect.code {
        same("error.code", code, error["code"].as_str(), &mut all);
    }
    if let Some(limit) = &expect.limit {
        same("error.details.limit", limit, error["details"]["limit"].as_str(), &mut all);
    }
    match expect.body.as_ref().map(|body| filled(body, variables)) {
        Some(Ok(expected)) => subset("body", &expected, body, &mut all),
        Some(Err(error)) => all.push(format!("{error:#}")),
        None => {}
    }
    all
}

/// What the text holds, and what it does not.
fn parts(case: &Case, everything: &str, variables: &Variables, all: &mut Vec<String>) {
    let expect = &case.expect;
    for (part, wanted) in
        expect.contains.iter().map(|part| (part, true)).chain(expect.absent.iter().map(|p| (p, false)))
    {
        match text(part, variables) {
            Ok(part) if everything.contains(&part) == wanted => {}
            Ok(part) => all.push(format!("the answer {} {part:?}", if wanted { "does not hold" } else { "holds" })),
            Err(error) => all.push(format!("{error:#}")),
        }
    }
}

/// What holds for every answer.
fn always(got: &Got, server: Server, all: &mut Vec<String>) {
    // The operators' listener answers health and metrics only, without ids of requests.
    if server == Server::Scrape {
        return;
    }
    if got.header("x-request-id").is_none() {
        all.push("header x-request-id is missing".to_owned());
    }
    // The answer to a HEAD has no body, and /readyz says in its own what is not ready.
    if got.status >= 400 && !got.bytes.is_empty() && got.body["status"].is_null() {
        let error = &got.body["error"];
        same("error.requestId", got.header("x-request-id").unwrap_or_default(), error["requestId"].as_str(), all);
        let code = error["code"].as_str().unwrap_or_default();
        if !Code::ALL.iter().any(|known| known.as_str() == code) {
            all.push(format!("error.code {code:?} is not in the catalogue"));
        }
        if error["message"].as_str().is_none_or(str::is_empty) {
            all.push("error.message is missing".to_owned());
        }
        same("header content-type", "application/json", got.header("content-type"), all);
    }
}

fn same(what: &str, expected: &str, got: Option<&str>, all: &mut Vec<String>) {
    if got != Some(expected) {
        all.push(format!("{what}: expected {expected:?}, got {got:?}"));
    }
}

/// Every field of an object, every element of a list, every other value; `*` is any but null.
fn subset(place: &str, expected: &Json, got: &Json, all: &mut Vec<String>) {
    match (expected, got) {
        (Json::Object(fields), Json::Object(found)) => {
            for (name, value) in fields {
                subset(&format!("{place}.{name}"), value, found.get(name).unwrap_or(&Json::Null), all);
            }
        }
        (Json::Array(items), Json::Array(found)) if items.len() == found.len() => {
            for (number, (item, other)) in items.iter().zip(found).enumerate() {
                subset(&format!("{place}[{number}]"), item, other, all);
            }
        }
        (Json::String(text), found) if text == "*" && !found.is_null() => {}
        _ if expected == got => {}
        _ => all.push(format!("{place}: expected {expected}, got {got}")),
    }
}
