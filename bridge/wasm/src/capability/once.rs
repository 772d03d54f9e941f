//! `santokit:events/once`: marks by which a guest knows what it has done. It bounds the key, and says which transaction of the guest's is meant.
//! Where a mark is kept is the host's matter.

use wasmtime::component::Resource;

use crate::{
    bindings::santokit::events::once::{Error, Host as Once},
    host::{EventError, Host},
    state::{State, TransactionHandle},
};

/// The longest key, in bytes.
const KEY_BYTES_MAX: usize = 200;

impl<H: Host> Once for State<H> {
    async fn is_done(
        &mut self,
        key: String,
        within: Option<Resource<TransactionHandle>>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let within = self.meant(within)?;
        let host = self.enter("once")?;
        let done = match within.and_then(|within| check(&key).map(|()| within)) {
            Ok(within) => host.once_is_done(key, within).await,
            Err(error) => Err(error),
        };
        Ok(self.counted(done).map_err(told))
    }

    async fn mark_done(
        &mut self,
        key: String,
        within: Option<Resource<TransactionHandle>>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let within = self.meant(within)?;
        let host = self.enter("once")?;
        let done = match within.and_then(|within| check(&key).map(|()| within)) {
            Ok(within) => host.once_mark_done(key, within).await,
            Err(error) => Err(error),
        };
        Ok(self.counted(done).map_err(told))
    }
}

/// What is no key, or so large that it is none, is not looked up.
fn check(key: &str) -> Result<(), EventError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(EventError::Invalid(format!("a key has 1 to {KEY_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn told(error: EventError) -> Error {
    let (code, message) = error.told();
    Error { code: code.to_owned(), message }
}
