//! Whether the real nodes can be had on this machine.

use std::io::Write as _;
use std::path::Path;

use super::build;

/// Set to `required`, a machine without the nodes fails the tests that need them instead of leaving them out.
pub const NODES_ENV: &str = "CATENARY_NODES";

/// Whether the real nodes are built already, or Go is here to build them. If neither, `test` is left out, which is
/// said aloud past the test harness, unless [`NODES_ENV`] demands them.
///
/// # Panics
/// When the nodes are demanded and cannot be had.
#[must_use]
pub fn nodes_are_here(test: &str) -> bool {
    is_here(test, build::is_built(), ("the real nodes", "go", "Go"))
}

/// The same of geth, which only the tests of fees run.
///
/// # Panics
/// When it is demanded and cannot be had.
#[must_use]
pub fn geth_is_here(test: &str) -> bool {
    is_here(test, build::is_geth_built(), ("geth", "go", "Go"))
}

/// The same of anvil, which comes from npm.
///
/// # Panics
/// When it is demanded and cannot be had.
#[must_use]
pub fn anvil_is_here(test: &str) -> bool {
    is_here(test, build::is_anvil_there(), ("anvil", "npm", "npm"))
}

fn is_here(test: &str, is_built: bool, (what, program, tool): (&str, &str, &str)) -> bool {
    let here = is_built || is_on_the_path(program);
    if !here {
        let demanded = std::env::var(NODES_ENV).is_ok_and(|value| value == "required");
        assert!(!demanded, "{test} needs {what}, and {NODES_ENV}=required: put {tool} on the PATH");
        // The harness keeps what the printing macros write; this is for everybody's eyes.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: it needs {what}, and {tool} is not on the PATH");
    }
    here
}

fn is_on_the_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(Path::new(program)).is_file())
}
