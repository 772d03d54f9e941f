//! What a Santokit logic written in Rust imports.
//!
//! A logic is one function from a typed input to a typed output, or to a [`LogicError`]:
//!
//! ```no_run
//! use santokit_guest::prelude::*;
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Input {
//!     item_id: String,
//!     quantity: i64,
//! }
//!
//! #[derive(Serialize)]
//! struct Output {
//!     left: i64,
//! }
//!
//! fn handle(input: Input) -> Result<Output, LogicError> {
//!     let db = sql::open("main")?;
//!     let left = db.transaction(|tx| {
//!         let stock: i64 = tx.query_one("SELECT stock FROM items WHERE id = ?", params![&input.item_id])?;
//!         if stock < input.quantity {
//!             return Err(LogicError::new("OUT_OF_STOCK", "there is not enough of it").details(json!({"left": stock})));
//!         }
//!         tx.execute("UPDATE items SET stock = stock - ? WHERE id = ?", params![input.quantity, &input.item_id])?;
//!         Ok(stock - input.quantity)
//!     })?;
//!     Ok(Output { left })
//! }
//!
//! santokit_guest::logic!(handle);
//! ```
//!
//! It must not import WASI: everything outside the guest goes through the Santokit WIT packages, so that the manifest's
//! grants are all that a logic can do.

#[doc(hidden)]
pub mod bindings;
pub mod clock;
pub mod config;
pub mod context;
pub mod cron;
pub mod crud;
mod error;
pub mod events;
pub mod http;
pub mod log;
pub mod logics;
pub mod once;
mod panic;
pub mod queries;
pub mod random;
mod run;
pub mod secrets;
pub mod sql;
pub mod storage;

/// What a guest's memory begins with is used before more is asked for, which the standard library's allocator of the same name
/// does not do in all versions of the compiler: a call that needs little leaves its memory as large as it was, and the Bridge
/// has less to put back after it.
#[cfg(all(target_family = "wasm", feature = "allocator"))]
#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

pub use error::LogicError;
pub use once::once;
pub use run::NoInput;

/// What most handlers need: `use santokit_guest::prelude::*;`.
pub mod prelude {
    pub use crate::sql::Queries as _;
    pub use crate::{
        LogicError, NoInput, clock, config, context, cron, crud, events, http, log, logics, once, params, queries,
        random, secrets, sql, storage,
    };
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::json;
}

/// What [`logic!`] expands to. Not for direct use: it may change in any version.
#[doc(hidden)]
pub mod private {
    pub use crate::bindings;
    pub use crate::bindings::__export_logic_impl as export;
    pub use crate::bindings::exports::santokit::logic::handler::{Guest, LogicError};
    pub use crate::bindings::handling::__export_handling_impl as export_handling;
    pub use crate::bindings::handling::exports::santokit::events::event_handler as handling;
    pub use crate::bindings::running::__export_running_impl as export_running;
    pub use crate::bindings::running::exports::santokit::events::cron_handler as running;
    pub use crate::cron::run as run_job;
    pub use crate::events::handle;
    pub use crate::run::run;
}

/// Makes a function the handler of this component.
///
/// The function takes one argument that is [`serde::Deserialize`] (or [`NoInput`]) and answers
/// `Result<impl Serialize, LogicError>`.
#[macro_export]
macro_rules! logic {
    ($handler:path) => {
        struct SantokitLogic;

        impl $crate::private::Guest for SantokitLogic {
            fn handle(
                input: ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<::std::vec::Vec<u8>, $crate::private::LogicError> {
                $crate::private::run(&input, $handler)
            }
        }

        $crate::private::export!(SantokitLogic with_types_in $crate::private::bindings);
    };
}

/// Makes a function what this component does with events, of whichever subscriptions name its logic.
///
/// The function takes the [`Event`](events::Event) and its payload, which is [`serde::Deserialize`], and answers `Result<(), LogicError>`. An error, or a
/// panic, and the event is tried again. Beside it a component may have a [`logic!`] for callers.
///
/// ```no_run
/// use santokit_guest::prelude::*;
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct Placed {
///     order_id: String,
/// }
///
/// fn on_event(event: events::Event, placed: Placed) -> Result<(), LogicError> {
///     log::info(&format!("order {} was placed", placed.order_id), &[("event", &event.id)]);
///     Ok(())
/// }
///
/// santokit_guest::on_event!(on_event);
/// ```
#[macro_export]
macro_rules! on_event {
    ($handler:path) => {
        struct SantokitHandling;

        impl $crate::private::handling::Guest for SantokitHandling {
            fn on_event(
                event: $crate::private::handling::Event,
                payload: ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<(), $crate::private::handling::EventError> {
                $crate::private::handle(event, &payload, $handler)
            }
        }

        $crate::private::export_handling!(SantokitHandling with_types_in $crate::private::bindings::handling);
    };
}

/// Makes a function what this component does for jobs, of whichever name its logic.
///
/// The function takes the [`Run`](cron::Run) and answers `Result<(), LogicError>`. An error, or a panic, and the run has failed. Beside it a component may
/// have a [`logic!`] for callers and an [`on_event!`].
///
/// ```no_run
/// use santokit_guest::prelude::*;
///
/// fn on_cron(run: cron::Run) -> Result<(), LogicError> {
///     log::info("tidied up", &[("for", run.due_at.as_deref().unwrap_or("an operator"))]);
///     Ok(())
/// }
///
/// santokit_guest::on_cron!(on_cron);
/// ```
#[macro_export]
macro_rules! on_cron {
    ($handler:path) => {
        struct SantokitRunning;

        impl $crate::private::running::Guest for SantokitRunning {
            fn on_cron(run: $crate::private::running::Run) -> ::core::result::Result<(), $crate::private::running::CronError> {
                $crate::private::run_job(run, $handler)
            }
        }

        $crate::private::export_running!(SantokitRunning with_types_in $crate::private::bindings::running);
    };
}

/// The values of a statement's placeholders, in order: `params![id, 3, None::<String>]`; or those of a declared query by name:
/// `params! {"customerId" => id, "limit" => 3}`. Nothing is moved.
#[macro_export]
macro_rules! params {
    ($($name:literal => $value:expr),+ $(,)?) => {
        &[$(($name, $crate::sql::Param::to_value(&$value))),+] as &[(&str, $crate::sql::Value)]
    };
    ($($value:expr),* $(,)?) => {
        &[$($crate::sql::Param::to_value(&$value)),*] as &[$crate::sql::Value]
    };
}
