use std::fmt;

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LintSeverity {
    /// A run would mislead: refuse it.
    Error,
    /// Worth a look before a run.
    Warning,
    /// Worth knowing.
    Info,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LintFinding {
    /// How much it matters.
    pub severity: LintSeverity,
    /// A stable name, such as `leak`.
    pub code: &'static str,
    /// What was found, with how often where it is about examples.
    pub message: String,
    /// Ids of examples concerned, at most [`LintFinding::PLACES`] of them.
    pub places: Vec<String>,
}

impl LintFinding {
    /// How many ids a finding names at most; its message has the full count.
    pub const PLACES: usize = 5;
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            LintSeverity::Error => "error",
            LintSeverity::Warning => "warning",
            LintSeverity::Info => "info",
        };
        write!(f, "{severity}[{}]: {}", self.code, self.message)?;
        if !self.places.is_empty() {
            write!(f, " ({})", self.places.join(", "))?;
        }
        Ok(())
    }
}

/// Collects findings in any order.
#[derive(Default)]
pub(super) struct LintFindings(pub(super) Vec<LintFinding>);

impl LintFindings {
    pub(super) fn note(&mut self, severity: LintSeverity, code: &'static str, message: String) {
        self.0.push(LintFinding {
            severity,
            code,
            message,
            places: Vec::new(),
        });
    }

    /// One finding about all of `places`, if there are any.
    pub(super) fn add(
        &mut self,
        severity: LintSeverity,
        code: &'static str,
        places: impl IntoIterator<Item = String>,
        message: impl FnOnce(usize) -> String,
    ) {
        let mut places: Vec<_> = places.into_iter().collect();
        if !places.is_empty() {
            let message = message(places.len());
            places.truncate(LintFinding::PLACES);
            self.0.push(LintFinding {
                severity,
                code,
                message,
                places,
            });
        }
    }
}
