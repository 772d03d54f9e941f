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
pub mod crud;
mod error;
pub mod events;
pub mod http;
pub mod log;
pub mod logics;
mod panic;
pub mod queries;
pub mod random;
mod run;
pub mod secrets;
pub mod sql;
pub mod storage;

pub use error::LogicError;
pub use run::NoInput;

/// What most handlers need: `use santokit_guest::prelude::*;`.
pub mod prelude {
    pub use crate::sql::Queries as _;
    pub use crate::{
        LogicError, NoInput, clock, config, context, crud, events, http, log, logics, params, queries, random, secrets,
        sql, storage,
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
