//! Node processes that cannot outlive the test.
//!
//! Each node runs in its own process group and, where `setpriv` exists (Linux), with a parent-death signal: the kernel kills it when the test
//! process ends in whatever way. That signal fires when the *thread* that started the node ends, so one thread that lives as long as the
//! process starts them all.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Sender};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use rustix::process::{getrlimit, prlimit, Resource, Rlimit};
use rustix::process::{kill_process, Pid, Signal};

use super::LocalnetError;

/// Lines of a node's log that an error shows.
const TAIL_LINES: usize = 30;
/// How long a node may take to end when asked, in seconds; then it is killed.
const STOP_SECONDS: u64 = 10;

/// How to start one node.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Name in messages.
    pub name: String,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables to set.
    pub env: Vec<(String, String)>,
    /// Where its output goes; a restart appends.
    pub log: PathBuf,
    /// Whether a write beyond [`Node::limit_file_bytes`] fails, instead of ending the process by a signal.
    pub survives_full_disks: bool,
}

/// A node process; killed on drop.
#[derive(Debug)]
pub struct Node {
    spec: Spec,
    child: Mutex<Option<Child>>,
}

impl Node {
    /// Starts the process.
    ///
    /// # Errors
    /// [`LocalnetError::Io`] when the log cannot be opened or the program cannot be run.
    pub fn start(spec: Spec) -> Result<Self, LocalnetError> {
        let node = Self { spec, child: Mutex::new(None) };
        node.restart()?;
        Ok(node)
    }

    /// Starts the process again after [`Node::kill`] or [`Node::stop`]; a running one is killed first.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn restart(&self) -> Result<(), LocalnetError> {
        self.kill();
        let child = spawn(&self.spec)?;
        *self.lock() = Some(child);
        Ok(())
    }

    /// The process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(Child::id)
    }

    /// Fails when the node was started and ended by itself.
    ///
    /// # Errors
    /// [`LocalnetError::NodeDied`] with the end of its log.
    pub fn check(&self) -> Result<(), LocalnetError> {
        let mut guard = self.lock();
        let Some(child) = guard.as_mut() else { return Ok(()) };
        match child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(LocalnetError::NodeDied {
                name: self.spec.name.clone(),
                log: self.spec.log.clone(),
                tail: tail(&self.spec.log),
            }),
        }
    }

    /// Kills the process at once, as a power cut would.
    pub fn kill(&self) {
        if let Some(mut child) = self.lock().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the process to end and waits for it; one that does not end within 10 s is killed.
    pub fn stop(&self) {
        self.terminate();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(STOP_SECONDS) {
            let ended = self.lock().as_mut().is_none_or(|c| !matches!(c.try_wait(), Ok(None)));
            if ended {
                break;
            }
            // A child's end can be waited for, but not with a deadline.
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// Asks the process to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Freezes the process: it keeps its ports and connections and does nothing, as a machine that hangs.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused process go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Lets no file of the process grow beyond so many bytes, as on a full disk; `None` makes room again. A process that is
    /// started with [`Spec::survives_full_disks`] sees its writes fail with `EFBIG`.
    ///
    /// # Errors
    /// [`LocalnetError::Io`] when the system refuses.
    #[cfg(target_os = "linux")]
    pub fn limit_file_bytes(&self, max: Option<u64>) -> Result<(), LocalnetError> {
        let guard = self.lock();
        let gone = || LocalnetError::answer("limiting a process", "it does not run");
        let pid = Pid::from_child(guard.as_ref().ok_or_else(gone)?);
        // Only the soft limit: what is above it stays allowed, so that the limit can be raised again.
        let maximum = getrlimit(Resource::Fsize).maximum;
        let limit = Rlimit { current: max.or(maximum), maximum };
        let io = |error: rustix::io::Errno| LocalnetError::io("limiting a process")(error.into());
        prlimit(Some(pid), Resource::Fsize, limit).map(drop).map_err(io)
    }

    /// The last 30 lines of the log, under the node's name.
    #[must_use]
    pub fn last_words(&self) -> String {
        format!("\nlast lines of {}:\n{}", self.spec.name, tail(&self.spec.log))
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = self.lock().as_ref() {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last 30 lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

type Order = (Command, Sender<std::io::Result<Child>>);

/// Starts a process from the thread that never ends.
fn spawn(spec: &Spec) -> Result<Child, LocalnetError> {
    static STARTER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let log = open_log(&spec.log)?;
    let (reply, answer) = channel();
    let order = (command(spec, log)?, reply);
    let gone = || LocalnetError::answer("starting a process", "the starting thread is gone");
    starter.lock().unwrap_or_else(PoisonError::into_inner).send(order).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?.map_err(LocalnetError::io(format!("starting {}", spec.name)))
}

fn open_log(path: &Path) -> Result<File, LocalnetError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(LocalnetError::io(format!("opening {}", path.display())))
}

fn command(spec: &Spec, log: File) -> Result<Command, LocalnetError> {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(setpriv) = setpriv() {
        words.extend([setpriv.into(), "--pdeathsig".into(), "KILL".into()]);
    }
    if spec.survives_full_disks {
        // A signal that is ignored stays ignored in the program that takes the shell's place.
        words.extend(["/bin/sh".into(), "-c".into(), "trap '' XFSZ; exec \"$0\" \"$@\"".into()]);
    }
    words.push(spec.program.clone().into());
    let mut words = words.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    let copy = log.try_clone().map_err(LocalnetError::io("sharing the log"))?;
    command
        .args(&spec.args)
        .envs(spec.env.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(copy)
        .process_group(0);
    Ok(command)
}

/// Where `setpriv` is, if the system has it.
fn setpriv() -> Option<&'static Path> {
    ["/usr/bin/setpriv", "/bin/setpriv"].map(Path::new).into_iter().find(|p| p.exists())
}

/// Whether a process with that id exists (a zombie counts as gone).
#[must_use]
pub fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|s| s.rsplit(')').next().is_some_and(|s| !s.starts_with(" Z")))
}
