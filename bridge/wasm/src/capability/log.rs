//! `santokit:runtime/log`: bounded by `logBytes`; beyond it lines are dropped, the guest is not stopped.

use crate::{
    bindings::santokit::runtime::log::{Host as Log, Level as WitLevel},
    host::{Host, Level, LogLine, LogSource},
    state::State,
};

const FIELD_NAME_BYTES_MAX: usize = 64;
const FIELDS_MAX: usize = 64;

impl<H: Host> Log for State<H> {
    async fn log(&mut self, level: WitLevel, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.enter("log")?;
        let level = match level {
            WitLevel::Trace => Level::Trace,
            WitLevel::Debug => Level::Debug,
            WitLevel::Info => Level::Info,
            WitLevel::Warn => Level::Warn,
            WitLevel::Error => Level::Error,
        };
        let fields = fields.into_iter().take(FIELDS_MAX).map(|(name, value)| (cut(name), value)).collect();
        State::log(self, LogLine { level, message, fields, source: LogSource::Guest });
        Ok(())
    }
}

fn cut(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(FIELD_NAME_BYTES_MAX));
    name
}
