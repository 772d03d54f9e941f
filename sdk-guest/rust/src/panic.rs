//! A panic's message, in the log before the guest traps. The trap alone carries a backtrace but no words.

use std::panic::{PanicHookInfo, set_hook};
use std::sync::Once;

use crate::log;

static INSTALLED: Once = Once::new();

/// Logs panics at error level from now on. Cheap after the first time.
pub(crate) fn install_hook() {
    INSTALLED.call_once(|| set_hook(Box::new(report)));
}

fn report(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a value that is no text");
    match info.location() {
        Some(location) => log::error(&format!("panic: {message}"), &[("location", &location.to_string())]),
        None => log::error(&format!("panic: {message}"), &[]),
    }
}
