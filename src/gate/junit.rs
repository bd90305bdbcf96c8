//! The decision as `JUnit` XML, in the shape Jenkins' schema asks for.

use std::fmt::{self, Write as _};

use shiftproof_search::stats::{BoundedDifference, GroupState};

use super::{GateMode, GateReport, JudgedPrompt, points, score};
use crate::exit::ExitStatus;
use crate::unusable;

/// One test case.
struct JunitCase {
    name: String,
    outcome: JunitOutcome,
    detail: String,
}

enum JunitOutcome {
    Passed,
    /// Its kind and what it says.
    Failed(&'static str, String),
    /// Nothing could be measured.
    Error(String),
    /// Says something of a candidate that is out of the question anyway.
    Skipped(String),
}

impl GateReport {
    /// The report as `JUnit` XML: a suite per judged prompt, a case per group, one
    /// for the robust score and one for the bars. In ship mode a case fails when
    /// it keeps the prompt from shipping, in guard mode when it shows a
    /// regression; where the exit code is 0 all the same, it is skipped. Times are 0: nothing in it depends on the clock.
    pub fn junit(&self) -> String {
        let mut suites: Vec<(String, Vec<JunitCase>)> = if self.candidates.is_empty() {
            vec![(self.incumbent.origin.clone(), self.alone())]
        } else {
            self.candidates
                .iter()
                .map(|c| (c.contender.origin.clone(), self.cases(c)))
                .collect()
        };
        self.agree(&mut suites);
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_junit(&mut out, &suites);
        out
    }

    /// Lets the cases say what the exit code says: none fails where it is 0, one
    /// does where it is not.
    fn agree(&self, suites: &mut [(String, Vec<JunitCase>)]) {
        let passes = self.decision.exit() == ExitStatus::Done;
        let mut failed = false;
        for case in suites.iter_mut().flat_map(|(_, cases)| cases) {
            match &mut case.outcome {
                JunitOutcome::Failed(_, message) | JunitOutcome::Error(message) if passes => {
                    case.outcome = JunitOutcome::Skipped(std::mem::take(message));
                }
                JunitOutcome::Failed(..) | JunitOutcome::Error(_) => failed = true,
                JunitOutcome::Passed | JunitOutcome::Skipped(_) => {}
            }
        }
        if let Some((_, cases)) = suites.first_mut().filter(|_| !passes && !failed) {
            cases.push(JunitCase {
                name: "decision".into(),
                outcome: JunitOutcome::Failed(self.decision.name(), self.reason.clone()),
                detail: String::new(),
            });
        }
    }

    fn write_junit(&self, out: &mut String, suites: &[(String, Vec<JunitCase>)]) -> fmt::Result {
        let all = || suites.iter().flat_map(|(_, cases)| cases);
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            out,
            "<testsuites name=\"shiftproof gate {}\" {} time=\"0\">",
            escaped(&self.study),
            counts(all()).0
        )?;
        for (number, (origin, cases)) in suites.iter().enumerate() {
            let (counted, skipped) = counts(cases.iter());
            writeln!(
                out,
                "  <testsuite name=\"{} ({})\" id=\"{number}\" package=\"shiftproof\" {counted} skipped=\"{skipped}\" time=\"0\">",
                escaped(&self.study),
                escaped(origin),
            )?;
            writeln!(out, "    <properties>")?;
            for (name, value) in [
                ("decision", self.decision.name()),
                ("reason", &self.reason),
                ("model", &self.model),
                ("audit", &self.audit.fingerprint),
                ("objective", &self.demand.objective),
            ] {
                writeln!(
                    out,
                    "      <property name=\"{name}\" value=\"{}\"/>",
                    escaped(value)
                )?;
            }
            for note in &self.notes {
                writeln!(
                    out,
                    "      <property name=\"note\" value=\"{}\"/>",
                    escaped(note)
                )?;
            }
            writeln!(out, "    </properties>")?;
            for case in cases {
                self.write_case(out, case)?;
            }
            writeln!(out, "  </testsuite>")?;
        }
        writeln!(out, "</testsuites>")
    }

    fn write_case(&self, out: &mut String, case: &JunitCase) -> fmt::Result {
        writeln!(
            out,
            "    <testcase name=\"{}\" classname=\"{}\" time=\"0\">",
            escaped(&case.name),
            escaped(&format!("shiftproof.{}", self.study))
        )?;
        match &case.outcome {
            JunitOutcome::Passed => {}
            JunitOutcome::Failed(kind, message) => writeln!(
                out,
                "      <failure type=\"{kind}\" message=\"{}\">{}</failure>",
                escaped(message),
                escaped(&case.detail)
            )?,
            JunitOutcome::Skipped(message) => {
                writeln!(out, "      <skipped message=\"{}\"/>", escaped(message))?;
            }
            JunitOutcome::Error(message) => writeln!(
                out,
                "      <error type=\"unmeasured\" message=\"{}\"/>",
                escaped(message)
            )?,
        }
        writeln!(
            out,
            "      <system-out>{}</system-out>",
            escaped(&case.detail)
        )?;
        writeln!(out, "    </testcase>")
    }

    fn cases(&self, candidate: &JudgedPrompt) -> Vec<JunitCase> {
        let ship = self.mode == GateMode::Ship;
        let tolerance = score(self.demand.tolerance);
        let mut cases: Vec<JunitCase> = candidate
            .compared
            .iter()
            .map(|row| {
                let outcome = match (&row.difference, row.state) {
                    (None, _) => {
                        JunitOutcome::Error("no example has a grade from every prompt".into())
                    }
                    (Some(d), GroupState::Regressed) => JunitOutcome::Failed(
                        "regressed",
                        format!(
                            "worse by {} points beyond chance",
                            points(-d.estimate).trim_start_matches('+')
                        ),
                    ),
                    (Some(_), GroupState::Unproven) if ship => JunitOutcome::Failed(
                        "unproven",
                        format!("a loss of more than {tolerance} points cannot be ruled out"),
                    ),
                    _ => JunitOutcome::Passed,
                };
                JunitCase {
                    name: row.group.clone(),
                    outcome,
                    detail: detail(row.difference.as_ref(), row.pairs)
                        + &trouble(candidate, &row.group),
                }
            })
            .collect();
        let alpha = self.demand.alpha;
        let outcome = match &candidate.robust {
            None => JunitOutcome::Error("no example has a grade from every prompt".into()),
            Some(robust) if robust.p_worse <= alpha => JunitOutcome::Failed(
                "regressed",
                format!(
                    "worse by {} points beyond chance",
                    points(-robust.estimate).trim_start_matches('+')
                ),
            ),
            Some(robust) if ship && robust.p > alpha => {
                JunitOutcome::Failed("no-significant-winner", self.reason.clone())
            }
            Some(_) => JunitOutcome::Passed,
        };
        let pairs = candidate.compared.iter().map(|row| row.pairs).sum();
        cases.push(JunitCase {
            name: "robust score".into(),
            outcome,
            detail: detail(candidate.robust.as_ref(), pairs),
        });
        cases.extend(self.bars(&candidate.below));
        cases
    }

    fn alone(&self) -> Vec<JunitCase> {
        let mut cases: Vec<JunitCase> = self
            .incumbent
            .groups
            .iter()
            .map(|group| JunitCase {
                name: group.group.clone(),
                outcome: match group.value {
                    Some(_) => JunitOutcome::Passed,
                    None => JunitOutcome::Error("no answer can be scored".into()),
                },
                detail: crate::report::score(group) + &unusable::counts(group),
            })
            .collect();
        let missed = if self.decision == super::GateDecision::BelowBar {
            vec![self.reason.clone()]
        } else {
            Vec::new()
        };
        cases.extend(self.bars(&missed));
        cases
    }

    /// One case for all bars, where there are any.
    fn bars(&self, missed: &[String]) -> Option<JunitCase> {
        let any = self.demand.min_worst.is_some() || !self.demand.min_groups.is_empty();
        any.then(|| JunitCase {
            name: "bars".into(),
            outcome: if missed.is_empty() {
                JunitOutcome::Passed
            } else {
                JunitOutcome::Failed("below-bar", missed.join("; "))
            },
            detail: missed.join("\n"),
        })
    }
}

/// The counts of a suite; Jenkins' root element has none of what was skipped.
fn counts<'a>(cases: impl Iterator<Item = &'a JunitCase>) -> (String, usize) {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome {
            JunitOutcome::Passed => {}
            JunitOutcome::Failed(..) => failures += 1,
            JunitOutcome::Error(_) => errors += 1,
            JunitOutcome::Skipped(_) => skipped += 1,
        }
    }
    (
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\""),
        skipped,
    )
}

/// Counts of a group's answers that cannot be used.
fn trouble(candidate: &JudgedPrompt, group: &str) -> String {
    let mut groups = candidate.contender.groups.iter();
    let own = groups.find(|own| own.group == group);
    own.map_or_else(String::new, unusable::counts)
}

fn detail(bounded: Option<&BoundedDifference>, pairs: usize) -> String {
    bounded.map_or_else(String::new, |b| {
        format!(
            "difference {} points, bounds [{}, {}], {pairs} paired examples",
            points(b.estimate),
            points(b.lower),
            points(b.upper)
        )
    })
}

/// Text for an attribute or an element; characters that XML 1.0 cannot hold are
/// replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c < ' ' || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
