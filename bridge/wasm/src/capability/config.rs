//! `santokit:runtime/config`: the grant is checked by the host.

use crate::{
    bindings::santokit::runtime::config::{Error, Host as Config},
    host::{Host, LookupError},
    state::State,
    told::{NAME_BYTES_MAX, ToldName},
};

impl<H: Host> Config for State<H> {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        let host = self.enter("config")?;
        if name.len() > NAME_BYTES_MAX {
            self.went_wrong(true);
            return Ok(Err(Error::Denied(format!("grants.config does not list {}", ToldName(&name)))));
        }
        let answer = host.config(&name);
        if let Err(error @ (LookupError::Denied(_) | LookupError::Other(..))) = &answer {
            self.went_wrong(error.is_denied());
        }
        Ok(match answer {
            Ok(value) => Ok(value),
            Err(LookupError::Missing(_)) => Ok(None),
            Err(LookupError::Denied(message)) => Err(Error::Denied(message)),
            Err(LookupError::Other(code, message)) => Err(Error::Other((code, message))),
        })
    }
}
