//! `santokit:runtime/secrets`: the grant is checked by the host; the value is copied into the guest and nowhere else.

use secrecy::ExposeSecret;

use crate::{
    bindings::santokit::runtime::secrets::{Error, Host as Secrets},
    host::{Host, LookupError},
    state::State,
    told::{NAME_BYTES_MAX, ToldName},
};

impl<H: Host> Secrets for State<H> {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, Error>> {
        let host = self.enter("secrets")?;
        if name.len() > NAME_BYTES_MAX {
            self.went_wrong(true);
            return Ok(Err(Error::Denied(format!("grants.secrets does not list {}", ToldName(&name)))));
        }
        let answer = host.secret(&name);
        if let Err(error) = &answer {
            self.went_wrong(error.is_denied());
        }
        Ok(match answer {
            Ok(secret) => Ok(secret.expose_secret().to_owned()),
            Err(LookupError::Denied(message)) => Err(Error::Denied(message)),
            Err(LookupError::Missing(message)) => Err(Error::Missing(message)),
            Err(LookupError::Other(code, message)) => Err(Error::Other((code, message))),
        })
    }
}
