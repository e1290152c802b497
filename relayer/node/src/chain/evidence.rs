//! Evidence of misbehaviour that a light client has seen, kept on disk for people and for on-chain clients.
//!
//! A file holds the header that contradicts what is trusted, as an endpoint gave it. Its other half is the trusted
//! header, whose hash is written beside it and which any honest endpoint of the chain shows. A light client that has
//! seen a contradiction is frozen until a person sets a new anchor, so there is one file a freeze. The journal holds the
//! same, so a file that is lost is written again at the next start.
//!
//! # What an attacker can grow
//! At most [`FILES_MAX`] files, each of one bounded update. When they are there, what comes later is not kept: a person
//! has had a look after each.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use catenary_core::record::MisbehaviourSeen;
use catenary_light_clients::Hash32;
use serde::{Deserialize, Serialize};

/// Folder in the data directory.
pub const FOLDER: &str = "evidence";
/// Most files: one a freeze, and a freeze needs a person to end it.
pub const FILES_MAX: usize = 64;
/// Most bytes of a file that is read: an update in hex, and a little.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Chain's name in the configuration.
    pub chain: String,
    /// Height at which the two headers differ.
    pub height: u64,
    /// Hash of the trusted header.
    pub trusted: String,
    /// Hash of the other one.
    pub other: String,
    /// Code of the kind of misbehaviour.
    pub code: String,
    /// When it was seen, in Unix seconds.
    pub at_seconds: u64,
    /// The other header's update, in hex.
    pub update_hex: String,
}

impl Evidence {
    /// What the journal holds of it.
    #[must_use]
    pub fn journaled(seen: &MisbehaviourSeen) -> Self {
        Self {
            chain: seen.chain.clone(),
            height: seen.height,
            trusted: seen.trusted.to_string(),
            other: seen.other.to_string(),
            code: seen.code.clone(),
            at_seconds: seen.at_seconds,
            update_hex: hex::encode(&seen.update),
        }
    }

    /// Bytes of the other header's update; empty when the file was tampered with.
    #[must_use]
    pub fn update(&self) -> Vec<u8> {
        hex::decode(&self.update_hex).unwrap_or_default()
    }

    /// Whether a header has the hash of the trusted one.
    #[must_use]
    pub fn is_trusted(&self, hash: Hash32) -> bool {
        self.trusted == hash.to_string()
    }

    fn stem(&self) -> String {
        let hash: String = self.other.trim_start_matches("0x").chars().take(16).collect();
        format!("{}-{}-{hash}", self.chain, self.height)
    }

    fn file_name(&self) -> String {
        format!("{}.json", self.stem())
    }

    fn shown_name(&self, chain: &str, client: &str) -> String {
        format!("{}.{chain}.{client}.shown", self.stem())
    }

    /// Whether this node has shown it to an on-chain client: once it has, never again. A client that is active afterwards
    /// has been recovered by people, and to show it again would freeze it once more.
    #[must_use]
    pub fn was_shown(&self, folder: &Path, (chain, client): (&str, &str)) -> bool {
        folder.join(self.shown_name(chain, client)).exists()
    }

    /// Remembers, durably, that an on-chain client was shown it.
    ///
    /// # Errors
    /// The disk failed.
    pub fn note_shown(&self, folder: &Path, (chain, client): (&str, &str)) -> io::Result<()> {
        fs::File::create(folder.join(self.shown_name(chain, client)))?.sync_all()?;
        fs::File::open(folder)?.sync_all()
    }

    /// Writes it into a folder, durably; a second time it is the same file. Gives the file, `None` when there are too
    /// many.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keep(&self, folder: &Path) -> io::Result<Option<PathBuf>> {
        fs::create_dir_all(folder)?;
        let path = folder.join(self.file_name());
        let is_evidence = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
        let files = fs::read_dir(folder)?.flatten().filter(|entry| is_evidence(&entry.path())).count();
        if !path.exists() && files >= FILES_MAX {
            return Ok(None);
        }
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        let part = folder.join(format!("{}.part", self.file_name()));
        let mut file = fs::File::create(&part)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        fs::File::open(folder)?.sync_all()?;
        Ok(Some(path))
    }
}

/// All that a folder holds, the newest first. A file that does not read is left out: it is for people, and decides
/// nothing.
///
/// # Errors
/// The disk failed; a folder that is not there holds nothing.
pub fn kept(folder: &Path) -> io::Result<Vec<Evidence>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") || found.len() >= 2 * FILES_MAX {
            continue;
        }
        if fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() <= FILE_BYTES_MAX) {
            found.extend(fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Evidence>(&text).ok()));
        }
    }
    found.sort_by_key(|evidence| core::cmp::Reverse((evidence.at_seconds, evidence.height)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn seen(height: u64, at_seconds: u64) -> Evidence {
        Evidence::journaled(&MisbehaviourSeen {
            chain: "east".into(),
            instance: Hash32([9; 32]),
            height,
            trusted: Hash32([1; 32]),
            other: Hash32::sha256(&[&height.to_be_bytes()]),
            code: "LC-CMT-050".into(),
            update: b"header".to_vec(),
            at_seconds,
        })
    }

    #[test]
    fn what_is_kept_is_read_again_and_there_is_an_end_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDER);
        assert_eq!(kept(&folder).unwrap(), [], "no folder yet");
        let (old, new) = (seen(7, 100), seen(5, 200));
        assert!(old.keep(&folder).unwrap().is_some() && new.keep(&folder).unwrap().is_some());
        assert_eq!(old.keep(&folder).unwrap(), Some(folder.join(old.file_name())), "the same one is no other file");
        assert_eq!(kept(&folder).unwrap(), [new.clone(), old.clone()]);
        assert_eq!(old.update(), b"header");
        assert!(old.is_trusted(Hash32([1; 32])) && !old.is_trusted(Hash32([2; 32])));

        let (client, other) = (("west", "07-tendermint-0"), ("west", "07-tendermint-1"));
        assert!(!old.was_shown(&folder, client));
        old.note_shown(&folder, client).unwrap();
        let shown = [(&old, client), (&old, other), (&new, client)].map(|(seen, to)| seen.was_shown(&folder, to));
        assert_eq!(shown, [true, false, false], "each evidence to each client");
        assert_eq!(kept(&folder).unwrap().len(), 2, "a note is no evidence");

        fs::write(folder.join("note.json"), "not evidence").unwrap();
        fs::write(folder.join("note.txt"), "not evidence").unwrap();
        assert_eq!(kept(&folder).unwrap().len(), 2, "what does not read is left out");
        for height in 100..100 + FILES_MAX as u64 {
            let _ = seen(height, 1).keep(&folder).unwrap();
        }
        assert_eq!(seen(1_000, 1).keep(&folder).unwrap(), None, "full");
        assert!(fs::read_dir(&folder).unwrap().count() <= FILES_MAX + 2, "and the two that are none");
    }
}
