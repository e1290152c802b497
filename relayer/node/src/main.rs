//! The `catenary` binary.

fn main() -> std::process::ExitCode {
    catenary_node::cli::main()
}
