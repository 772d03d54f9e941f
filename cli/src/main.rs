//! The `stk` command. Everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    stk::run()
}
