//! `santokit:logics`: hands over what is left of the invocation's limits, and counts what was used of them. Who may call what is the
//! host's matter.

use std::sync::Arc;

use crate::{
    bindings::santokit::logics::logics::{Error, Host as Logics},
    host::{Host, LogicCall},
    state::State,
};

/// The largest name that is looked up.
const NAME_BYTES_MAX: usize = 200;

impl<H: Host> Logics for State<H> {
    async fn call(&mut self, name: String, params: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        self.enter("logics")?;
        if name.len() > NAME_BYTES_MAX {
            self.went_wrong(true);
            return Ok(Err(refusal("denied", "NOT_FOUND", "grants.logics does not list this logic".to_owned())));
        }
        if let Err(message) = self.check_json("params", &params) {
            self.went_wrong(false);
            return Ok(Err(refusal("invalid", "BAD_REQUEST", message)));
        }
        // A request of WASI's that goes on beside the guest counts at its end: what is left is known when there is none, and until the call has counted.
        let outbound = Arc::clone(&self.outbound);
        let turn = outbound.turn().await;
        let left = self.left();
        let called = self.host()?.call_logic(LogicCall { name, params, left }).await;
        self.charge(&called.usage);
        drop(turn);
        Ok(called.answer.map_err(|error| {
            self.went_wrong(error.kind == "denied");
            if error.limit.is_some() {
                self.told_limit = error.limit;
            }
            Error { kind: error.kind.to_owned(), code: error.code, message: error.message, details: error.details }
        }))
    }
}

fn refusal(kind: &str, code: &str, message: String) -> Error {
    Error { kind: kind.to_owned(), code: code.to_owned(), message, details: None }
}
