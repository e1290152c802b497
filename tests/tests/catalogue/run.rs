//! The run: an honest walk, every change of what it was told, and the report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use catenary_devnet::fault::{Lies, Recording};
use futures::StreamExt;

use super::flips::{enumerate, Flip};
use super::table::{judge, Judgement, Row};
use super::walk::{walk, Outcome, Subject};

/// Walks under way at a time: most of one is waiting, for pauses between attempts and for the other end of the wire.
const WALKS: usize = 24;
/// A walk that is not over by then counts as one that never ends. The longest honest one takes a second.
const PATIENCE: Duration = Duration::from_secs(120);
/// Survivors that are printed.
const PRINTED_MAX: usize = 400;

/// Runs the catalogue, prints its sums, and fails on survivors, on rows without use, and on fields that nobody asked for.
pub async fn run<S: Subject>(subject: Arc<S>, rows: &'static [Row]) {
    let (honest, flips) = honest(&*subject, rows).await;
    let honest = Arc::new(honest);
    let judged: Vec<(Flip, Judgement)> = futures::stream::iter(flips.clone())
        .map(|flip| {
            let (subject, honest) = (Arc::clone(&subject), Arc::clone(&honest));
            async move {
                let task = tokio::spawn({
                    let flip = flip.clone();
                    async move { one(&*subject, &honest, &flip, rows).await }
                });
                let judgement = task.await.unwrap_or_else(|panic| Judgement::Survivor(format!("panic: {panic}")));
                (flip, judgement)
            }
        })
        .buffer_unordered(WALKS)
        .collect()
        .await;
    report(&judged, rows);
}

/// An honest walk and its answers; then another one, which must not differ.
async fn honest<S: Subject>(subject: &S, rows: &[Row]) -> (Outcome, Vec<Flip>) {
    let lies = Lies::default();
    lies.record(Recording::On);
    let endpoint = subject.endpoint(lies.clone()).await;
    let first = walk(subject, &endpoint.url()).await;
    assert_eq!(first.refused, None, "the honest walk is refused: {first:#?}");
    let (mut records, left_out) = lies.take_record();
    assert_eq!(left_out, 0);
    let second = walk(subject, &endpoint.url()).await;
    assert_eq!(first, second, "two honest walks differ");
    endpoint.close().await;
    let mut seen = BTreeSet::new();
    records.retain(|record| seen.insert(format!("{} {}", record.method, record.params)));
    // The first row about a field is the one that was written for it.
    let unread = |role: &str, field: &str| {
        rows.iter().find(|row| row.covers(role, field)).is_some_and(|row| row.may.is_empty() && !subject.is_read(field))
    };
    let flips = enumerate(&records, &|method, params| subject.role(method, params), &unread);
    (first, flips)
}

async fn one<S: Subject>(subject: &S, honest: &Outcome, flip: &Flip, rows: &[Row]) -> Judgement {
    let endpoint = subject.endpoint(Lies::of(flip.lie())).await;
    let walked = tokio::time::timeout(PATIENCE, walk(subject, &endpoint.url())).await;
    let told = endpoint.lies().told();
    endpoint.close().await;
    match walked {
        Err(_) => Judgement::Survivor("the walk does not end".to_owned()),
        Ok(_) if told == 0 => Judgement::Survivor("the lie was never told".to_owned()),
        Ok(outcome) => judge(honest, &outcome, flip, rows),
    }
}

fn report(judged: &[(Flip, Judgement)], rows: &[Row]) {
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    let mut explained: BTreeMap<usize, usize> = BTreeMap::new();
    let mut survivors = Vec::new();
    let fields: BTreeSet<(&str, &str)> = judged.iter().map(|(flip, _)| (&*flip.role, &*flip.field)).collect();
    for (flip, judgement) in judged {
        match judgement {
            Judgement::Refused(code) => *refused.entry(code).or_default() += 1,
            Judgement::Explained(row) => *explained.entry(*row).or_default() += 1,
            Judgement::Survivor(why) => survivors.push(format!("{flip}: {why}")),
        }
    }
    let sum: usize = refused.values().sum();
    eprintln!("{} changes of {} fields: {sum} refused, by code:", judged.len(), fields.len());
    for (code, count) in &refused {
        eprintln!("  {count:>5} {code}");
    }
    eprintln!("{} explained, by row:", explained.values().sum::<usize>());
    for (row, count) in &explained {
        eprintln!("  {count:>5} {} {}: {}", rows[*row].role, rows[*row].field, rows[*row].reason);
    }
    let unused: Vec<&Row> = (0..rows.len()).filter(|row| !explained.contains_key(row)).map(|row| &rows[row]).collect();
    survivors.sort();
    for survivor in survivors.iter().take(PRINTED_MAX) {
        eprintln!("SURVIVOR {survivor}");
    }
    assert!(survivors.is_empty(), "{} changes are neither refused nor explained, see above", survivors.len());
    assert!(unused.is_empty(), "rows that explain nothing: {unused:#?}");
}
