//! What all parts of a world share: the chains, who is alive, the trace, and what was found to be wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use catenary_light_clients::Hash32;
use catenary_node::attestor::wire::attestation_service_server::AttestationService;
use catenary_node::journal::{Reader, SegmentFile, MARKER_FILE, SEGMENTS_DIR};
use catenary_node::platform::simulation::{self, Commit};
use catenary_node::store::Ledger;

use super::chain::{Chain, START_SECONDS};
use super::check::Fates;
use super::plan::{BadDisk, Plan, Where, OPERATORS};
use super::rng::Rng;

/// Lines of the trace that are kept for a person to read.
const LINES_KEPT: usize = 400;

/// What a process that dies in the middle of a commit unwinds with.
pub(crate) struct Killed;

/// One operator, over all of its lives.
pub(crate) struct Member {
    pub(crate) index: usize,
    pub(crate) dir: PathBuf,
    /// Number of its present life, from 1; 0 before the first.
    pub(crate) life: AtomicU64,
    pub(crate) alive: AtomicBool,
    /// Commits of its journal that were begun.
    pub(crate) commits: AtomicU64,
    pub(crate) state: Mutex<MemberState>,
}

/// What changes about an operator.
#[derive(Default)]
pub(crate) struct MemberState {
    /// Its ledger, as long as a task of its life is left.
    pub(crate) ledger: Weak<Ledger>,
    /// Its attestation services by chain, while it lives.
    pub(crate) services: [Option<Arc<dyn AttestationService>>; 2],
    /// Length of its journal after the last commit that it was told is durable.
    durable_bytes: u64,
    /// Length to which its journal is torn by the last death.
    pub(crate) torn_bytes: Option<u64>,
    /// Journal and store are gone.
    pub(crate) is_lost: bool,
    /// Transactions that it has broadcast before: to do so again is no new decision.
    pub(crate) broadcast: BTreeSet<Hash32>,
    /// What its keys have signed, by chain, key and nonce, over all lives.
    pub(crate) signed: BTreeMap<(String, String, u64), Signed>,
    /// Transactions that its endpoints have taken, by chain and endpoint: whoever has one does not refuse it.
    pub(crate) taken: BTreeSet<(usize, usize, Hash32)>,
}

/// What was signed for one nonce.
#[derive(Default)]
pub(crate) struct Signed {
    pub(crate) digests: BTreeSet<Hash32>,
    /// How many of them as replacements of those before.
    pub(crate) replacements: usize,
    /// What the transactions do that were broadcast.
    pub(crate) effects: BTreeSet<Hash32>,
}

#[derive(Default)]
struct Trace {
    keeps_all: bool,
    digest: Option<Hash32>,
    lines: VecDeque<String>,
    count: u64,
}

/// A world.
pub(crate) struct World {
    pub(crate) plan: Plan,
    chains: [Mutex<Chain>; 2],
    pub(crate) members: Vec<Member>,
    pub(crate) faults: AtomicBool,
    /// How often a packet began to wait for an on-chain client.
    pub(crate) waits: AtomicU64,
    trace: Mutex<Trace>,
    violations: Mutex<Vec<String>>,
    /// How often what has happened.
    happened: Mutex<BTreeMap<&'static str, u64>>,
    /// What was last read of the chains, and how often they had changed by then.
    pub(crate) known_fates: Mutex<Option<([u64; 2], Arc<Fates>)>>,
    _dir: tempfile::TempDir,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A world on a disk in memory, if the machine has one.
    pub(crate) fn new(plan: Plan, chains: [Chain; 2]) -> Arc<Self> {
        let memory = Path::new("/dev/shm");
        let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let dir = made.expect("a temporary directory");
        let member = |index: usize| Member {
            index,
            dir: dir.path().join(format!("member-{index}")),
            life: AtomicU64::new(0),
            alive: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            state: Mutex::default(),
        };
        let members = (0..OPERATORS).map(member).collect();
        Arc::new(Self {
            plan,
            chains: chains.map(Mutex::new),
            members,
            faults: AtomicBool::new(true),
            waits: AtomicU64::new(0),
            trace: Mutex::new(Trace { keeps_all: std::env::var_os("CATENARY_TRACE").is_some(), ..Trace::default() }),
            violations: Mutex::default(),
            happened: Mutex::default(),
            known_fates: Mutex::default(),
            _dir: dir,
        })
    }

    pub(crate) fn chain(&self, index: usize) -> MutexGuard<'_, Chain> {
        lock(&self.chains[index])
    }

    /// The true time, which chains have and members' clocks may not.
    pub(crate) fn now_seconds() -> u64 {
        START_SECONDS + simulation::elapsed_ms() / 1_000
    }

    pub(crate) fn is_faulty(&self) -> bool {
        self.faults.load(Ordering::Relaxed)
    }

    /// Whether a member still lives the life that it did.
    pub(crate) fn is_alive(&self, member: usize, life: u64) -> bool {
        let member = &self.members[member];
        member.alive.load(Ordering::Relaxed) && member.life.load(Ordering::Relaxed) == life
    }

    /// The ledger of a member's present life.
    pub(crate) fn ledger(&self, member: usize) -> Option<Arc<Ledger>> {
        lock(&self.members[member].state).ledger.upgrade()
    }

    /// Writes down what happened; two runs of one seed write down the same.
    pub(crate) fn note(&self, what: impl AsRef<str>) {
        let mut trace = lock(&self.trace);
        let line = format!("{:>7} {}", simulation::elapsed_ms(), what.as_ref());
        let before = trace.digest.unwrap_or(Hash32([0; 32]));
        trace.digest = Some(Hash32::sha256(&[before.as_bytes(), line.as_bytes()]));
        trace.count += 1;
        trace.lines.push_back(line);
        if trace.lines.len() > LINES_KEPT && !trace.keeps_all {
            trace.lines.pop_front();
        }
    }

    /// Counts what the plan made happen, so that a fault that never happens is seen.
    pub(crate) fn happened(&self, what: &'static str) {
        *lock(&self.happened).entry(what).or_default() += 1;
    }

    /// What has happened, and how often.
    pub(crate) fn all_that_happened(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.happened).clone()
    }

    /// Whether a member's disk takes no writes now, or flushes nothing.
    pub(crate) fn is_disk_bad(&self, member: usize, flush_fails: bool) -> bool {
        let now_ms = simulation::elapsed_ms();
        let is_bad = |disk: &BadDisk| {
            disk.operator == member && disk.flush_fails == flush_fails && (disk.from_ms..disk.to_ms).contains(&now_ms)
        };
        self.is_faulty() && self.plan.disks.iter().any(is_bad)
    }

    /// The digest of all that was written down, and how much that was.
    pub(crate) fn digest(&self) -> (Hash32, u64) {
        let trace = lock(&self.trace);
        (trace.digest.unwrap_or(Hash32([0; 32])), trace.count)
    }

    /// The last lines of the trace.
    pub(crate) fn tail(&self) -> Vec<String> {
        lock(&self.trace).lines.iter().cloned().collect()
    }

    /// Something that must never be was seen.
    pub(crate) fn violated(&self, invariant: &str, what: impl AsRef<str>) {
        let line = format!("{invariant}: {}", what.as_ref());
        self.note(format!("VIOLATED {line}"));
        lock(&self.violations).push(line);
    }

    /// What was found to be wrong.
    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    /// A commit of a member's journal has come so far; a member that is to die there does.
    pub(crate) fn at_commit(&self, path: &Path, at: Commit) {
        let Some(member) = self.members.iter().find(|member| path.starts_with(&member.dir)) else { return };
        if !member.alive.load(Ordering::Relaxed) {
            // What is left of a dead process writes nothing.
            std::panic::resume_unwind(Box::new(Killed));
        }
        let length = std::fs::metadata(path).map_or(0, |file| file.len());
        let commit = match at {
            Commit::Before => member.commits.fetch_add(1, Ordering::Relaxed) + 1,
            Commit::After => member.commits.load(Ordering::Relaxed),
        };
        let done = lock(&member.state).durable_bytes;
        // Before the first one there is the header, which is durable as well.
        if at == Commit::After || done == 0 {
            lock(&member.state).durable_bytes = length;
        }
        let dies = |place: Where| match place {
            Where::Before => at == Commit::Before,
            Where::After | Where::Torn | Where::Lost => at == Commit::After,
        };
        let crash = self.plan.crashes.iter().find(|crash| {
            crash.operator == member.index && crash.commit == commit && dies(crash.at) && self.is_faulty()
        });
        let Some(crash) = crash else { return };
        if crash.at == Where::Torn {
            let mut state = lock(&member.state);
            state.torn_bytes = Some(done + length.saturating_sub(done) / 2);
            state.durable_bytes = done;
        }
        lock(&member.state).is_lost = crash.at == Where::Lost;
        self.happened(match crash.at {
            Where::Before => "death Before",
            Where::After => "death After",
            Where::Torn => "death Torn",
            Where::Lost => "death Lost",
        });
        self.note(format!("member {} dies {:?} commit {commit}", member.index, crash.at));
        member.alive.store(false, Ordering::Relaxed);
        std::panic::resume_unwind(Box::new(Killed));
    }

    /// Leaves on a dead member's disk what was flushed, and of a torn commit a part.
    pub(crate) fn lose_unflushed(&self, member: usize) {
        let member = &self.members[member];
        if std::mem::take(&mut lock(&member.state).is_lost) {
            lock(&member.state).durable_bytes = 0;
            std::fs::remove_dir_all(member.dir.join(SEGMENTS_DIR)).expect("there were segments");
            return std::fs::remove_file(member.dir.join(MARKER_FILE)).expect("there was a marker");
        }
        let Ok(reader) = Reader::open(&member.dir) else { return };
        let Some(SegmentFile { path, header_bytes, .. }) = reader.segments().last().cloned() else { return };
        let Ok(file) = std::fs::OpenOptions::new().write(true).open(&path) else { return };
        let length = file.metadata().map_or(0, |file| file.len());
        let flushed = simulation::flushed(&path).unwrap_or(header_bytes).min(length);
        let done = lock(&member.state).durable_bytes;
        if flushed < done {
            let what = format!("member {}: {flushed} bytes are left of {done} that were durable", member.index);
            self.violated("lost commit", what);
        }
        let torn = lock(&member.state).torn_bytes.take();
        // What was not flushed may have come to the disk all the same.
        let life = member.life.load(Ordering::Relaxed);
        if torn.is_none() && Rng::of(self.plan.seed, &format!("unflushed {} {life}", member.index)).chance(300) {
            return;
        }
        let kept = torn.unwrap_or(flushed).min(flushed);
        if kept < length {
            file.set_len(kept).expect("a file in memory can be cut");
        }
    }
}
