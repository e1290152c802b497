//! Builds the nodes from the pinned Go modules under `tests/nodes`, and fetches the one from npm, once a machine.
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

/// geth 1.17.8: a pool, a base fee and the newest forks.
const GETH: Recipe = Recipe {
    name: "geth",
    sources: &[],
    outputs: &[("geth", "github.com/ethereum/go-ethereum/cmd/geth", "-s -w")],
    hint: "about 4 min the first time",
};

/// What pins anvil: the package and its lock file, which holds the hash of each archive.
const ANVIL_PINS: [&str; 2] = ["package.json", "package-lock.json"];

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

/// Makes sure that geth exists, which only the tests of fees need.
///
/// # Errors
/// As [`ensure_built`].
pub fn ensure_geth() -> Result<PathBuf, LocalnetError> {
    Ok(build(&GETH)?.join("geth"))
}

/// Makes sure that anvil exists, which only the tests of fees need: from npm, by the committed lock file.
///
/// # Errors
/// As [`ensure_built`], for npm and its registry.
pub fn ensure_anvil() -> Result<PathBuf, LocalnetError> {
    let source = source_of("anvil");
    let hash = hash_of(&source, &ANVIL_PINS)?;
    Ok(once("anvil", &hash, |scratch| install_anvil(&source, scratch))?.join("anvil"))
}

/// Whether the node programs of the end-to-end tests are in the cache.
pub(super) fn is_built() -> bool {
    [&GOQUORUM, &SIMD].into_iter().all(|recipe| is_cached(recipe.name, fingerprint(recipe, &source_of(recipe.name))))
}

/// Whether geth is.
pub(super) fn is_geth_built() -> bool {
    is_cached(GETH.name, fingerprint(&GETH, &source_of(GETH.name)))
}

/// Whether anvil is.
pub(super) fn is_anvil_there() -> bool {
    is_cached("anvil", hash_of(&source_of("anvil"), &ANVIL_PINS))
}

fn is_cached(name: &str, hash: Result<String, LocalnetError>) -> bool {
    matches!((cache_dir(), hash), (Ok(cache), Ok(hash)) if cache.join(format!("{name}-{hash}")).is_dir())
}

/// Where a node's pins and sources are.
fn source_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("nodes").join(name)
}

fn build(recipe: &Recipe) -> Result<PathBuf, LocalnetError> {
    let source = source_of(recipe.name);
    once(recipe.name, &fingerprint(recipe, &source)?, |scratch| {
        recipe.outputs.iter().try_for_each(|output| compile(recipe, output, &source, scratch))
    })
}

/// The finished folder `name-hash` of the cache, which `make` fills if it is not there yet.
fn once(
    name: &str,
    hash: &str,
    make: impl FnOnce(&Path) -> Result<(), LocalnetError>,
) -> Result<PathBuf, LocalnetError> {
    let cache = cache_dir()?;
    std::fs::create_dir_all(&cache).map_err(LocalnetError::io(format!("making {}", cache.display())))?;
    let finished = cache.join(format!("{name}-{hash}"));
    if finished.is_dir() {
        return Ok(finished);
    }
    let lock = File::create(cache.join(format!("{name}.lock"))).map_err(LocalnetError::io("making the build lock"))?;
    lock.lock().map_err(LocalnetError::io("waiting for another build"))?;
    if !finished.is_dir() {
        let scratch = cache.join(format!("{name}.unfinished"));
        let _ = std::fs::remove_dir_all(&scratch);
        make(&scratch)?;
        std::fs::rename(&scratch, &finished).map_err(LocalnetError::io(format!("moving to {}", finished.display())))?;
    }
    Ok(finished)
}

/// Installs by the lock file, without running any script of a package, and keeps the one program.
fn install_anvil(source: &Path, scratch: &Path) -> Result<(), LocalnetError> {
    std::fs::create_dir_all(scratch).map_err(LocalnetError::io(format!("making {}", scratch.display())))?;
    for name in ANVIL_PINS {
        std::fs::copy(source.join(name), scratch.join(name)).map_err(LocalnetError::io(format!("copying {name}")))?;
    }
    let progress = Progress::start("fetching anvil from npm (10 s)".to_owned());
    let mut command = Command::new("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(scratch).stdin(Stdio::null());
    let output = command.output().map_err(LocalnetError::io("running `npm`, which must be installed"))?;
    progress.finish();
    if !output.status.success() {
        return Err(LocalnetError::Build {
            what: "anvil".to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    // One package of this scope holds the program of this machine's system.
    let scope = scratch.join("node_modules/@foundry-rs");
    let packages = std::fs::read_dir(&scope).map_err(LocalnetError::io(format!("reading {}", scope.display())))?;
    let program = packages.flatten().map(|package| package.path().join("bin/anvil")).find(|path| path.is_file());
    let program = program.ok_or_else(|| LocalnetError::answer("npm", "there is no anvil for this system"))?;
    std::fs::rename(&program, scratch.join("anvil")).map_err(LocalnetError::io("moving anvil"))?;
    std::fs::remove_dir_all(scratch.join("node_modules")).map_err(LocalnetError::io("removing node_modules"))
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
    let names: Vec<&str> = ["go.mod", "go.sum"].into_iter().chain(recipe.sources.iter().copied()).collect();
    hash_files(&mut hash, source, &names)?;
    for (name, package, flags) in recipe.outputs {
        hash.update(Sha256::digest(format!("{name} {package} {flags}")));
    }
    Ok(hex::encode(&hash.finalize()[..16]))
}

/// A hash over some files alone.
fn hash_of(source: &Path, names: &[&str]) -> Result<String, LocalnetError> {
    let mut hash = Sha256::new();
    hash_files(&mut hash, source, names)?;
    Ok(hex::encode(&hash.finalize()[..16]))
}

fn hash_files(hash: &mut Sha256, source: &Path, names: &[&str]) -> Result<(), LocalnetError> {
    for name in names {
        let path = source.join(name);
        let bytes = std::fs::read(&path).map_err(LocalnetError::io(format!("reading {}", path.display())))?;
        hash.update(Sha256::digest(name.as_bytes()));
        hash.update(Sha256::digest(bytes));
    }
    Ok(())
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
