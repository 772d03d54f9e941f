//! `santokit:runtime/random`.

use crate::{bindings::santokit::runtime::random::Host as Random, host::Host, state::State};

const BYTES_MAX: usize = 65_536;

impl<H: Host> Random for State<H> {
    async fn bytes(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.enter("random")?;
        let mut bytes = vec![0; (length as usize).min(BYTES_MAX)];
        self.random.fill(&mut bytes);
        Ok(bytes)
    }
}
