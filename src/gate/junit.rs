//! The decision as `JUnit` XML, in the shape Jenkins' schema asks for.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use shiftproof_search::stats::{BoundedDifference, GroupState};

use super::{GateMode, GateReport, JudgedPrompt, points, score};
use crate::exit::{ExitStatus, Failure};
use crate::wording::unusable;

impl GateReport {
    /// The report as `JUnit` XML: a suite per judged prompt, a case per group, one
    /// for the robust score and one for the bars. In ship mode a case fails when
    /// it keeps the prompt from shipping, in guard mode when it shows a
    /// regression; where the exit code is 0 all the same, it is skipped. Times are
    /// 0: nothing in it depends on the clock.
    pub fn junit(&self) -> Result<String, Failure> {
        let mut suites: Vec<(String, Vec<TestCase>)> = if self.candidates.is_empty() {
            vec![(self.incumbent.origin.clone(), self.alone())]
        } else {
            self.candidates
                .iter()
                .map(|c| (c.contender.origin.clone(), self.cases(c)))
                .collect()
        };
        self.agree(&mut suites);
        let mut report = Report::new(plain(&format!("shiftproof gate {}", self.study)));
        report.set_time(Duration::ZERO);
        for (number, (origin, cases)) in suites.into_iter().enumerate() {
            report.add_test_suite(self.suite(number, &origin, cases));
        }
        report
            .to_string()
            .map_err(Failure::from_error(ExitStatus::Internal))
    }

    fn suite(&self, number: usize, origin: &str, cases: Vec<TestCase>) -> TestSuite {
        let mut suite = TestSuite::new(plain(&format!("{} ({origin})", self.study)));
        suite.set_time(Duration::ZERO);
        for (name, value) in [("id", number.to_string()), ("package", "shiftproof".into())] {
            suite.extra.insert(name.into(), value.into());
        }
        let properties = [
            ("decision", self.decision.name()),
            ("reason", &self.reason),
            ("model", &self.model),
            ("audit", &self.audit.fingerprint),
            ("objective", &self.demand.objective),
        ];
        let notes = self.notes.iter().map(|note| ("note", note.as_str()));
        for (name, value) in properties.into_iter().chain(notes) {
            suite.add_property((name, plain(value).as_str()));
        }
        for mut case in cases {
            case.set_classname(plain(&format!("shiftproof.{}", self.study)));
            case.set_time(Duration::ZERO);
            suite.add_test_case(case);
        }
        suite
    }

    /// Lets the cases say what the exit code says: none fails where it is 0, one
    /// does where it is not.
    fn agree(&self, suites: &mut [(String, Vec<TestCase>)]) {
        let passes = self.decision.exit() == ExitStatus::Done;
        let mut has_failed = false;
        for case in suites.iter_mut().flat_map(|(_, cases)| cases) {
            let TestCaseStatus::NonSuccess { message, .. } = &mut case.status else {
                continue;
            };
            has_failed = true;
            if passes {
                let message = message.take().unwrap_or_else(|| "".into());
                case.status = TestCaseStatus::skipped();
                case.status.set_message(message);
            }
        }
        if let Some((_, cases)) = suites.first_mut().filter(|_| !passes && !has_failed) {
            let status = failed(self.decision.name(), &self.reason);
            cases.push(case("decision", status, ""));
        }
    }

    fn cases(&self, candidate: &JudgedPrompt) -> Vec<TestCase> {
        let ship = self.mode == GateMode::Ship;
        let tolerance = score(self.demand.tolerance);
        let mut cases: Vec<TestCase> = candidate
            .compared
            .iter()
            .map(|row| {
                let status = match (&row.difference, row.state) {
                    (None, _) => unmeasured("no example has a grade from every prompt"),
                    (Some(bounded), GroupState::Regressed) => regressed(bounded),
                    (Some(_), _) if ship && row.blocks => failed(
                        "unproven",
                        &format!("a loss of more than {tolerance} points cannot be ruled out"),
                    ),
                    _ => TestCaseStatus::success(),
                };
                let detail =
                    detail(row.difference.as_ref(), row.pairs) + &trouble(candidate, &row.group);
                case(&row.group, status, &detail)
            })
            .collect();
        let alpha = self.demand.level;
        let status = match &candidate.robust {
            None => unmeasured("no example has a grade from every prompt"),
            Some(robust) if robust.p_worse <= alpha => regressed(robust),
            Some(robust) if ship && robust.p > alpha => {
                failed("no-significant-winner", &self.reason)
            }
            Some(_) => TestCaseStatus::success(),
        };
        let pairs = candidate.compared.iter().map(|row| row.pairs).sum();
        let robust = detail(candidate.robust.as_ref(), pairs);
        cases.push(case("robust score", status, &robust));
        cases.extend(self.bars(&candidate.below));
        cases
    }

    fn alone(&self) -> Vec<TestCase> {
        let mut cases: Vec<TestCase> = self
            .incumbent
            .groups
            .iter()
            .map(|group| {
                let status = match group.value {
                    Some(_) => TestCaseStatus::success(),
                    None => unmeasured("no answer can be scored"),
                };
                let detail = crate::report::score(group) + &unusable::counts(group);
                case(&group.group, status, &detail)
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
    fn bars(&self, missed: &[String]) -> Option<TestCase> {
        let any = self.demand.min_worst.is_some() || !self.demand.min_groups.is_empty();
        let status = if missed.is_empty() {
            TestCaseStatus::success()
        } else {
            failed("below-bar", &missed.join("; "))
        };
        any.then(|| case("bars", status, &missed.join("\n")))
    }
}

fn case(name: &str, mut status: TestCaseStatus, detail: &str) -> TestCase {
    let detail = plain(detail);
    if let TestCaseStatus::NonSuccess {
        description,
        kind: NonSuccessKind::Failure,
        ..
    } = &mut status
    {
        *description = Some(detail.as_str().into());
    }
    let mut case = TestCase::new(plain(name), status);
    case.set_system_out(detail);
    case
}

fn failed(kind: &str, message: &str) -> TestCaseStatus {
    non_success(NonSuccessKind::Failure, kind, message)
}

fn regressed(bounded: &BoundedDifference) -> TestCaseStatus {
    let loss = points(-bounded.estimate);
    let loss = loss.trim_start_matches('+');
    failed(
        "regressed",
        &format!("worse by {loss} points beyond chance"),
    )
}

/// Nothing could be measured.
fn unmeasured(message: &str) -> TestCaseStatus {
    non_success(NonSuccessKind::Error, "unmeasured", message)
}

fn non_success(kind: NonSuccessKind, what: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(what).set_message(plain(message));
    status
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

/// The text with what XML 1.0 cannot hold replaced, where the writer would drop it
/// or, for the last two, write a broken file.
pub(crate) fn plain(text: &str) -> String {
    text.replace(
        |c: char| matches!(c, '\0'..='\x08' | '\x0b'..='\x1f' | '\u{FFFE}' | '\u{FFFF}'),
        "\u{FFFD}",
    )
}
