//! What the demo says at its end: one table and where to look next, or one JSON document.

use serde::Serialize;
use serde_json::{Map, Value};

use super::books::Book;
use super::transfers::Row;
use crate::cli::output::table;

/// Version of the JSON document; it grows when a field goes or changes its meaning.
const VERSION: u32 = 1;

/// A step of the demo.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    /// Stable name.
    pub(super) name: &'static str,
    /// Whether it held.
    pub(super) ok: bool,
    pub(super) seconds: f64,
    /// One line for people.
    pub(super) line: String,
    /// What was seen: codes, heights, counts.
    pub(super) facts: Map<String, Value>,
}

/// An operator.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OperatorView {
    pub(super) id: &'static str,
    pub(super) url: String,
    pub(super) config: String,
    pub(super) log: String,
}

/// The whole.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    version: u32,
    /// Whether every step held.
    pub(super) ok: bool,
    pub(super) seed: u64,
    pub(super) seconds: f64,
    pub(super) data_dir: String,
    /// Whether the folder stays when the demo has ended.
    pub(super) data_dir_stays: bool,
    pub(super) steps: Vec<Step>,
    pub(super) transfers: Vec<Row>,
    pub(super) books: Vec<Book>,
    /// RPC addresses of the chains, by name.
    pub(super) chains: Map<String, Value>,
    pub(super) operators: Vec<OperatorView>,
}

impl Report {
    /// A report of steps; the rest is filled in as far as it came.
    pub(super) fn of(seed: u64, steps: Vec<Step>, finished: bool) -> Self {
        let ok = finished && steps.iter().all(|step| step.ok);
        Self {
            version: VERSION,
            ok,
            seed,
            seconds: 0.0,
            data_dir: String::new(),
            data_dir_stays: false,
            steps,
            transfers: Vec::new(),
            books: Vec::new(),
            chains: Map::new(),
            operators: Vec::new(),
        }
    }

    /// The transfers as a table.
    pub(super) fn table(&self) -> String {
        let since = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), |seconds| format!("+{seconds:.1} s"));
        let rows = self.transfers.iter().map(|row| {
            vec![
                format!("{} -> {}", row.from, row.to),
                row.asset.clone(),
                row.amount.to_string(),
                row.uetr.clone(),
                format!("{:.1} s", row.sent_seconds),
                since(row.received_seconds),
                since(row.ended_seconds),
                row.end.map_or("open", super::transfers::End::words).to_owned(),
            ]
        });
        table(&["DIRECTION", "ASSET", "AMOUNT", "UETR", "SENT", "RECEIVED", "ENDED", "HOW"], &rows.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::transfers::{Asset, End};
    use super::*;

    fn row(asset: Asset, received: Option<f64>, ended: Option<f64>, end: Option<End>) -> Row {
        Row {
            packet: "evm/client-0/1".to_owned(),
            uetr: super::super::keys::uetr(1, 1),
            from: "evm",
            to: "cosmos",
            asset: asset.label(),
            amount: 250,
            sent_seconds: 12.34,
            received_seconds: received,
            ended_seconds: ended,
            end,
            kind: asset,
        }
    }

    fn step(ok: bool) -> Step {
        Step { name: "forged_header", ok, seconds: 1.0, line: "refused".to_owned(), facts: Map::new() }
    }

    #[test]
    fn the_table_shows_each_transfer_in_one_line() {
        let mut report = Report::of(1, Vec::new(), true);
        report.transfers = vec![
            row(Asset::Erc20, Some(0.84), Some(1.66), Some(End::Acknowledged)),
            row(Asset::NativeVoucher, None, Some(6.0), Some(End::TimedOut)),
            row(Asset::Native, None, None, None),
        ];
        let table = report.table();
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split("  ").collect()).collect();
        let cells = |line: usize| -> Vec<&str> {
            lines[line].iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect()
        };
        assert_eq!(cells(0), ["DIRECTION", "ASSET", "AMOUNT", "UETR", "SENT", "RECEIVED", "ENDED", "HOW"]);
        let uetr = super::super::keys::uetr(1, 1);
        assert_eq!(cells(1), ["evm -> cosmos", "DEUR", "250", &uetr, "12.3 s", "+0.8 s", "+1.7 s", "arrived"]);
        let late = ["evm -> cosmos", "dusd, home", "250", &uetr, "12.3 s", "-", "+6.0 s", "too late, refunded"];
        assert_eq!(cells(2), late);
        assert_eq!(cells(3), ["evm -> cosmos", "dusd", "250", &uetr, "12.3 s", "-", "-", "open"]);
    }

    #[test]
    fn a_report_is_good_when_the_story_was_told_to_its_end_and_every_step_held() {
        assert!(Report::of(1, vec![step(true), step(true)], true).ok);
        assert!(!Report::of(1, vec![step(true), step(false)], true).ok);
        assert!(!Report::of(1, vec![step(true), step(true)], false).ok);
    }

    #[test]
    fn the_document_has_the_fields_that_tools_read() {
        let mut report = Report::of(9, vec![step(true)], true);
        report.transfers = vec![row(Asset::Erc20, Some(0.5), Some(1.5), Some(End::Rejected))];
        report.books = vec![Book { asset: "DEUR", locked: 3, vouchers: 2, in_flight: 1 }];
        let value = serde_json::to_value(&report).unwrap();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let top = [
            "books",
            "chains",
            "data_dir",
            "data_dir_stays",
            "ok",
            "operators",
            "seconds",
            "seed",
            "steps",
            "transfers",
            "version",
        ];
        let mut got = names(&value);
        got.sort();
        assert_eq!(got, top);
        assert_eq!((&value["version"], &value["seed"], &value["ok"]), (&1.into(), &9.into(), &true.into()));
        assert_eq!(value["transfers"][0]["end"], "rejected");
        let mut fields = names(&value["transfers"][0]);
        fields.sort();
        let expected = [
            "amount",
            "asset",
            "end",
            "ended_seconds",
            "from",
            "packet",
            "received_seconds",
            "sent_seconds",
            "to",
            "uetr",
        ];
        assert_eq!(fields, expected);
        assert_eq!(value["steps"][0]["name"], "forged_header");
        assert_eq!(value["books"][0]["locked"], 3);
    }
}
