//! Test cases say what the exit code says.

use super::*;

/// Failures and errors, and what was skipped.
fn counts(report: &GateReport) -> (usize, usize) {
    let text = report.junit().unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let count = |names: &[&str]| {
        let all = document.descendants();
        all.filter(|node| names.iter().any(|name| node.has_tag_name(*name)))
            .count()
    };
    (count(&["failure", "error"]), count(&["skipped"]))
}

#[test]
fn success_has_no_failed_case() {
    let every = [
        report(GateMode::Ship, demand(), 300, &[EQUAL, BETTER]),
        report(GateMode::Ship, demand(), 300, &[EQUAL, WORSE, BETTER]),
        report(GateMode::Ship, demand(), 300, &[EQUAL, EQUAL]),
        report(GateMode::Ship, demand(), 300, &[EQUAL, WORSE]),
        report(GateMode::Ship, demand(), 300, &[EQUAL]),
        report(GateMode::Guard, demand(), 300, &[EQUAL, EQUAL]),
        report(GateMode::Guard, demand(), 300, &[EQUAL, WORSE]),
    ];
    for report in every {
        let (bad, _) = counts(&report);
        let success = report.decision.exit() == ExitStatus::Done;
        assert_eq!(
            bad == 0,
            success,
            "{:?}\n{}",
            report.decision,
            report.junit().unwrap()
        );
    }

    // A group of which nothing is known does not keep a guarded prompt back.
    let mut holds = report(GateMode::Guard, demand(), 300, &[EQUAL, EQUAL]);
    holds.candidates[0].compared[1].difference = None;
    assert_eq!(holds.decision.exit(), ExitStatus::Done);
    assert_eq!(counts(&holds), (0, 1), "{}", holds.junit().unwrap());
}
