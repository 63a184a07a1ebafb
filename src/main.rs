//! The `podline` command.

fn main() -> std::process::ExitCode {
    podline::cli::main().into()
}
