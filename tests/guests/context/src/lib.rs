//! Answers what the host tells about the invocation.

use santokit_guest::prelude::*;
use serde_json::Value;

#[derive(Deserialize)]
struct Input {
    config: Option<String>,
    secret: Option<String>,
}

fn handle(input: Input) -> Result<Value, LogicError> {
    let caller = context::caller();
    let invocation = context::invocation();
    let claims: Value = caller.claims().unwrap_or_default();
    let random = random::bytes(16);
    Ok(json!({
        "caller": {"kind": caller.kind, "subject": caller.subject, "roles": caller.roles, "claims": claims},
        "invocation": {
            "requestId": invocation.request_id,
            "logic": invocation.logic,
            "project": invocation.project,
            "env": invocation.env,
            "releaseId": invocation.release_id,
            "trigger": invocation.trigger,
        },
        "config": input.config.map(|name| outcome(config::get(&name))),
        "secret": input.secret.map(|name| outcome(secrets::get(&name))),
        "random": {"length": random.len(), "bytes": random, "below": random::below(10), "uuid": random::uuid()},
        "clock": {
            "now": clock::now(),
            "unixMillis": clock::now().unix_millis(),
            "elapsedNanos": u64::try_from(clock::elapsed().as_nanos()).unwrap_or(u64::MAX),
            "remainingMillis": u64::try_from(clock::remaining().as_millis()).unwrap_or(u64::MAX),
        },
    }))
}

fn outcome<T: Serialize, E: std::fmt::Debug + std::fmt::Display>(result: Result<T, E>) -> Value {
    match result {
        Ok(value) => json!({"value": value}),
        Err(error) => json!({"error": error.to_string(), "kind": format!("{error:?}")}),
    }
}

santokit_guest::logic!(handle);
