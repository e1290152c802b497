//! What came of each check, for people.

use core::fmt;

/// How a check ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// What was asked for was seen.
    Passed,
    /// It was not; both values.
    Failed(String),
    /// The adapter does not have the ability that the check needs.
    NotApplicable(String),
}

/// One check and its outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// What it asks for.
    pub about: &'static str,
    /// How it ended.
    pub outcome: Outcome,
}

/// The report of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Name of the adapter.
    pub adapter: String,
    /// Seed of the run, with which it can be repeated.
    pub seed: u64,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing failed and something passed.
    #[must_use]
    pub fn conforms(&self) -> bool {
        let passed = |finding: &Finding| finding.outcome == Outcome::Passed;
        self.failed().is_empty() && self.findings.iter().any(passed)
    }

    /// Names of the checks that failed.
    #[must_use]
    pub fn failed(&self) -> Vec<&'static str> {
        let failed = |finding: &&Finding| matches!(finding.outcome, Outcome::Failed(_));
        self.findings.iter().filter(failed).map(|finding| finding.check).collect()
    }

    /// Names of the checks that passed.
    #[must_use]
    pub fn passed(&self) -> Vec<&'static str> {
        let passed = |finding: &&Finding| finding.outcome == Outcome::Passed;
        self.findings.iter().filter(passed).map(|finding| finding.check).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "conformance of {} (seed {})", self.adapter, self.seed)?;
        for Finding { check, about, outcome } in &self.findings {
            match outcome {
                Outcome::Passed => writeln!(f, "  pass  {check:<24} {about}")?,
                Outcome::Failed(why) => writeln!(f, "  FAIL  {check:<24} {about}\n        {why}")?,
                Outcome::NotApplicable(why) => writeln!(f, "  n/a   {check:<24} {about} ({why})")?,
            }
        }
        let (passed, failed) = (self.passed().len(), self.failed().len());
        write!(f, "{passed} passed, {failed} failed, {} not applicable", self.findings.len() - passed - failed)
    }
}
