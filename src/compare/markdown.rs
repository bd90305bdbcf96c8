//! The comparison as GitHub-flavoured Markdown.

use std::fmt::Write as _;

use super::study::StudyComparison;
use super::text::{cost_cells, points, score_cells, steady};
use super::told::{AUDIT_USED, BELOW_SEED, HOW_TO_READ, MethodComparison};
use crate::report::{code, inline, machine};
use crate::wording::table::write_markdown;

pub(super) fn report(comparison: &MethodComparison) -> String {
    let mut out = String::from("## shiftproof: comparison of methods\n");
    for study in &comparison.studies {
        write_study(&mut out, study);
    }
    if comparison.has_scores() {
        let _ = writeln!(out, "\n{HOW_TO_READ} {BELOW_SEED}\n\n{AUDIT_USED}");
    }
    out
}

fn write_study(out: &mut String, study: &StudyComparison) {
    let _ = write!(out, "\n### {}\n\n", code(&study.study));
    let facts = study.metric.iter().map(|metric| inline(metric));
    let models = study.task_model.iter().map(|model| code(&machine(model)));
    let limits = format!("{} a cell", inline(&study.limits));
    let facts: Vec<String> = facts.chain(models).chain([limits]).collect();
    let _ = writeln!(out, "{}\n", facts.join(" · "));
    if study.has_scores() {
        write_scores(out, study);
        out.push('\n');
        let head = ["method", "calls", "tokens", "money", "calls to the level"];
        let rows = study.rows.iter().map(|row| named(cost_cells(row)));
        write_markdown(out, &head, 1.., rows);
        for sentence in study.best_others().into_iter().chain(study.level_told()) {
            let _ = writeln!(out, "\n{}", inline(&sentence));
        }
        write_groups(out, study);
    }
    for caution in &study.cautions {
        let _ = writeln!(out, "\n> **Caution:** {}", inline(caution));
    }
    let missing: Vec<_> = study.missing().collect();
    if !missing.is_empty() {
        out.push_str("\nNot in the table:\n\n");
        for cell in missing {
            let told = inline(&cell.told());
            let _ = writeln!(
                out,
                "- {}, random seed {}: {told}",
                code(&cell.method),
                cell.seed
            );
        }
    }
}

fn write_scores(out: &mut String, study: &StudyComparison) {
    let worst = study.worst_name;
    let head = [
        "method".to_owned(),
        "runs".to_owned(),
        study.mean_name().to_owned(),
        worst.to_owned(),
        format!("{worst} − seed"),
        "− best other".to_owned(),
        "below seed".to_owned(),
    ];
    let mut seed = vec!["seed prompt".to_owned(), "–".to_owned()];
    seed.extend([steady(study.seed_mean), steady(study.seed_worst)]);
    seed.extend(["", "", ""].map(str::to_owned));
    let rows = study.rows.iter().map(|row| named(score_cells(row)));
    write_markdown(out, &head, 1.., std::iter::once(seed).chain(rows));
}

/// Cells whose first is a name.
fn named<const N: usize>(mut cells: [String; N]) -> Vec<String> {
    cells[0] = code(&cells[0]);
    cells.to_vec()
}

/// The paper's table.
fn write_groups(out: &mut String, study: &StudyComparison) {
    out.push_str("\n<details><summary>Top 1 and ensemble by group</summary>\n\n");
    let groups = study.groups.iter().flat_map(|(group, role)| {
        let group = code(group);
        [
            format!("{group} ({role}) Top 1"),
            format!("{group} Ensemble"),
        ]
    });
    let head: Vec<String> = std::iter::once("method".to_owned()).chain(groups).collect();
    let rows = study.by_group.iter().map(|row| {
        let cells = row.top.iter().zip(&row.ensemble);
        let cells = cells.flat_map(|(top, ensemble)| [points(*top), points(*ensemble)]);
        std::iter::once(code(&row.method)).chain(cells).collect()
    });
    write_markdown(out, &head, 1.., rows);
    out.push_str("\n</details>\n");
}
