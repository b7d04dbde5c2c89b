//! The `tsunagu` program: arguments, logging, exit code.

fn main() {}
