//! The decision as `JUnit` XML, in the shape Jenkins' schema asks for.

use std::fmt::{self, Write as _};

use shiftproof_search::stats::{BoundedDifference, GroupState};

use super::{Candidate, Mode, Report, points, score};
use crate::exit::Exit;
use crate::unusable;

/// One test case.
struct Case {
    name: String,
    outcome: Outcome,
    detail: String,
}

enum Outcome {
    Passed,
    /// Its kind and what it says.
    Failed(&'static str, String),
    /// Nothing could be measured.
    Error(String),
    /// Says something of a candidate that is out of the question anyway.
    Skipped(String),
}

impl Report {
    /// The report as `JUnit` XML: a suite per judged prompt, a case per group, one
    /// for the robust score and one for the bars. In ship mode a case fails when
    /// it keeps the prompt from shipping, in guard mode when it shows a
    /// regression; where the exit code is 0 all the same, it is skipped. Times are 0: nothing in it depends on the clock.
    pub fn junit(&self) -> String {
        let mut suites: Vec<(String, Vec<Case>)> = if self.candidates.is_empty() {
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
    fn agree(&self, suites: &mut [(String, Vec<Case>)]) {
        let passes = self.decision.exit() == Exit::Done;
        let mut failed = false;
        for case in suites.iter_mut().flat_map(|(_, cases)| cases) {
            match &mut case.outcome {
                Outcome::Failed(_, message) | Outcome::Error(message) if passes => {
                    case.outcome = Outcome::Skipped(std::mem::take(message));
                }
                Outcome::Failed(..) | Outcome::Error(_) => failed = true,
                Outcome::Passed | Outcome::Skipped(_) => {}
            }
        }
        if let Some((_, cases)) = suites.first_mut().filter(|_| !passes && !failed) {
            cases.push(Case {
                name: "decision".into(),
                outcome: Outcome::Failed(self.decision.name(), self.reason.clone()),
                detail: String::new(),
            });
        }
    }

    fn write_junit(&self, out: &mut String, suites: &[(String, Vec<Case>)]) -> fmt::Result {
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

    fn write_case(&self, out: &mut String, case: &Case) -> fmt::Result {
        writeln!(
            out,
            "    <testcase name=\"{}\" classname=\"{}\" time=\"0\">",
            escaped(&case.name),
            escaped(&format!("shiftproof.{}", self.study))
        )?;
        match &case.outcome {
            Outcome::Passed => {}
            Outcome::Failed(kind, message) => writeln!(
                out,
                "      <failure type=\"{kind}\" message=\"{}\">{}</failure>",
                escaped(message),
                escaped(&case.detail)
            )?,
            Outcome::Skipped(message) => {
                writeln!(out, "      <skipped message=\"{}\"/>", escaped(message))?;
            }
            Outcome::Error(message) => writeln!(
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

    fn cases(&self, candidate: &Candidate) -> Vec<Case> {
        let ship = self.mode == Mode::Ship;
        let tolerance = score(self.demand.tolerance);
        let mut cases: Vec<Case> = candidate
            .compared
            .iter()
            .map(|row| {
                let outcome = match (&row.difference, row.state) {
                    (None, _) => Outcome::Error("no example has a grade from every prompt".into()),
                    (Some(d), GroupState::Regressed) => Outcome::Failed(
                        "regressed",
                        format!(
                            "worse by {} points beyond chance",
                            points(-d.estimate).trim_start_matches('+')
                        ),
                    ),
                    (Some(_), GroupState::Unproven) if ship => Outcome::Failed(
                        "unproven",
                        format!("a loss of more than {tolerance} points cannot be ruled out"),
                    ),
                    _ => Outcome::Passed,
                };
                Case {
                    name: row.group.clone(),
                    outcome,
                    detail: detail(row.difference.as_ref(), row.pairs)
                        + &trouble(candidate, &row.group),
                }
            })
            .collect();
        let alpha = self.demand.alpha;
        let outcome = match &candidate.robust {
            None => Outcome::Error("no example has a grade from every prompt".into()),
            Some(robust) if robust.p_worse <= alpha => Outcome::Failed(
                "regressed",
                format!(
                    "worse by {} points beyond chance",
                    points(-robust.estimate).trim_start_matches('+')
                ),
            ),
            Some(robust) if ship && robust.p > alpha => {
                Outcome::Failed("no-significant-winner", self.reason.clone())
            }
            Some(_) => Outcome::Passed,
        };
        let pairs = candidate.compared.iter().map(|row| row.pairs).sum();
        cases.push(Case {
            name: "robust score".into(),
            outcome,
            detail: detail(candidate.robust.as_ref(), pairs),
        });
        cases.extend(self.bars(&candidate.below));
        cases
    }

    fn alone(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = self
            .incumbent
            .groups
            .iter()
            .map(|group| Case {
                name: group.group.clone(),
                outcome: match group.value {
                    Some(_) => Outcome::Passed,
                    None => Outcome::Error("no answer can be scored".into()),
                },
                detail: crate::report::score(group) + &unusable::counts(group),
            })
            .collect();
        let missed = if self.decision == super::Ruling::BelowBar {
            vec![self.reason.clone()]
        } else {
            Vec::new()
        };
        cases.extend(self.bars(&missed));
        cases
    }

    /// One case for all bars, where there are any.
    fn bars(&self, missed: &[String]) -> Option<Case> {
        let any = self.demand.min_worst.is_some() || !self.demand.min_groups.is_empty();
        any.then(|| Case {
            name: "bars".into(),
            outcome: if missed.is_empty() {
                Outcome::Passed
            } else {
                Outcome::Failed("below-bar", missed.join("; "))
            },
            detail: missed.join("\n"),
        })
    }
}

/// The counts of a suite; Jenkins' root element has none of what was skipped.
fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> (String, usize) {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome {
            Outcome::Passed => {}
            Outcome::Failed(..) => failures += 1,
            Outcome::Error(_) => errors += 1,
            Outcome::Skipped(_) => skipped += 1,
        }
    }
    (
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\""),
        skipped,
    )
}

/// Counts of a group's answers that cannot be used.
fn trouble(candidate: &Candidate, group: &str) -> String {
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
