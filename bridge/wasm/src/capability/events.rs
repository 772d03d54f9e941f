//! `santokit:events`: what a guest publishes. It bounds the payload, and says which transaction of the guest's is meant. Topics, and where
//! events are kept, are the host's matter.

use santokit_core::event::PAYLOAD_BYTES_MAX;
use wasmtime::component::Resource;

use crate::{
    bindings::santokit::events::events::{Error, Host as Events},
    host::{EventError, Host, TransactionId},
    state::{State, TransactionHandle},
};

/// The longest name that is looked up.
const TOPIC_BYTES_MAX: usize = 100;

impl<H: Host> Events for State<H> {
    async fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        within: Option<Resource<TransactionHandle>>,
    ) -> wasmtime::Result<Result<String, Error>> {
        let within = self.meant(within)?;
        let host = self.enter("events")?;
        let published = match within.and_then(|within| check(&topic, &payload).map(|()| within)) {
            Ok(within) => host.publish(topic, payload, within).await,
            Err(error) => Err(error),
        };
        Ok(self.counted(published).map_err(told))
    }
}

impl<H: Host> State<H> {
    /// The answer, with what became of the call for who counts.
    pub(super) fn counted<T>(&mut self, answer: Result<T, EventError>) -> Result<T, EventError> {
        if let Err(error) = &answer {
            self.went_wrong(matches!(error, EventError::Denied(_)));
        }
        answer
    }

    /// Which transaction is meant: `invalid` where it has ended.
    pub(super) fn meant(
        &self,
        within: Option<Resource<TransactionHandle>>,
    ) -> wasmtime::Result<Result<Option<TransactionId>, EventError>> {
        Ok(match within {
            None => Ok(None),
            Some(handle) => match self.table.get(&handle)? {
                transaction if transaction.open => Ok(Some(transaction.id)),
                _ => Err(EventError::Invalid("the transaction has ended".to_owned())),
            },
        })
    }
}

/// What no topic can be is not looked up, and what is too large is not read.
fn check(topic: &str, payload: &[u8]) -> Result<(), EventError> {
    if topic.len() > TOPIC_BYTES_MAX {
        return Err(EventError::Denied("grants.events does not list this topic".to_owned()));
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(EventError::TooLarge(PAYLOAD_BYTES_MAX));
    }
    Ok(())
}

fn told(error: EventError) -> Error {
    let details = match &error {
        EventError::Schema(_, details) => details.clone(),
        EventError::Rate(wait) => format!("{{\"retryAfterMs\":{wait}}}").into_bytes(),
        _ => b"{}".to_vec(),
    };
    let (code, message) = error.told();
    Error { code: code.to_owned(), message, details }
}
