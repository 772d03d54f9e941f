//! `santokit:runtime/context`.

use crate::{
    bindings::santokit::runtime::context::{Caller, Host as Context, Invocation},
    host::Host,
    state::State,
};

impl<H: Host> Context for State<H> {
    async fn get_caller(&mut self) -> wasmtime::Result<Caller> {
        let caller = self.enter("context")?.caller();
        Ok(Caller { kind: caller.kind, subject: caller.subject, roles: caller.roles, claims: caller.claims })
    }

    async fn get_invocation(&mut self) -> wasmtime::Result<Invocation> {
        let info = self.enter("context")?.invocation();
        Ok(Invocation {
            request_id: info.request_id,
            logic: info.logic,
            project: info.project,
            env: info.env,
            release_id: info.release_id,
            trigger: info.trigger,
        })
    }
}
