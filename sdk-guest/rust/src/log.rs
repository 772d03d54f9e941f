//! Structured log lines. They carry the request id and the logic's name; the operator sees them, the caller does not.
//!
//! Functions take a message and fields; the macros [`error!`](crate::error!), [`warn!`](crate::warn!),
//! [`info!`](crate::info!), [`debug!`](crate::debug!) and [`trace!`](crate::trace!) format:
//!
//! ```no_run
//! # use santokit_guest::log;
//! # let (item, left) = ("i1", 3);
//! log::info("sold", &[("item", item)]);
//! santokit_guest::info!(item = item, left = left; "sold one of {item}");
//! ```

use crate::bindings::santokit::runtime::log as host;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// What helps to find a mistake.
    Debug,
    /// What happened.
    Info,
    /// What should not have happened, and was dealt with.
    Warn,
    /// What failed.
    Error,
}

/// Writes one line. Beyond the manifest's `logBytes` lines are dropped.
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<(String, String)> =
        fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    host::log(level.into_wit(), message, &fields);
}

/// Writes a line at trace level.
pub fn trace(message: &str, fields: &[(&str, &str)]) {
    log(Level::Trace, message, fields);
}

/// Writes a line at debug level.
pub fn debug(message: &str, fields: &[(&str, &str)]) {
    log(Level::Debug, message, fields);
}

/// Writes a line at info level.
pub fn info(message: &str, fields: &[(&str, &str)]) {
    log(Level::Info, message, fields);
}

/// Writes a line at warn level.
pub fn warn(message: &str, fields: &[(&str, &str)]) {
    log(Level::Warn, message, fields);
}

/// Writes a line at error level.
pub fn error(message: &str, fields: &[(&str, &str)]) {
    log(Level::Error, message, fields);
}

impl Level {
    fn into_wit(self) -> host::Level {
        match self {
            Self::Trace => host::Level::Trace,
            Self::Debug => host::Level::Debug,
            Self::Info => host::Level::Info,
            Self::Warn => host::Level::Warn,
            Self::Error => host::Level::Error,
        }
    }
}

/// Writes a formatted line with fields: `log_line!(level, key = value; "text {}", argument)`.
#[macro_export]
macro_rules! log_line {
    ($level:expr, $($key:ident = $value:expr),+ ; $($text:tt)+) => {
        $crate::log::log($level, &::std::format!($($text)+), &[
            $((::core::stringify!($key), ::std::string::ToString::to_string(&$value).as_str())),+
        ])
    };
    ($level:expr, $($text:tt)+) => {
        $crate::log::log($level, &::std::format!($($text)+), &[])
    };
}

/// Writes a formatted line at trace level; fields as in [`log_line!`](crate::log_line!).
#[macro_export]
macro_rules! trace { ($($line:tt)+) => { $crate::log_line!($crate::log::Level::Trace, $($line)+) }; }

/// Writes a formatted line at debug level; fields as in [`log_line!`](crate::log_line!).
#[macro_export]
macro_rules! debug { ($($line:tt)+) => { $crate::log_line!($crate::log::Level::Debug, $($line)+) }; }

/// Writes a formatted line at info level; fields as in [`log_line!`](crate::log_line!).
#[macro_export]
macro_rules! info { ($($line:tt)+) => { $crate::log_line!($crate::log::Level::Info, $($line)+) }; }

/// Writes a formatted line at warn level; fields as in [`log_line!`](crate::log_line!).
#[macro_export]
macro_rules! warn { ($($line:tt)+) => { $crate::log_line!($crate::log::Level::Warn, $($line)+) }; }

/// Writes a formatted line at error level; fields as in [`log_line!`](crate::log_line!).
#[macro_export]
macro_rules! error { ($($line:tt)+) => { $crate::log_line!($crate::log::Level::Error, $($line)+) }; }
