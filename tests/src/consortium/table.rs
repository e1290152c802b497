//! The table of transfers that a person reads at the end of the scenario.

use std::collections::BTreeMap;

use super::trail::{End, Passage, Seen};
use super::{Asset, Consortium, Deliveries, MEMBERS};
use crate::localnet::LocalnetError;

/// The columns.
const HEADER: [&str; 9] = ["DIRECTION", "ASSET", "AMOUNT", "SENT", "RECEIVED", "ENDED", "HOW", "GAS", "ATTESTED BY"];

impl Consortium {
    /// The table of all transfers so far, read from the chains.
    ///
    /// # Errors
    /// When a chain cannot be read.
    pub fn table(&mut self) -> Result<String, LocalnetError> {
        let passages = self.passages()?;
        let deliveries = self.deliveries()?;
        let names = self.attestor_names();
        let first =
            passages.values().filter_map(|p| p.sent.as_ref()).map(|seen| seen.time_ms).min().unwrap_or_default();
        let mut in_order: Vec<&Passage> = passages.values().collect();
        in_order.sort_by_key(|passage| passage.sent.as_ref().map(|seen| seen.time_ms));
        let rows = in_order.into_iter().map(|passage| row(passage, &deliveries, &names, first));
        Ok(render(&rows.collect::<Vec<_>>()))
    }

    /// Members by the addresses that they attest with.
    #[must_use]
    pub fn attestor_names(&self) -> BTreeMap<String, &'static str> {
        let pairs = self.shared.attestors.iter().zip(MEMBERS);
        pairs.flat_map(|(keys, member)| keys.iter().map(move |key| (key.to_lowercase(), member))).collect()
    }
}

fn row(
    passage: &Passage,
    deliveries: &Deliveries,
    names: &BTreeMap<String, &'static str>,
    first_ms: u64,
) -> [String; 9] {
    let sent = passage.sent.as_ref();
    let received = passage.received.first().map(|(seen, _)| seen);
    let ended = passage.ended.first();
    let since = |seen: Option<&Seen>, from: u64| match seen {
        Some(seen) => format!(
            "+{}.{} s",
            seen.time_ms.saturating_sub(from) / 1_000,
            seen.time_ms.saturating_sub(from) % 1_000 / 100
        ),
        None => "-".to_owned(),
    };
    let from = sent.map(|seen| seen.time_ms).unwrap_or_default();
    let txs = received.into_iter().chain(ended.map(|(seen, _)| seen)).map(|seen| seen.tx.to_string());
    let found: Vec<_> = txs.filter_map(|tx| deliveries.of(&tx)).collect();
    // What a packet cost is its share of the transactions that carried it.
    let gas: u64 = found.iter().map(|delivery| delivery.gas_used / delivery.messages.len().max(1) as u64).sum();
    let mut attestors: Vec<&str> = found
        .iter()
        .flat_map(|delivery| delivery.attestors.iter().map(|address| names.get(address).copied().unwrap_or("unknown")))
        .collect();
    attestors.sort_unstable();
    attestors.dedup();
    let (direction, asset) = match passage.asset {
        Asset::Erc20 => ("quorum -> simd", "ERC-20"),
        Asset::Erc20Voucher => ("simd -> quorum", "voucher of the ERC-20, home"),
        Asset::Native => ("simd -> quorum", super::NATIVE),
        Asset::NativeVoucher => ("quorum -> simd", "voucher of atoken, home"),
    };
    let how = match ended.map(|(_, end)| *end) {
        Some(End::Acknowledged) => "acknowledged",
        Some(End::Rejected) => "error ack, refunded",
        Some(End::TimedOut) => "timed out, refunded",
        None => "open",
    };
    [
        direction.to_owned(),
        asset.to_owned(),
        passage.transfer.amount.clone(),
        since(sent, first_ms),
        since(received, from),
        since(ended.map(|(seen, _)| seen), from),
        how.to_owned(),
        gas.to_string(),
        attestors.join(" "),
    ]
}

/// Columns as wide as their widest cell.
#[must_use]
pub fn render(rows: &[[String; 9]]) -> String {
    let header = HEADER.map(str::to_owned);
    let all: Vec<&[String; 9]> = std::iter::once(&header).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    let line = |row: &&[String; 9]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut row = HEADER.map(|_| "x".to_owned());
        row[0] = "quorum -> simd".to_owned();
        let text = render(&[row]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("DIRECTION       ASSET  AMOUNT"), "{}", lines[0]);
        assert!(lines[1].starts_with("quorum -> simd  x      x"), "{}", lines[1]);
    }
}
