//! Where the demo keeps what it makes, and the loopback ports of its operators.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::output::Failure;
use crate::platform;

/// First and last port that is tried. The range lies below the ports that systems hand out for outgoing connections,
/// so that an operator who was stopped finds its own ports free again.
const PORTS: (u16, u16) = (20_000, 31_999);

/// The folder; a temporary one goes with this value.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Folder {
    /// The named folder, which must be empty or new, or a temporary one.
    pub(super) fn make(named: Option<&Path>) -> Result<Self, Failure> {
        let Some(named) = named else {
            let made = tempfile::Builder::new().prefix("catenary-demo-").tempdir();
            let temporary = made.map_err(|error| unusable(&std::env::temp_dir(), &error))?;
            return Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) });
        };
        let path = std::path::absolute(named).map_err(|error| unusable(named, &error))?;
        fs::create_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        if fs::read_dir(&path).map_err(|error| unusable(&path, &error))?.next().is_some() {
            // The networks of an earlier demo are gone, so its journals could only mislead.
            let message = format!("{} is not empty; name a new folder, or empty it", path.display());
            return Err(Failure::new("NODE-DEMO-001", message));
        }
        Ok(Self { path, temporary: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays when the demo has ended.
    pub(super) const fn stays(&self) -> bool {
        self.temporary.is_none()
    }

    /// Makes a folder in it.
    pub(super) fn make_dir(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        Ok(path)
    }

    /// Keeps the folder, also a temporary one, and gives its path.
    pub(super) fn keep(self) -> PathBuf {
        match self.temporary {
            Some(temporary) => temporary.keep(),
            None => self.path,
        }
    }

    /// Removes a temporary folder; one that cannot be removed is left behind, which the system forgives.
    pub(super) fn remove(self) {
        if let Some(temporary) = self.temporary {
            let _ = temporary.close();
        }
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new("NODE-DEMO-002", format!("{} cannot be used: {error}; choose another --data-dir", path.display()))
}

/// Writes a file that only its owner may read.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| unusable(path, &error))
}

/// Opens a log to write to.
pub(super) fn open_log(path: &Path) -> Result<fs::File, Failure> {
    OpenOptions::new().append(true).create(true).open(path).map_err(|error| unusable(path, &error))
}

/// Free loopback ports, which nobody else can take while this value lives.
#[derive(Debug)]
pub(super) struct Ports {
    held: Vec<TcpListener>,
    pub(super) numbers: Vec<u16>,
}

impl Ports {
    /// Takes that many free ports.
    pub(super) fn take(count: usize) -> Result<Self, Failure> {
        let mut random = [0; 2];
        // Without randomness the search begins at the first port, which only takes longer beside other demos.
        let _ = platform::random(&mut random);
        let size = PORTS.1 - PORTS.0 + 1;
        let start = u16::from_le_bytes(random) % size;
        let mut taken = Self { held: Vec::new(), numbers: Vec::new() };
        for step in 0..size {
            if taken.numbers.len() == count {
                return Ok(taken);
            }
            let offset = (u32::from(start) + u32::from(step)) % u32::from(size);
            let port = PORTS.0 + u16::try_from(offset).unwrap_or_default();
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                taken.held.push(listener);
                taken.numbers.push(port);
            }
        }
        let message = format!("fewer than {count} ports from {} to {} are free on 127.0.0.1", PORTS.0, PORTS.1);
        Err(Failure::new("NODE-DEMO-003", message))
    }

    /// Lets go of the ports, right before their owners open them.
    pub(super) fn release(&mut self) {
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_temporary_folder_goes_and_a_named_one_stays() {
        let folder = Folder::make(None).unwrap();
        let path = folder.path().to_owned();
        fs::write(folder.make_dir("a").unwrap().join("b"), "c").unwrap();
        assert!(!folder.stays());
        folder.remove();
        assert!(!path.exists());

        let parent = tempfile::tempdir().unwrap();
        let named = parent.path().join("new").join("demo");
        let folder = Folder::make(Some(&named)).unwrap();
        fs::write(folder.path().join("b"), "c").unwrap();
        assert!(folder.stays());
        folder.remove();
        assert!(named.join("b").exists());
        assert_eq!(Folder::make(Some(&named)).unwrap_err().code(), "NODE-DEMO-001");
        assert_eq!(Folder::make(Some(&named.join("b"))).unwrap_err().code(), "NODE-DEMO-002");
    }

    #[test]
    fn ports_are_distinct_and_held_until_released() {
        let (mut first, second) = (Ports::take(6).unwrap(), Ports::take(6).unwrap());
        let mut all: Vec<u16> = first.numbers.iter().chain(&second.numbers).copied().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 12);
        let port = first.numbers[0];
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err());
        first.release();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    }
}
