//! Outbound requests of a guest: when one may be sent at all, and what is seen of it from outside. Its URL is not: it can hold a secret.

use santokit_wasm::{HttpBudget, HttpDone, HttpError, HttpRequest};
use tracing::{Instrument, field::Empty};

use super::Session;
use crate::egress::Terms;

impl Session {
    pub(super) async fn send_out(&mut self, request: HttpRequest, budget: HttpBudget) -> HttpDone {
        let span = tracing::debug_span!(
            "host.http",
            otel.kind = "client",
            host = Empty,
            method = Empty,
            status = Empty,
            outcome = Empty
        );
        let done = if self.sql.keeps_a_writer() {
            // There is one writer, and everyone would wait for whoever is asked.
            let message = "a transaction on SQLite is open: send the request before it begins, or after its end";
            HttpDone { answer: Err(HttpError::Transaction(message.to_owned())), requests: 0, bytes: 0 }
        } else {
            let terms = Terms {
                grants: &self.grants.http,
                budget,
                deadline: self.deadline,
                rehearsal: self.rehearsal.as_deref(),
            };
            self.egress.send(request, terms).instrument(span.clone()).await
        };
        span.record("outcome", done.answer.as_ref().map_or_else(HttpError::code, |_| "ok"));
        done
    }
}
