//! The house rules as tests.
//!
//! Each rule is a function from sources to violations, with a test of its own that a bad sample is caught; `tests/tests/tidy.rs` runs them
//! all over the repository. A violation says where, what, and what to do.

pub mod arrows;
pub mod codes;
pub mod features;
pub mod lengths;
pub mod licences;
pub mod purity;
pub mod sources;
pub mod vectors;
pub mod words;

pub use sources::{repository, Source};

/// One broken rule: where, what, and what to do.
pub type Violation = String;

#[cfg(test)]
pub(crate) mod testing {
    //! Samples for the tests of the rules.
    use super::Source;

    /// A file of the given path and text.
    pub(crate) fn rust(path: &str, text: &str) -> Source {
        Source::new(path, text.to_owned())
    }

    /// Asserts that each of `bad` gives exactly one violation that names `word`, and that `good` gives none.
    pub(crate) fn catches(rule: impl Fn(&[Source]) -> Vec<String>, good: &[(&str, &str)], bad: &[(&str, &str, &str)]) {
        for (path, text) in good {
            assert_eq!(rule(&[rust(path, text)]), Vec::<String>::new(), "{path}: {text}");
        }
        for (path, text, word) in bad {
            let found = rule(&[rust(path, text)]);
            assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
            assert!(found[0].contains(word) && found[0].contains(path), "{found:?} names neither {word} nor {path}");
        }
    }
}
