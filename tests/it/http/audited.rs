//! Whether every route that changes something is in the audit log: after each case that a Hub took, the log is asked for its
//! request. Routes that change nothing, or that other tests take, are told apart in `tests/cases/completeness.yaml`.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Value as Json, json};

use super::{Done, servers::Hub};
use crate::completeness;

/// Every secret of the cases begins so.
const PLANTED: &str = "planted-";

/// The routes whose deeds were found in the log, as `METHOD template`.
#[derive(Default)]
pub(super) struct Audited(BTreeSet<String>);

impl Audited {
    /// Takes up what a request has left in the log.
    pub(super) async fn look(&mut self, hub: &Hub, done: &Done) -> Result<()> {
        let Some(route) = mutating().into_iter().find(|(method, template)| {
            *method == done.method
                && completeness::fit(template, done.path.split('?').next().unwrap_or_default()).is_some()
        }) else {
            return Ok(());
        };
        let Some(request_id) = done.request_id.as_ref().filter(|_| (200..300).contains(&done.status)) else {
            return Ok(());
        };
        let found = hub.ask("GET", &format!("/v1/audit?requestId={request_id}"), &Json::Null).await?;
        if found.body["entries"].as_array().is_some_and(|entries| !entries.is_empty()) {
            self.0.insert(format!("{} {}", route.0, route.1));
        }
        Ok(())
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// What is in no log, and is so without a reason.
    pub(super) fn missing(&self) -> Vec<String> {
        let excepted = completeness::unaudited();
        let all: BTreeSet<String> = mutating().into_iter().map(|(method, path)| format!("{method} {path}")).collect();
        let lost = all.iter().filter(|route| !self.0.contains(*route) && !excepted.contains(*route));
        let lost = lost.map(|route| format!("{route}: no case of it is in the audit log"));
        let needless = excepted.iter().filter(|route| self.0.contains(*route) || !all.contains(*route));
        lost.chain(needless.map(|route| format!("{route}: it need not be excepted from the audit log"))).collect()
    }
}

/// What is wrong with the log of a Hub after all cases of a file.
pub(super) async fn unwhole(hub: &Hub) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let verified = hub.ask("GET", "/v1/audit/verify", &Json::Null).await?;
    if verified.body["verified"] != json!(true) {
        wrong.push(format!("the audit log is not whole: {}", verified.body));
    }
    let mut after = 0;
    loop {
        let page = hub.ask("GET", &format!("/v1/audit?after={after}&limit=1000"), &Json::Null).await?;
        let entries = page.body["entries"].as_array().cloned().unwrap_or_default();
        let planted = entries.iter().filter(|entry| entry.to_string().contains(PLANTED));
        wrong.extend(planted.map(|entry| format!("an audit entry has a secret: {entry}")));
        match entries.last().and_then(|entry| entry["seq"].as_i64()) {
            Some(last) => after = last,
            None => return Ok(wrong),
        }
    }
}

/// (method, template) of the Hub's routes that may change something.
fn mutating() -> Vec<(String, String)> {
    let routes = santokit_hub::api::routes().into_iter();
    let routes = routes.map(|route| (route.method.to_string(), route.path));
    routes.filter(|(method, _)| !matches!(method.as_str(), "GET" | "HEAD")).collect()
}
