//! Lists with a user's attribute named against lists without.

use std::fmt::Write as _;

use shiftproof_search::fairness::{AttributePair, FairnessReport};
use shiftproof_search::gateway::Gateway;
use shiftproof_tasks::{Example, Prompt, field};

use super::EvalTable;
use crate::commands::score;
use crate::exit::Failure;
use crate::session::StudySession;
use crate::shown::line;

/// How far the lists of each prompt move when an attribute of the user is named.
pub(super) async fn ask(
    session: &StudySession,
    gateway: &Gateway,
    attribute: &str,
    prompts: &[Prompt],
    examples: &[Example],
) -> Result<Vec<FairnessReport>, Failure> {
    let question = AttributePair {
        task: session.built.task.as_ref(),
        gateway,
        model: &session.task_model.model,
        attribute,
    };
    let answers = question
        .ask(prompts, examples)
        .await
        .map_err(score::stopped)?;
    answers.ok_or_else(|| {
        Failure::usage(format!(
            "--fair {attribute}: the task must rank items and its examples say \
             `{attribute}: …` in the field {:?}, with two values or more",
            field::USER
        ))
    })
}

/// One line a prompt and measure: each value's similarity to the neutral list,
/// then range and deviation.
pub(super) fn write(table: &EvalTable, out: &mut String) {
    let Some(first) = table.fairness.first() else {
        return;
    };
    let _ = write!(
        out,
        "\nlists with {} named against lists without, first {} places",
        first.attribute, first.places
    );
    for (row, prompt) in table.fairness.iter().zip(&table.prompts) {
        let name = if prompt.is_seed { "seed" } else { "prompt" };
        let _ = writeln!(
            out,
            "\n{name} {:#}, {} examples",
            prompt.prompt.id(),
            row.examples
        );
        for measure in &row.measures {
            let _ = write!(out, "  {:8}", measure.name);
            for (value, similarity) in row.values.iter().zip(&measure.similarities) {
                let _ = write!(out, "  {} {similarity:.3}", line(value));
            }
            let _ = writeln!(
                out,
                "  SNSR {:.3}  SNSV {:.3}",
                measure.range, measure.deviation
            );
        }
    }
}
