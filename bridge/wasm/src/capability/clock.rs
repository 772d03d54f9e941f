//! `santokit:runtime/clock`.

use crate::{
    bindings::santokit::runtime::clock::{Datetime, Host as Clock},
    fixed,
    host::Host,
    state::State,
};

impl<H: Host> Clock for State<H> {
    async fn now(&mut self) -> wasmtime::Result<Datetime> {
        self.enter("clock")?;
        let now = fixed::now(self.fixed);
        Ok(Datetime { seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX), nanoseconds: now.subsec_nanos() })
    }

    async fn elapsed(&mut self) -> wasmtime::Result<u64> {
        self.enter("clock")?;
        Ok(u64::try_from(fixed::coarse(self.started.elapsed()).as_nanos()).unwrap_or(u64::MAX))
    }

    async fn remaining(&mut self) -> wasmtime::Result<u32> {
        self.enter("clock")?;
        let left = self.limits.timeout.duration().saturating_sub(self.started.elapsed());
        Ok(u32::try_from(left.as_millis()).unwrap_or(u32::MAX))
    }
}
