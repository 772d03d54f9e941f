//! The one catalogue of error codes. A code is a contract with clients; HTTP statuses are given at the edges only.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// A stable, published error code. Each has a page `docs/ERRORS/<CODE>.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl Code {
            /// Every code there is, in the catalogue's order.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text),* }
            }
        }
    };
}

codes! {
    /// The request is malformed or breaks a bound.
    BadRequest = "BAD_REQUEST",
    /// Params or a payload do not fit their declared shape.
    SchemaValidationFailed = "SCHEMA_VALIDATION_FAILED",
    /// No credential where one is needed, or one that is invalid, expired or revoked.
    Unauthorized = "UNAUTHORIZED",
    /// A valid credential that may not do this.
    Forbidden = "FORBIDDEN",
    /// There is no such thing, or the caller may not know of it.
    NotFound = "NOT_FOUND",
    /// It contradicts what is stored, or a count limit is reached.
    Conflict = "CONFLICT",
    /// A rate or concurrency limit; try again after `Retry-After`.
    TooManyRequests = "TOO_MANY_REQUESTS",
    /// The guest said no; its own code, message and details are inside.
    LogicError = "LOGIC_ERROR",
    /// The guest failed: a trap, or a limit named in `details.limit`.
    LogicFailed = "LOGIC_FAILED",
    /// The host failed. The cause is in the log under the request id.
    InternalError = "INTERNAL_ERROR",
    /// Not now: starting, draining, expired release, or a dependency is away.
    ServiceUnavailable = "SERVICE_UNAVAILABLE",
    /// The database is not what the current release declares.
    SchemaDrift = "SCHEMA_DRIFT",
    /// A schema change that loses data needs consent.
    DestructiveChange = "DESTRUCTIVE_CHANGE",
    /// A component gains powers; that needs consent.
    GrantsWidened = "GRANTS_WIDENED",
    /// The release was refused: the details say by what.
    ReleaseBlocked = "RELEASE_BLOCKED",
    /// A Bridge of this env is too old for the release.
    IncompatibleBridge = "INCOMPATIBLE_BRIDGE",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ERRORS");
        for code in Code::ALL {
            assert!(folder.join(format!("{code}.md")).is_file(), "docs/ERRORS/{code}.md is missing");
        }
    }
}
