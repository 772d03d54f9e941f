//! Answers its input.

use santokit_guest::prelude::*;
use serde_json::Value;

fn handle(input: Value) -> Result<Value, LogicError> {
    Ok(input)
}

santokit_guest::logic!(handle);
