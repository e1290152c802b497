//! What may be named where: the clock, sleep and randomness in one file, sled in one file.

use super::sources::{shipped, Seen, Shipped};
use super::{Source, Violation};

/// The only file that reads the clock, sleeps and draws randomness.
const PLATFORM: &str = "relayer/node/src/platform.rs";
/// The same for the devnets: chains have a clock of their own, and they know nothing of the node.
const DEVNET_PLATFORM: &str = "adapters/devnet/src/platform.rs";
/// The same for adapters in their own process, which are started again after a wait.
const PROCESS_PLATFORM: &str = "adapters/process/src/platform.rs";
/// The only file that names sled.
const SLED: &str = "relayer/node/src/store/sled.rs";

/// Names that reach the clock, make a thread or task wait, or draw randomness.
const WORLD: [&str; 12] = [
    "SystemTime::now",
    "Instant::now",
    "thread::sleep",
    "time::sleep",
    "time::sleep_until",
    "time::interval",
    "time::timeout",
    "OsRng",
    "thread_rng",
    "rand::random",
    "getrandom::fill",
    "getrandom::getrandom",
];

/// Uses of the clock, of sleep or of randomness outside of the one platform file.
#[must_use]
pub fn world(sources: &[Source]) -> Vec<Violation> {
    let named = |path: &str| WORLD.into_iter().find(|w| path == *w || path.ends_with(&format!("::{w}")));
    let inside = |text: &str| WORLD.into_iter().find(|w| text.contains(w));
    let advice = format!("time, sleep and randomness come from {PLATFORM}, as arguments");
    let last = WORLD.map(|w| w.rsplit("::").next().unwrap_or(w));
    look(&without(sources, &[PLATFORM, DEVNET_PLATFORM, PROCESS_PLATFORM]), &last, &advice, (&named, &inside))
}

/// Uses of sled outside of the one store file.
#[must_use]
pub fn sled(sources: &[Source]) -> Vec<Violation> {
    let named = |path: &str| (path == "sled" || path.starts_with("sled::")).then_some("sled");
    let inside = |text: &str| text.contains("sled::").then_some("sled");
    let advice = format!("sled is named only in {SLED}");
    // Beside that file, `sled` is the module and no longer the library.
    let parent = SLED.rsplit_once('/').map_or("", |(folder, _)| folder);
    let elsewhere = |v: &Violation| !v.starts_with(&format!("{parent}/mod.rs:"));
    look(&without(sources, &[SLED]), &["sled"], &advice, (&named, &inside)).into_iter().filter(elsewhere).collect()
}

type Finder<'a> = &'a dyn Fn(&str) -> Option<&'static str>;

/// The shipped sources but the files that may.
fn without<'a>(sources: &'a [Source], homes: &[&str]) -> Vec<&'a Source> {
    shipped(sources).into_iter().filter(|s| !homes.contains(&s.path.as_str())).collect()
}

fn look(
    sources: &[&Source],
    words: &[&str],
    advice: &str,
    (named, inside): (Finder<'_>, Finder<'_>),
) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        // Most files need no parsing: they hold none of the words.
        if !words.iter().any(|w| source.text.contains(w)) {
            continue;
        }
        Shipped::visit(source.syntax(), |seen| {
            let (hit, span) = match seen {
                Seen::Path(path, span) => (named(&path), span),
                Seen::Macro(text, span) => (inside(&text), span),
            };
            if let Some(word) = hit {
                found.push(format!("{}:{}: {word}: {advice}", source.path, span.start().line));
            }
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::catches;

    #[test]
    fn the_world_is_caught_outside_of_the_platform() {
        let file = "relayer/core/src/a.rs";
        catches(
            world,
            &[
                (PLATFORM, "fn f() { std::time::Instant::now(); }"),
                (DEVNET_PLATFORM, "fn f() { std::time::SystemTime::now(); }"),
                ("tests/src/a.rs", "fn f() { std::thread::sleep(d); }"),
                (file, "#[cfg(test)] mod tests { fn f() { Instant::now(); } }"),
                (file, "fn f(now: Instant) { g(now); }"),
            ],
            &[
                (file, "fn f() { std::time::SystemTime::now(); }", "SystemTime::now"),
                (file, "fn f() { let n = Instant::now; }", "Instant::now"),
                (file, "use std::thread::sleep;", "thread::sleep"),
                (file, "async fn f() { tokio::time::sleep(d).await; }", "time::sleep"),
                (file, "async fn f() { tokio::select! { _ = tokio::time::sleep(d) => {} } }", "time::sleep"),
                (file, "use rand::rngs::OsRng;", "OsRng"),
                (file, "fn f() { getrandom::fill(&mut b); }", "getrandom"),
            ],
        );
    }

    #[test]
    fn sled_is_caught_outside_of_its_file() {
        let file = "relayer/node/src/relay/mod.rs";
        let parent = "relayer/node/src/store/mod.rs";
        catches(
            sled,
            &[
                (SLED, "use sled::Db;"),
                (parent, "mod sled;\npub use sled::Store;"),
                (file, "//! Not sled::Db."),
                (file, "use crate::store::sled::Store;"),
            ],
            &[
                (file, "use sled::Db;", "sled"),
                (file, "fn f() -> sled::Result<()> { g() }", "sled"),
                (file, "use sled;", "sled"),
            ],
        );
    }
}
