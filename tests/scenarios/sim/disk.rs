//! A member's disk: full for a while, or failing to flush, as the plan says.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use catenary_node::journal::Disk;
use catenary_node::platform::{self, simulation};

use super::rng::Rng;
use super::world::{lock, World};

/// Failures at one moment after which somebody has made a little room: whoever waits for the disk waits on the only
/// thread there is, so no time would ever pass.
const PATIENCE: u32 = 3;

/// The disk of one life of a member.
pub(crate) struct SimDisk {
    world: Arc<World>,
    member: usize,
    rng: Mutex<Rng>,
    /// When it failed last, and how often by then.
    failed: Mutex<(u64, u32)>,
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimDisk({})", self.member)
    }
}

impl SimDisk {
    pub(crate) fn new(world: Arc<World>, member: usize, life: u64) -> Arc<Self> {
        let rng = Mutex::new(Rng::of(world.plan.seed, &format!("disk {member} {life}")));
        Arc::new(Self { world, member, rng, failed: Mutex::default() })
    }

    /// Whether a write, or else a flush, fails now.
    fn fails(&self, is_flush: bool) -> bool {
        if !self.world.is_disk_bad(self.member, is_flush) {
            return false;
        }
        let now_ms = simulation::elapsed_ms();
        let mut failed = lock(&self.failed);
        *failed = if failed.0 == now_ms { (now_ms, failed.1 + 1) } else { (now_ms, 1) };
        let fails = failed.1 <= PATIENCE;
        if fails {
            let what = if is_flush { "does not flush" } else { "is full" };
            self.world.happened("disk fails");
            self.world.note(format!("the disk of member {} {what}", self.member));
        }
        fails
    }
}

impl Disk for SimDisk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if !self.fails(false) {
            return file.write_all(bytes);
        }
        let room = lock(&self.rng).below(bytes.len());
        file.write_all(&bytes[..room])?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        if self.fails(true) {
            return Err(io::Error::other("the disk went away"));
        }
        platform::sync_data(file, path)
    }
}
