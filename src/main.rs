//! The `podline` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(code) = podline::engine::embedded::sandbox::main(std::env::args_os().skip(1)) {
        return code;
    }
    podline::cli::main().into()
}
