//! `santokit:http`: counts requests and the bytes of bodies. What may be asked of whom, and the asking, are the host's matter.

use std::{sync::Arc, time::Duration};

use santokit_core::limit::LimitName;

use crate::{
    bindings::santokit::http::http::{Error, Host as Http, Request, Response},
    error::LimitHit,
    host::{Host, HttpBudget, HttpError, HttpRequest},
    state::State,
};

/// Header fields and options: what is beyond is not even looked at.
const LIST_MAX: usize = 200;

impl<H: Host> Http for State<H> {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        if request.headers.len() > LIST_MAX || request.options.len() > LIST_MAX {
            self.enter("http")?;
            self.went_wrong(false);
            return Ok(Err(Error { code: "invalid".to_owned(), message: format!("more than {LIST_MAX} headers") }));
        }
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            timeout: request.timeout.map(|millis| Duration::from_millis(millis.into())),
            options: request.options,
        };
        let send = match self.enter("http")?.http() {
            Ok(send) => send,
            Err(error) => return Ok(Err(self.http_error(error))),
        };
        let outbound = Arc::clone(&self.outbound);
        let mut turn = outbound.turn().await;
        let budget = HttpBudget {
            requests: self.limits.http_requests.saturating_sub(self.http_requests),
            bytes: self.limits.http_bytes.0.saturating_sub(outbound.bytes()),
        };
        turn.begin(request.body.len() as u64);
        let done = send(request, budget).await;
        self.http_requests = self.http_requests.saturating_add(done.requests);
        turn.end(done.bytes);
        match done.answer {
            Ok(answer) => {
                Ok(Ok(Response { status: answer.status, headers: answer.headers, body: answer.body, url: answer.url }))
            }
            // As with calls into the host: there is no use in going on.
            Err(HttpError::Requests) => {
                self.went_wrong(false);
                Err(LimitHit(LimitName::HttpRequests).into())
            }
            Err(error) => Ok(Err(self.http_error(error))),
        }
    }
}

impl<H: Host> State<H> {
    /// As for statements: giving up over a limit is seen as the limit that it is.
    fn http_error(&mut self, error: HttpError) -> Error {
        self.went_wrong(error.is_denied());
        let code = error.code().to_owned();
        let message = match error {
            HttpError::Bytes | HttpError::Requests => {
                self.told_limit = Some(LimitName::HttpBytes);
                LimitName::HttpBytes.as_str().to_owned()
            }
            HttpError::Denied(message)
            | HttpError::Address(message)
            | HttpError::Invalid(message)
            | HttpError::Transaction(message)
            | HttpError::Timeout(message)
            | HttpError::Unreachable(message)
            | HttpError::Redirects(message)
            | HttpError::Answer(message) => message,
        };
        Error { code, message }
    }
}
