//! The report as `JUnit` XML: a suite, two cases a group; an alarm fails.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::DriftReport;
use super::text::cells;
use crate::exit::{ExitStatus, Failure};
use crate::gate::junit::plain;

impl DriftReport {
    /// The report as `JUnit` XML. Times are 0: nothing in it depends on the clock.
    pub fn junit(&self) -> Result<String, Failure> {
        let mut report = Report::new(plain(&format!("shiftproof drift {}", self.study)));
        report.set_time(Duration::ZERO);
        let mut suite = TestSuite::new(plain(&format!("{} (day {})", self.study, self.batch)));
        suite.set_time(Duration::ZERO);
        for (name, value) in [("id", "0"), ("package", "shiftproof")] {
            suite.extra.insert(name.into(), value.into());
        }
        for (name, value) in [
            ("decision", self.decision.name()),
            ("reason", &self.reason),
            ("model", &self.model),
        ] {
            suite.add_property((name, plain(value).as_str()));
        }
        for group in &self.groups {
            let told = cells(group).join(" · ");
            for (what, evidence) in [("score", &group.fall), ("answers", &group.shares)] {
                let mut status = TestCaseStatus::success();
                if evidence.alarm {
                    status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    let since = evidence.since.as_deref().unwrap_or("");
                    let verb = if what == "score" { "fell" } else { "moved" };
                    status
                        .set_type("drift")
                        .set_message(plain(&format!("{verb}, most likely from {since} on")));
                }
                let mut case = TestCase::new(plain(&format!("{}: {what}", group.group)), status);
                case.set_classname(plain(&format!("shiftproof.{}", self.study)));
                case.set_time(Duration::ZERO);
                case.set_system_out(plain(&told));
                suite.add_test_case(case);
            }
        }
        report.add_test_suite(suite);
        report
            .to_string()
            .map_err(Failure::from_error(ExitStatus::Internal))
    }
}
