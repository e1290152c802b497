//! The process: a private copy of the pinned executable, an empty environment, limits, and an end.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use catenary_light_clients::Hash32;
use rustix::process::{kill_process_group, prlimit, Pid, Resource, Rlimit, Signal};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::task::JoinHandle;

use crate::error::{shorten, Error, Result};
use crate::limits::{
    EXECUTABLE_BYTES_MAX, LOG_CHUNK_BYTES, LOG_KEPT_BYTES, LOG_PAUSE_MS, REASON_CHARS_MAX, SPAWN_ATTEMPTS_MAX,
    START_POLL_MS,
};
use crate::manifest::{Manifest, Resources};
use crate::platform;

/// Bytes that are copied at once.
const COPY_BYTES: usize = 64 * 1024;
/// Errno of a file that is still open for writing somewhere (`errno.h`, the same on every Linux).
const TEXT_FILE_BUSY: i32 = 26;

/// A started process. Dropped, it and what it started are killed, and its folder goes.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Held open as long as the host lives: its end tells the adapter to end.
    _stdin: Option<ChildStdin>,
    last_words: Arc<Mutex<Vec<u8>>>,
    log: JoinHandle<()>,
    group: Option<Pid>,
    folder: TempDir,
}

/// Copies the executable to where nobody else can change it, and compares what was copied with the pin: what is
/// checked is what is run.
///
/// # Errors
/// [`Error::Executable`], [`Error::Hash`].
pub(crate) fn copy_pinned(from: &Path, to: &Path, expected: &Hash32) -> Result<()> {
    let got = hash_into(from, Some(to))?;
    if got == *expected {
        Ok(())
    } else {
        Err(Error::Hash { path: from.display().to_string(), got, expected: *expected })
    }
}

/// The SHA-256 of an executable, which is copied on the way where a target is given.
///
/// # Errors
/// [`Error::Executable`].
pub(crate) fn hash_into(from: &Path, to: Option<&Path>) -> Result<Hash32> {
    let refuse = |reason: String| Error::Executable { path: from.display().to_string(), reason };
    let failed = |error: std::io::Error| refuse(error.to_string());
    let mut source = File::open(from).map_err(failed)?;
    if !source.metadata().map_err(failed)?.is_file() {
        return Err(refuse("is no regular file".to_owned()));
    }
    let create = |to| OpenOptions::new().write(true).create_new(true).mode(0o500).open(to);
    let mut copy = to.map(create).transpose().map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; COPY_BYTES];
    let mut total = 0;
    loop {
        let count = source.read(&mut buffer).map_err(failed)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        total += count as u64;
        if total > EXECUTABLE_BYTES_MAX {
            return Err(refuse(format!("has more than {EXECUTABLE_BYTES_MAX} bytes")));
        }
        hasher.update(bytes);
        if let Some(copy) = &mut copy {
            copy.write_all(bytes).map_err(failed)?;
        }
    }
    Ok(Hash32(hasher.finalize().into()))
}

impl Process {
    /// Starts the executable of a manifest. It answers on [`socket`](Self::socket) when it is ready.
    pub(crate) async fn start(chain: &str, manifest: &Manifest, sha256: Hash32) -> Result<Self> {
        let spawn = |reason: String| Error::Spawn { chain: chain.to_owned(), reason };
        // Created with mode 0700: nobody else reaches the socket or the copy in it.
        let private = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("catenary-").permissions(private).tempdir();
        let folder = folder.map_err(|error| spawn(format!("making its folder: {error}")))?;
        let (from, to) = (manifest.executable.clone(), folder.path().join("adapter"));
        let copied = tokio::task::spawn_blocking(move || copy_pinned(&from, &to, &sha256)).await;
        copied.map_err(|error| spawn(format!("copying its executable: {error}")))??;
        let mut child = run(folder.path()).await.map_err(|error| spawn(error.to_string()))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let last_words = Arc::new(Mutex::new(Vec::new()));
        let log = tokio::spawn(listen(child.stderr.take(), last_words.clone()));
        let process = Self { _stdin: child.stdin.take(), child, last_words, log, group, folder };
        // It is not asked for anything before it is limited.
        process.limit(&manifest.resources).map_err(|error| spawn(format!("limiting it: {error}")))?;
        Ok(process)
    }

    fn limit(&self, resources: &Resources) -> std::io::Result<()> {
        let limits = [
            (Resource::As, resources.memory_bytes),
            (Resource::Nofile, resources.open_files),
            (Resource::Cpu, resources.cpu_seconds),
            (Resource::Fsize, resources.file_bytes),
            (Resource::Core, 0),
        ];
        for (resource, most) in limits {
            match prlimit(self.group, resource, Rlimit { current: Some(most), maximum: Some(most) }) {
                // It is gone already; its end says more.
                Err(rustix::io::Errno::SRCH) => {}
                other => other.map(|_| ())?,
            }
        }
        Ok(())
    }

    /// Where it answers.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// How it ended, with its last words; `None` while it runs.
    pub(crate) fn end(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        // What it started does not outlive it.
        self.kill();
        let kept = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let words = shorten(String::from_utf8_lossy(&kept).trim(), REASON_CHARS_MAX);
        Some(if words.is_empty() { status.to_string() } else { format!("{status}; its last words: {words}") })
    }

    fn kill(&mut self) {
        // Once: when the process is reaped, its number may be somebody else's.
        if let Some(group) = self.group.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.log.abort();
    }
}

async fn run(folder: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(folder.join("adapter"));
    command.arg("--socket").arg(folder.join("socket")).env_clear().current_dir(folder).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut attempt = 1;
    loop {
        match command.spawn() {
            Err(error) if error.raw_os_error() == Some(TEXT_FILE_BUSY) && attempt < SPAWN_ATTEMPTS_MAX => {
                attempt += 1;
                platform::sleep_ms(START_POLL_MS).await;
            }
            other => return other,
        }
    }
}

/// Reads the log at a bounded pace and keeps its end: who writes more than is read has to wait.
async fn listen(stderr: Option<ChildStderr>, last_words: Arc<Mutex<Vec<u8>>>) {
    let Some(mut stderr) = stderr else { return };
    let mut buffer = vec![0; LOG_CHUNK_BYTES];
    while let Ok(count) = stderr.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return };
        {
            let mut kept = last_words.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(bytes.get(bytes.len().saturating_sub(LOG_KEPT_BYTES)..).unwrap_or_default());
            let surplus = kept.len().saturating_sub(LOG_KEPT_BYTES);
            kept.drain(..surplus);
        }
        if count == LOG_CHUNK_BYTES {
            platform::sleep_ms(LOG_PAUSE_MS).await;
        }
    }
}
