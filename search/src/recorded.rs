//! The outcomes of a run, as allocation rules can be measured on them.

use std::collections::BTreeMap;

use shiftproof_select::bench::OutcomeMatrix;
use shiftproof_tasks::render;

use crate::event::{AnswerVerdict, Event, UngradedReason};

/// Graded answers of a prompt in a group, at least, for the group to say
/// anything of the prompt.
const LEAST: usize = 10;

/// What a run's events tell: the prompts that were graded on ten examples or
/// more in every group that two prompts were graded in. `None` when that
/// leaves fewer than two prompts or two groups. A voted label counts as
/// truth, as it did in the run.
pub fn matrix_of_run<'a>(
    name: &str,
    events: impl IntoIterator<Item = &'a Event>,
) -> Option<OutcomeMatrix> {
    let mut texts = BTreeMap::new();
    let mut inputs: Vec<&str> = Vec::new();
    let mut grades: BTreeMap<_, BTreeMap<u32, f32>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Proposed(proposed) => {
                let text = render::message(&proposed.prompt, "");
                texts.insert(proposed.candidate, text.trim_end().to_owned());
            }
            Event::Inputs { inputs: told } => {
                inputs.extend(told.iter().map(|input| input.group.as_str()));
            }
            Event::Answered {
                candidate, answers, ..
            } => {
                let own = grades.entry(*candidate).or_default();
                for answer in answers {
                    let grade = match answer.verdict {
                        AnswerVerdict::Graded(grade) => grade as f32,
                        AnswerVerdict::Ungraded(UngradedReason::Unparseable) => 0.0,
                        AnswerVerdict::Ungraded(_) => continue,
                    };
                    own.insert(answer.input, grade);
                }
            }
            _ => {}
        }
    }
    let count = |own: &BTreeMap<u32, f32>, group: &str| {
        own.keys()
            .filter(|&&input| inputs.get(input as usize) == Some(&group))
            .count()
    };
    let mut groups: Vec<String> = Vec::new();
    for group in &inputs {
        let seen = grades.values().filter(|own| count(own, group) >= LEAST);
        if !groups.iter().any(|known| known == group) && seen.count() >= 2 {
            groups.push((*group).to_owned());
        }
    }
    grades.retain(|id, own| {
        texts.contains_key(id) && groups.iter().all(|group| count(own, group) >= LEAST)
    });
    if grades.len() < 2 || groups.len() < 2 {
        return None;
    }
    let (mut columns, mut group_of) = (Vec::new(), Vec::new());
    for (input, group) in inputs.iter().enumerate() {
        if let Some(number) = groups.iter().position(|known| known == group) {
            columns.push(input as u32);
            group_of.push(number as u32);
        }
    }
    let outcomes = grades
        .values()
        .flat_map(|own| {
            columns
                .iter()
                .map(|c| own.get(c).copied().unwrap_or(f32::NAN))
        })
        .collect();
    let prompts = grades.keys().map(|id| texts[id].clone()).collect();
    Some(OutcomeMatrix::recorded(
        name, prompts, groups, group_of, outcomes,
    ))
}

#[cfg(test)]
mod tests;
