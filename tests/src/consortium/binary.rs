//! Where the `catenary` program is: named by `CATENARY_BIN`, or built beside what is running now.

use std::path::PathBuf;
use std::process::Command;

use crate::localnet::LocalnetError;

/// The program under test, built when it is not named.
///
/// # Errors
/// When the build fails.
pub fn catenary() -> Result<PathBuf, LocalnetError> {
    if let Some(named) = std::env::var_os("CATENARY_BIN") {
        let path = PathBuf::from(named);
        return match path.is_file() {
            true => Ok(path),
            false => Err(LocalnetError::answer("CATENARY_BIN names no file", path.display())),
        };
    }
    let own = std::env::current_exe().map_err(LocalnetError::io("finding this program"))?;
    let is_profile = |path: &&std::path::Path| path.ends_with("debug") || path.ends_with("release");
    let profile = own
        .ancestors()
        .find(is_profile)
        .ok_or_else(|| LocalnetError::answer("finding the build folder; set CATENARY_BIN", own.display()))?;
    let target = profile.parent().unwrap_or(profile);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Always asked, so that nothing old is tested; when all is built this takes a second.
    command.args(["build", "--package", "catenary", "--bin", "catenary", "--manifest-path"]);
    command.arg(crate::tidy::sources::root().join("Cargo.toml")).arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().map_err(LocalnetError::io("running cargo"))?;
    match status.success() {
        true => Ok(profile.join("catenary")),
        false => Err(LocalnetError::answer("cargo build --package catenary", status)),
    }
}
