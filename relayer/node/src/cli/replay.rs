//! `catenary replay DIR`: an incident's journal, read offline: what was decided of each packet, and what does not fit.

use std::path::Path;

use catenary_core::replay::{Line, Replay, Report};

use super::output::{Failure, Output};
use crate::journal::{JournalError, Reader};

/// Carries a journal's error out of a replay.
struct Carried(JournalError);

impl From<JournalError> for Carried {
    fn from(error: JournalError) -> Self {
        Self(error)
    }
}

/// Reads the journal of a data directory, or of a copy of one, and prints its decisions; of one packet when it is named.
/// Nothing is written, and a torn end is not cut.
pub(super) fn replay(data_dir: &Path, packet: Option<&str>, output: Output) -> Result<(), Failure> {
    let failed = |error: &JournalError| Failure::new(error.code(), error.to_string());
    let reader = Reader::open(data_dir).map_err(|error| failed(&error))?;
    let mut replay = Replay::default();
    let done = reader.replay(&reader.start(), |_, records| -> Result<(), Carried> {
        records.iter().for_each(|record| replay.take(record));
        Ok(())
    });
    done.map_err(|Carried(error)| failed(&error))?;
    let mut report = replay.finish();
    if let Some(packet) = packet {
        report.packets.retain(|key, _| key == packet);
    }
    let pruned = match reader.start().records {
        0 => String::new(),
        before => format!("\n{before} earlier records were pruned; transactions from there are not known"),
    };
    output.result(&report, &format!("{}{pruned}", text(&report)));
    Ok(())
}

fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    let mut section = |title: &str, section: &[Line]| {
        if !section.is_empty() {
            lines.push(title.to_owned());
        }
        lines.extend(section.iter().map(|line| format!("  #{} at {} s: {}", line.record, line.at_seconds, line.what)));
    };
    section("starts", &report.starts);
    report.packets.iter().for_each(|(key, decisions)| section(&format!("packet {key}"), decisions));
    section("acts", &report.acts);
    section("contradictions", &report.contradictions);
    let (records, contradictions) = (report.records, report.contradictions.len());
    lines.push(format!("{records} records, {} packets, {contradictions} contradictions", report.packets.len()));
    lines.join("\n")
}
