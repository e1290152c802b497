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
    let here = build::is_built() || go_is_here();
    if !here {
        let demanded = std::env::var(NODES_ENV).is_ok_and(|value| value == "required");
        assert!(!demanded, "{test} needs the real nodes, and {NODES_ENV}=required: put Go on the PATH");
        // The harness keeps what the printing macros write; this is for everybody's eyes.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: it needs the real nodes, and Go is not on the PATH");
    }
    here
}

fn go_is_here() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| Path::new(&dir).join("go").is_file())
}
