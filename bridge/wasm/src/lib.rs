//! The sandbox: compiles components, gives each call a fresh instance with its limits armed, and answers its imports through
//! one seam, [`Host`]. It knows neither databases nor callers, of HTTP what a guest of `wasi:http` is given and gives, and holds no secret
//! longer than a host call.

mod admission;
mod bindings;
mod call;
mod capability;
mod clock;
mod compile;
mod compiled_functions;
mod cost;
mod engine;
mod error;
mod fixed;
mod host;
mod limiter;
mod outbound;
pub mod packed;
pub mod record;
mod serve;
mod slices;
mod state;
mod stdio;
mod supply;
mod told;

pub use call::{EventInfo, Invocation, RunInfo, Usage, WrongCalls};
pub use compile::{CompileLimits, CompiledStore, StoreError, WorkerConfig, WorkerError, run_worker};
pub use cost::Cost;
#[doc(hidden)]
pub use engine::guest_engine;
pub use engine::{LoadError, LoadedLogic, Sandbox, SandboxConfig, SandboxError};
pub use error::{Blame, CallError, Frame, LogicError};
pub use host::{
    CallerInfo, Clock, Condition, ConnectionId, CrudAnswer, CrudAsked, CrudError, CrudProblem, CrudRequest, CursorId,
    DatabaseError, EventError, Fixed, Host, HttpBudget, HttpDone, HttpError, HttpRequest, HttpResponse, InvocationInfo,
    Level, LogLine, LogSource, LogicCall, LogicCallError, LogicCalled, LogicUsage, LookupError, NamedParams,
    ObjectPage, ObjectStat, PutOptions, ReaderId, RowBudget, Seed, SendOut, SignedUrl, SqlError, StorageError, Times,
    TransactionId, UrlAsked, UrlDeed, WriterId,
};
pub use serve::{BodyError, Exchange, GuestBody, IncomingBody, IncomingError, Served};
pub use supply::{SupplyConfig, SupplyUsage};
pub use told::ToldName;
