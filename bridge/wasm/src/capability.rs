//! Everything that a guest can import from us, one file each, and what several of them ask of JSON. This list is the whole of it; WASI 0.2
//! comes beside it with an empty context, and its HTTP with ours behind it.

mod clock;
mod config;
mod context;
mod crud;
mod events;
mod http;
mod json;
mod log;
mod logics;
mod once;
mod queries;
mod random;
mod secrets;
mod sql;
mod storage;
mod wasi_http;

pub(crate) use wasi_http::{Hooks, context as http_context};
use wasmtime::component::{HasSelf, Linker};

use crate::{bindings::Logic, host::Host, state::State};

/// Links all capabilities and WASI.
pub(crate) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasi_http::link(linker)?;
    Logic::add_to_linker::<State<H>, HasSelf<State<H>>>(linker, |state| state)
}
