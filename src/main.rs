//! The binary: sub-commands and exit codes, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    greenlane::cli::run(std::env::args_os())
}
