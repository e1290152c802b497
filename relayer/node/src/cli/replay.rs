//! `catenary replay FROM`: an incident's journal, read offline: what was decided of each packet, and what does not fit.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use catenary_core::replay::{Line, Replay, Report};

use super::output::{Failure, Output};
use crate::journal::{JournalError, Reader};
use crate::store;

/// Carries a journal's error out of a replay.
struct Carried(JournalError);

impl From<JournalError> for Carried {
    fn from(error: JournalError) -> Self {
        Self(error)
    }
}

/// Reads the journal of a data directory or of a copy of one, one segment of a journal, or an exported journal, and prints
/// its decisions; of one packet when it is named. Nothing is written, and a torn end is not cut.
pub(super) fn replay(from: &Path, packet: Option<&str>, output: Output) -> Result<(), Failure> {
    let failed = |error: &JournalError| Failure::new(error.code(), error.to_string());
    let replay = if from.is_dir() {
        records(&Reader::open(from).map_err(|error| failed(&error))?)
    } else if Reader::is_segment(from).map_err(|error| failed(&error))? {
        records(&Reader::open_segment(from).map_err(|error| failed(&error))?)
    } else {
        return exported(from, packet, output);
    };
    let report = replay.map_err(|Carried(error)| failed(&error))?.finish();
    print(report, packet, output);
    Ok(())
}

fn records(reader: &Reader) -> Result<Replay, Carried> {
    let mut replay = Replay::after(reader.start().records);
    reader.replay(&reader.start(), |_, records| -> Result<(), Carried> {
        records.iter().for_each(|record| replay.take(record));
        Ok(())
    })?;
    Ok(replay)
}

fn exported(file: &Path, packet: Option<&str>, output: Output) -> Result<(), Failure> {
    let unreadable = |source| store::ExportError::Io { action: "read", source };
    let mut input = BufReader::new(File::open(file).map_err(unreadable)?);
    let mut replay = Replay::default();
    store::read_export(&mut input, |records| records.iter().for_each(|record| replay.take(record)))?;
    print(replay.finish(), packet, output);
    Ok(())
}

fn print(mut report: Report, packet: Option<&str>, output: Output) {
    if let Some(packet) = packet {
        report.packets.retain(|key, _| key == packet);
    }
    let earlier = match report.earlier_records {
        0 => String::new(),
        before => format!("\n{before} earlier records are not here; what was sent before these is not known"),
    };
    output.result(&report, &format!("{}{earlier}", text(&report)));
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
