//! How a call can fail, and whose fault it is.

use std::fmt;

use santokit_core::limit::LimitName;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace, component::ResourceTableError};

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The component: its answer, its trap, its limit.
    Guest,
    /// The platform.
    Host,
}

/// The guest said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicError {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// Anything else.
    pub details: Option<serde_json::Value>,
}

/// One frame of a guest's stack; for the log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Demangled name.
    pub function: String,
    /// `file:line:column` where the component has debug information.
    pub place: Option<String>,
}

/// Why a call has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The guest said no.
    #[error("the logic answered {}: {}", .0.code, .0.message)]
    Logic(LogicError),
    /// The guest trapped.
    #[error("the guest trapped: {message}")]
    Trap {
        /// What the engine says.
        message: String,
        /// Innermost first.
        backtrace: Vec<Frame>,
    },
    /// A limit was reached.
    #[error("the guest reached its limit {}", .limit.as_str())]
    Limit {
        /// Which one.
        limit: LimitName,
        /// Where the guest was; empty where it was waiting.
        backtrace: Vec<Frame>,
    },
    /// The guest's answer or error details are not JSON.
    #[error("the guest's answer is not JSON: {0}")]
    Output(String),
    /// The guest gave no answer to a request of HTTP, or none that can be given.
    #[error("the guest's answer is none: {0}")]
    Answer(String),
    /// No instance became free in time.
    #[error("all instances that {setting} allows are busy")]
    Busy {
        /// The Bridge's setting that bounds them.
        setting: &'static str,
    },
    /// The platform could not run it.
    #[error("the sandbox failed: {0}")]
    Host(String),
}

/// A limit, on its way through the engine as an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitHit(pub(crate) LimitName);

impl fmt::Display for LimitHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit {}", self.0.as_str())
    }
}

impl std::error::Error for LimitHit {}

impl CallError {
    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            CallError::Host(_) | CallError::Busy { .. } => Blame::Host,
            _ => Blame::Guest,
        }
    }

    /// From what the engine answered. `denied` is the growth that was refused before, if any.
    pub(crate) fn from_engine(error: &wasmtime::Error, denied: Option<LimitName>) -> Self {
        let backtrace = frames(error);
        if let Some(LimitHit(limit)) = error.downcast_ref::<LimitHit>() {
            return CallError::Limit { limit: *limit, backtrace };
        }
        if matches!(error.downcast_ref::<Trap>(), Some(Trap::StackOverflow)) {
            return CallError::Limit { limit: LimitName::Stack, backtrace };
        }
        // A guest that cannot grow gives up with whatever trap its language has for it.
        if let Some(limit) = denied {
            return CallError::Limit { limit, backtrace };
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return CallError::Host(format!("no room for another instance: {error}"));
        }
        let message = error.downcast_ref::<Trap>().map_or_else(|| error.root_cause().to_string(), ToString::to_string);
        let has_no_handle_left = matches!(error.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full))
            || message.ends_with(HANDLES_EXCEEDED);
        if has_no_handle_left {
            return CallError::Limit { limit: LimitName::Handles, backtrace };
        }
        CallError::Trap { message: cut(message), backtrace }
    }
}

/// How the engine ends its message about too many handles; it has no type for it.
const HANDLES_EXCEEDED: &str = "store handle limit exceeded";
/// Of one text that a guest has chosen, in a log line.
const TEXT_BYTES_MAX: usize = 512;

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

fn frames(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    backtrace
        .frames()
        .iter()
        .map(|frame| {
            let name = frame.func_name().map(demangled);
            // The last one is of the function itself; the others were inlined into it.
            let symbol = frame.symbols().iter().rfind(|symbol| symbol.file().is_some());
            Frame {
                function: name.unwrap_or_else(|| format!("function {}", frame.func_index())),
                place: symbol.map(|symbol| {
                    let file = symbol.file().unwrap_or_default();
                    cut(format!("{file}:{}:{}", symbol.line().unwrap_or(0), symbol.column().unwrap_or(0)))
                }),
            }
        })
        .collect()
}

fn demangled(name: &str) -> String {
    cut(rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}")))
}
