//! One invocation: bytes in, the handler, bytes out.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::bindings::exports::santokit::logic::handler;
use crate::{LogicError, panic};

/// The input of a handler that takes no parameters, for example a cron job.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct NoInput {}

/// Reads the input, calls the handler and writes the output.
///
/// # Panics
/// Where the output has no JSON form (a map whose keys are not strings): that is a mistake in the logic.
pub fn run<I, O>(input: &[u8], handle: fn(I) -> Result<O, LogicError>) -> Result<Vec<u8>, handler::LogicError>
where
    I: DeserializeOwned,
    O: Serialize,
{
    panic::install_hook();
    let input = serde_json::from_slice(input).map_err(|error| {
        // The Bridge has checked the params against the manifest, so this is a manifest that does not fit the type.
        LogicError::new("INVALID_INPUT", format!("the input does not fit the logic's input type: {error}")).into_wit()
    })?;
    let output = handle(input).map_err(LogicError::into_wit)?;
    match serde_json::to_vec(&output) {
        Ok(bytes) => Ok(bytes),
        Err(error) => panic!("the output has no JSON form: {error}"),
    }
}
