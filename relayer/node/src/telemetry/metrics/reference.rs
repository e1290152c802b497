//! The reference page of metrics, generated from the table.

use std::fmt::Write;

use super::table::TABLE;

/// `relayer/docs/METRICS.md`.
#[must_use]
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Generated from the table in `relayer/node/src/telemetry/metrics/table.rs`; a test compares the two\n\
         (`UPDATE=1 cargo test -p catenary metrics` writes it again). All configured series exist from the start.\n\
         Label values are names from the config, stable error codes, or the fixed words of `metrics/labels.rs`.\n\n\
         | name | type | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    for family in TABLE {
        let labels = family.labels.join(", ");
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| `{}` | {} | {labels} | {} |", family.name, family.kind, family.help);
    }
    page.push_str("\nBuckets of histograms:\n\n");
    for family in TABLE.iter().filter(|family| !family.buckets.is_empty()) {
        let buckets: Vec<String> = family.buckets.iter().map(ToString::to_string).collect();
        let _ = writeln!(page, "- `{}`: {}", family.name, buckets.join(", "));
    }
    page
}
