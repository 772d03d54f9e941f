//! Outbound requests of a guest: when one may be sent at all, and what is seen of it from outside. Its URL is not: it can hold a secret.

use std::sync::Arc;

use santokit_wasm::{HttpError, SendOut};
use tracing::{Instrument, field::Empty};

use super::Session;
use crate::{config::EnvName, egress::Terms};

impl Session {
    /// What sends one. It holds all that it needs, so that it can go on beside the guest; it is asked for before each.
    pub(super) fn send_out(&self) -> Result<SendOut, HttpError> {
        let span = tracing::debug_span!(
            "host.http",
            otel.kind = "client",
            host = Empty,
            method = Empty,
            status = Empty,
            outcome = Empty
        );
        if self.sql.keeps_a_writer() {
            // There is one writer, and everyone would wait for whoever is asked.
            let message = "a transaction on SQLite is open: send the request before it begins, or after its end";
            let refused = HttpError::Transaction(message.to_owned());
            span.record("outcome", refused.code());
            return Err(refused);
        }
        let (grants, egress, rehearsal) = (Arc::clone(&self.grants), Arc::clone(&self.egress), self.rehearsal.clone());
        let env = EnvName { project: self.invocation.project.clone(), env: self.invocation.env.clone() };
        let deadline = self.deadline;
        Ok(Box::new(move |request, budget| {
            Box::pin(async move {
                let rehearsal = rehearsal.as_deref();
                let terms = Terms { env: &env, grants: &grants.http, budget, deadline, rehearsal };
                let done = egress.send(request, terms).instrument(span.clone()).await;
                span.record("outcome", done.answer.as_ref().map_or_else(HttpError::code, |_| "ok"));
                done
            })
        }))
    }
}
