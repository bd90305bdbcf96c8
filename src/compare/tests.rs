use super::fixture::{cells, limits, run, study, unaudited};
use super::*;
use crate::report::ReportFormat;

fn comparison() -> MethodComparison {
    MethodComparison {
        format: 1,
        seeds: vec![1, 2, 3],
        library: false,
        studies: vec![study()],
    }
}

fn rendered(form: ReportFormat) -> String {
    render(form, &comparison(), false).unwrap()
}

#[test]
fn tables_read_in_order() {
    insta::assert_snapshot!("text", rendered(ReportFormat::Text));
    insta::assert_snapshot!("markdown", rendered(ReportFormat::Markdown));
    let paper = render(ReportFormat::Text, &comparison(), true).unwrap();
    insta::assert_snapshot!("paper", paper);
    let page = rendered(ReportFormat::Html);
    insta::assert_snapshot!("page", crate::report::outline(&page));
}

#[test]
fn pages_hold_no_markup_of_others() {
    let page = rendered(ReportFormat::Html);
    crate::report::check_page(&page);
    assert!(page.contains("films &lt;b&gt;"), "{page}");
    assert!(!page.contains("<b>"));
}

#[test]
fn differences_are_paired_with_intervals() {
    let study = study();
    let row = |name: &str| study.rows.iter().find(|row| row.method == name).unwrap();
    let (gpo, ape) = (row("gpo"), row("ape"));
    let over = gpo.over_seed.as_ref().unwrap();
    // 6, 4 and 5 more of forty in each group.
    assert!((over.worst.value - 0.125).abs() < 1e-9, "{over:?}");
    assert!((over.mean.value - 0.125).abs() < 1e-9, "{over:?}");
    assert!(over.mean.low < over.mean.value && over.mean.value < over.mean.high);
    assert_eq!(over.mean.n, 80);
    // Of the random seeds that both have.
    let other = gpo.over_other.as_ref().unwrap();
    assert_eq!((other.method.as_str(), other.runs), ("ape", 2));
    assert!((other.scores.mean.value - 11.0 / 80.0).abs() < 1e-9);
    let back = ape.over_other.as_ref().unwrap();
    assert!((back.scores.mean.value + other.scores.mean.value).abs() < 1e-9);
    assert!((back.scores.mean.low + other.scores.mean.high).abs() < 1e-9);
}

#[test]
fn only_finished_cells_are_scores() {
    let study = study();
    let row = |name: &str| study.rows.iter().find(|row| row.method == name).unwrap();
    let ape = row("ape");
    assert_eq!((ape.finished, ape.planned), (2, 3));
    assert_eq!(ape.mean.unwrap().n, 2);
    let below = ape.below_seed;
    assert_eq!((below.mean, below.any_group), (1, 1));
    let edits = row("edits");
    assert_eq!((edits.finished, edits.planned), (0, 2));
    assert!(edits.mean.is_none() && edits.over_seed.is_none() && edits.over_other.is_none());
    let states: Vec<&str> = study.cells.iter().map(|cell| cell.state).collect();
    assert_eq!(states[4..], ["finished", "failed", "stopped", "open"]);
    assert_eq!(study.missing().count(), 3);
}

#[test]
fn level_lies_halfway() {
    let study = study();
    // The seed prompt's last race, and half of what gpo's leaders gained on it.
    let level = study.level.unwrap();
    let last = 0.74; // Of the final, told without a leader.
    assert!(level > 0.66 && level < last, "{level}");
    let gpo = study.rows[0].level.as_ref().unwrap();
    assert_eq!(gpo.runs, 3);
    assert!((gpo.calls.unwrap().mean - 520.0).abs() < 1e-9, "{gpo:?}");
}

#[test]
fn unspent_limits_are_told() {
    let generous = shiftproof_search::budget::BudgetLimits {
        calls: Some(10_000),
        ..limits()
    };
    let study = StudyComparison::of("reviews", &generous, &cells(), &AuditClusters::none());
    let told = study.cautions.join("\n");
    assert!(
        told.contains("spent by gpo (12 %), ape (12 %): raise"),
        "{told}"
    );
    assert!(told.contains("Some cells are missing"), "{told}");
    let whole = super::fixture::study().cautions.join("\n");
    assert!(!whole.contains("of the limit"), "{whole}");
}

#[test]
fn audits_must_have_answers() {
    assert!(unaudited().unaudited().is_some());
    assert_eq!(run("gpo", 1, 2).unaudited(), None);
}

#[test]
fn same_runs_give_same_bytes() {
    for form in [
        ReportFormat::Json,
        ReportFormat::Html,
        ReportFormat::Markdown,
    ] {
        assert_eq!(rendered(form), rendered(form));
    }
    let json: serde_json::Value = serde_json::from_str(&rendered(ReportFormat::Json)).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["studies"][0]["rows"][0]["over_other"]["method"], "ape");
    assert!(json["studies"][0]["rows"][0]["over_other"]["worst"]["low"].is_number());
}
