//! What a person sees while the demo runs: a line a step, with what happens at the moment below on a terminal, plain
//! lines otherwise, and nothing where one JSON document is asked for.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the spinner turns, in milliseconds.
const TICK_MS: u64 = 100;

/// Where steps are shown.
#[derive(Debug)]
pub(super) struct Show {
    quiet: bool,
    colours: bool,
    bar: Option<ProgressBar>,
}

impl Show {
    /// For people, unless `quiet`.
    pub(super) fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none();
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::new_spinner();
            // The template is ours; the default stands in should the library ever refuse it.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(TICK_MS));
            bar
        });
        Self { quiet, colours, bar }
    }

    /// Text between steps.
    pub(super) fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        // A closed pipe is the reader's wish.
        let print = || {
            let _ = writeln!(std::io::stdout().lock(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// What happens at the moment.
    pub(super) fn now(&self, text: impl Into<std::borrow::Cow<'static, str>>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text);
        }
    }

    /// A step has ended.
    pub(super) fn ended(&self, ok: bool, text: &str, seconds: f64) {
        self.say(&line(ok, text, seconds, self.colours));
    }

    /// Takes the spinner away.
    pub(super) fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A step's line: tick, seconds, text.
fn line(ok: bool, text: &str, seconds: f64, colours: bool) -> String {
    let (tick, colour) = if ok { ("✓", "32") } else { ("✗", "31") };
    let tick = if colours { format!("\u{1b}[{colour}m{tick}\u{1b}[0m") } else { tick.to_owned() };
    format!("{tick} {seconds:>5.1} s  {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_tick_seconds_in_a_column_and_the_text() {
        assert_eq!(line(true, "done", 1.26, false), "✓   1.3 s  done");
        assert_eq!(line(false, "not", 12.0, false), "✗  12.0 s  not");
        assert_eq!(line(true, "done", 0.0, true), "\u{1b}[32m✓\u{1b}[0m   0.0 s  done");
        assert_eq!(line(false, "not", 0.0, true), "\u{1b}[31m✗\u{1b}[0m   0.0 s  not");
    }
}
