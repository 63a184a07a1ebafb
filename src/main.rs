//! The `podline` command.

fn main() {}
