//! The folder of one network: gone afterwards, unless a person will want to look.

use std::path::{Path, PathBuf};

use super::LocalnetError;

/// A temporary folder. On drop it is removed; when the test panics the logs stay, with `CATENARY_KEEP=1` everything stays.
#[derive(Debug)]
pub(crate) struct Workdir {
    path: PathBuf,
}

impl Workdir {
    /// A fresh folder whose name begins with `catenary-` and `label`.
    pub(crate) fn new(label: &str) -> Result<Self, LocalnetError> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("catenary-{label}-"))
            .tempdir()
            .map_err(LocalnetError::io("making a temporary folder"))?;
        Ok(Self { path: dir.keep() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        let keep_all = std::env::var_os("CATENARY_KEEP").is_some_and(|v| v == "1");
        if keep_all {
            eprintln!("kept {}", self.path.display());
        } else if std::thread::panicking() {
            for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    let _ = std::fs::remove_dir_all(entry.path());
                }
            }
            eprintln!("node logs are in {}", self.path.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
