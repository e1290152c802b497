//! Builds the nodes from the pinned Go modules under `tests/nodes`, once a machine.
//!
//! The binaries lie in `$CATENARY_CACHE` or `~/.cache/catenary`, under `nodes/<name>-<hash>/`, where the hash covers `go.mod`, `go.sum` and
//! the Go sources: a changed pin builds anew, an unchanged one never does. A lock file makes several tests that ask at once wait for one
//! build; the finished folder is moved into place in one step, so that a build cut short leaves nothing half done.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::LocalnetError;

/// How often a long build says that it is alive, in seconds.
const PROGRESS_SECONDS: u64 = 10;

/// The node programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// GoQuorum's geth.
    pub geth: PathBuf,
    /// Writer of QBFT networks.
    pub qbftgen: PathBuf,
    /// ibc-go's simd.
    pub simd: PathBuf,
}

/// One Go module under `tests/nodes` and what is built from it.
struct Recipe {
    name: &'static str,
    /// Go sources that belong to the binaries, beside `go.mod` and `go.sum`.
    sources: &'static [&'static str],
    /// Output name, package and linker flags of each binary.
    outputs: &'static [(&'static str, &'static str, &'static str)],
    hint: &'static str,
}

/// GoQuorum 22.7.4; without `-checklinkname=0` its link fails on today's Go.
const GOQUORUM: Recipe = Recipe {
    name: "goquorum",
    sources: &["qbftgen/main.go"],
    outputs: &[
        ("geth", "github.com/ethereum/go-ethereum/cmd/geth", "-checklinkname=0 -s -w"),
        ("qbftgen", "./qbftgen", "-checklinkname=0 -s -w"),
    ],
    hint: "about 2 min the first time",
};

/// ibc-go v11.2.0 simd.
const SIMD: Recipe = Recipe {
    name: "simd",
    sources: &["main.go", "localnet.go"],
    outputs: &[("simd", ".", "-s -w")],
    hint: "about 4 min and 1.7 GB of modules the first time",
};

/// Makes sure that all node programs exist, building what is missing.
///
/// # Errors
/// [`LocalnetError::Build`] when Go or the module proxy fail, [`LocalnetError::Io`] when the cache cannot be written.
pub fn ensure_built() -> Result<Binaries, LocalnetError> {
    static DONE: Mutex<Option<Binaries>> = Mutex::new(None);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(binaries) = done.as_ref() {
        return Ok(binaries.clone());
    }
    let (goquorum, simd) = (build(&GOQUORUM)?, build(&SIMD)?);
    let binaries = Binaries { geth: goquorum.join("geth"), qbftgen: goquorum.join("qbftgen"), simd: simd.join("simd") };
    *done = Some(binaries.clone());
    Ok(binaries)
}

/// Whether all node programs are in the cache.
pub(super) fn is_built() -> bool {
    let built = |recipe: &Recipe| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("nodes").join(recipe.name);
        let name = fingerprint(recipe, &source).map(|hash| format!("{}-{hash}", recipe.name));
        matches!((cache_dir(), name), (Ok(cache), Ok(name)) if cache.join(&name).is_dir())
    };
    built(&GOQUORUM) && built(&SIMD)
}

fn build(recipe: &Recipe) -> Result<PathBuf, LocalnetError> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("nodes").join(recipe.name);
    let cache = cache_dir()?;
    std::fs::create_dir_all(&cache).map_err(LocalnetError::io(format!("making {}", cache.display())))?;
    let finished = cache.join(format!("{}-{}", recipe.name, fingerprint(recipe, &source)?));
    if finished.is_dir() {
        return Ok(finished);
    }
    let lock = File::create(cache.join(format!("{}.lock", recipe.name)))
        .map_err(LocalnetError::io("making the build lock"))?;
    lock.lock().map_err(LocalnetError::io("waiting for another build"))?;
    if !finished.is_dir() {
        let scratch = cache.join(format!("{}.unfinished", recipe.name));
        let _ = std::fs::remove_dir_all(&scratch);
        for output in recipe.outputs {
            compile(recipe, output, &source, &scratch)?;
        }
        std::fs::rename(&scratch, &finished).map_err(LocalnetError::io(format!("moving to {}", finished.display())))?;
    }
    Ok(finished)
}

/// Where built nodes are kept.
fn cache_dir() -> Result<PathBuf, LocalnetError> {
    let root = match (std::env::var_os("CATENARY_CACHE"), std::env::var_os("HOME")) {
        (Some(dir), _) => PathBuf::from(dir),
        (None, Some(home)) => PathBuf::from(home).join(".cache/catenary"),
        (None, None) => {
            return Err(LocalnetError::answer("finding the cache", "neither CATENARY_CACHE nor HOME is set"))
        }
    };
    Ok(root.join("nodes"))
}

/// A hash over everything that decides what the binaries are.
fn fingerprint(recipe: &Recipe, source: &Path) -> Result<String, LocalnetError> {
    let mut hash = Sha256::new();
    for name in ["go.mod", "go.sum"].iter().chain(recipe.sources) {
        let path = source.join(name);
        let bytes = std::fs::read(&path).map_err(LocalnetError::io(format!("reading {}", path.display())))?;
        hash.update(Sha256::digest(name.as_bytes()));
        hash.update(Sha256::digest(bytes));
    }
    for (name, package, flags) in recipe.outputs {
        hash.update(Sha256::digest(format!("{name} {package} {flags}")));
    }
    Ok(hex::encode(&hash.finalize()[..16]))
}

fn compile(
    recipe: &Recipe,
    (name, package, ldflags): &(&str, &str, &str),
    source: &Path,
    scratch: &Path,
) -> Result<(), LocalnetError> {
    let what = format!("{name} of {}", recipe.name);
    let progress = Progress::start(format!("building {what} ({})", recipe.hint));
    let output = Command::new("go")
        .args(["build", "-mod=readonly", "-trimpath", "-ldflags", ldflags, "-o"])
        .arg(scratch.join(name))
        .arg(package)
        .current_dir(source)
        .env("CGO_ENABLED", if recipe.name == "simd" { "0" } else { "1" })
        .stdin(Stdio::null())
        .output()
        .map_err(LocalnetError::io("running `go`, which must be installed (1.26 or later)"))?;
    progress.finish();
    if output.status.success() {
        return Ok(());
    }
    Err(LocalnetError::Build {
        what,
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Says on stderr what is being built and for how long, past the capture of the test harness.
struct Progress {
    done: Arc<AtomicBool>,
    what: String,
    start: Instant,
}

impl Progress {
    fn start(what: String) -> Self {
        say(&what);
        let (done, start) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let (seen, line) = (Arc::clone(&done), what.clone());
        std::thread::spawn(move || loop {
            std::thread::park_timeout(Duration::from_secs(PROGRESS_SECONDS));
            if seen.load(Ordering::Relaxed) {
                return;
            }
            say(&format!("{line}: {} s", start.elapsed().as_secs()));
        });
        Self { done, what, start }
    }

    fn finish(self) {
        self.done.store(true, Ordering::Relaxed);
        say(&format!("{}: done after {} s", self.what, self.start.elapsed().as_secs()));
    }
}

fn say(line: &str) {
    // Progress is a courtesy: a closed stderr must not fail a build.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_covers_every_input() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe { name: "x", sources: &["main.go"], outputs: &[("x", ".", "")], hint: "" };
        let mut seen = Vec::new();
        for name in ["go.mod", "go.sum", "main.go"] {
            std::fs::write(dir.path().join(name), "one").unwrap();
        }
        seen.push(fingerprint(&recipe, dir.path()).unwrap());
        for name in ["go.mod", "go.sum", "main.go"] {
            std::fs::write(dir.path().join(name), "two").unwrap();
            seen.push(fingerprint(&recipe, dir.path()).unwrap());
        }
        seen.push(fingerprint(&Recipe { outputs: &[("x", ".", "-s")], ..recipe }, dir.path()).unwrap());
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
