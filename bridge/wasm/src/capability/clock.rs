//! `santokit:runtime/clock`.

use std::time::Duration;

use crate::{
    bindings::santokit::runtime::clock::{Datetime, Host as Clock},
    fixed,
    host::{Clock as Told, Host},
    state::State,
};

impl<H: Host> Clock for State<H> {
    async fn now(&mut self) -> wasmtime::Result<Datetime> {
        self.enter("clock")?;
        let now = fixed::told(&self.times, Told::Now, fixed::now(self.fixed));
        Ok(Datetime { seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX), nanoseconds: now.subsec_nanos() })
    }

    async fn elapsed(&mut self) -> wasmtime::Result<u64> {
        self.enter("clock")?;
        let elapsed = fixed::told(&self.times, Told::Elapsed, fixed::coarse(self.started.elapsed()));
        Ok(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }

    async fn remaining(&mut self) -> wasmtime::Result<u32> {
        self.enter("clock")?;
        let left = self.limits.timeout.duration().saturating_sub(self.started.elapsed());
        let left = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let left = fixed::told(&self.times, Told::Remaining, left);
        Ok(u32::try_from(left.as_millis()).unwrap_or(u32::MAX))
    }
}
