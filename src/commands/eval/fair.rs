//! Lists with a user's attribute named against lists without.

use std::fmt::Write as _;

use shiftproof_search::fairness::{AttributePair, FairnessReport};
use shiftproof_search::gateway::Gateway;
use shiftproof_tasks::{Example, Prompt, field};

use super::EvalTable;
use crate::commands::score;
use crate::exit::Failure;
use crate::runs::session::StudySession;
use crate::wording::shown::line;

/// How far the lists of each prompt move when an attribute of the user is named.
pub(super) async fn ask(
    session: &StudySession,
    gateway: &Gateway,
    (attribute, places): (&str, usize),
    prompts: &[Prompt],
    examples: &[Example],
) -> Result<Vec<FairnessReport>, Failure> {
    let question = AttributePair {
        task: session.built.task.as_ref(),
        gateway,
        model: &session.task_model.model,
        attribute,
        places,
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

/// One line a prompt and measure: each value's similarity to the neutral list with its
/// interval, then range and deviation.
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
        unreadable(row, out);
        for measure in &row.measures {
            let _ = write!(out, "  {:8}", measure.name);
            let similarities = measure.similarities.iter().zip(&measure.intervals);
            for (value, (similarity, [low, high])) in row.values.iter().zip(similarities) {
                let value = line(value);
                let _ = write!(out, "  {value} {similarity:.3} [{low:.3}, {high:.3}]");
            }
            let [low, high] = measure.range_interval;
            let _ = writeln!(
                out,
                "  SNSR {:.3} [{low:.3}, {high:.3}]  SNSV {:.3}",
                measure.range, measure.deviation
            );
        }
    }
}

/// How many lists could not be read, where any could not.
fn unreadable(row: &FairnessReport, out: &mut String) {
    if row.unreadable.iter().all(|count| *count == 0) {
        return;
    }
    let names = ["not named"]
        .into_iter()
        .chain(row.values.iter().map(String::as_str));
    let counts: Vec<String> = names
        .zip(&row.unreadable)
        .map(|(name, count)| format!("{} {count}", line(name)))
        .collect();
    let _ = writeln!(
        out,
        "  no list could be read of {} examples asked: {}",
        row.asked,
        counts.join(", ")
    );
}
