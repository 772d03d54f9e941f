//! Answers its input. With `{"error": {"code", "message", "details"}}` it refuses with that.

use santokit_guest::prelude::*;
use serde_json::Value;

#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
    details: Option<Value>,
}

fn handle(input: Value) -> Result<Value, LogicError> {
    match input.get("error").map(Refusal::deserialize) {
        Some(Ok(refusal)) => {
            let error = LogicError::new(refusal.code, refusal.message);
            Err(match refusal.details {
                Some(details) => error.details(details),
                None => error,
            })
        }
        _ => Ok(input),
    }
}

santokit_guest::logic!(handle);
