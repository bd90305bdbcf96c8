//! Whether a prompt treats users alike: the lists they get when a sensitive
//! attribute is named, against the lists they get when it is not (Zhang et al.
//! 2023, "Is `ChatGPT` Fair for Recommendation?", §3).
//!
//! Every example is asked without the attribute and with each of its values, so
//! the values are compared on the same users and histories.

use std::collections::BTreeSet;

use serde::Serialize;
use shiftproof_tasks::metric::list_similarity;
use shiftproof_tasks::{Answer, Example, Input, Prompt, Task, field};

use crate::gateway::{CallOutcome, Gateway, PricedModel, RunError};
use crate::turns::{self, Case};

/// Places of a list that are compared.
const PLACES: usize = 10;

/// What is asked.
#[derive(Clone, Copy)]
pub struct AttributePair<'a> {
    /// A task that ranks items and shows what is known of the user.
    pub task: &'a dyn Task,
    /// The way to the model.
    pub gateway: &'a Gateway,
    /// The model.
    pub model: &'a PricedModel,
    /// The attribute, as the field [`field::USER`] names it.
    pub attribute: &'a str,
}

/// How one prompt's lists change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FairnessReport {
    /// The attribute.
    pub attribute: String,
    /// Places of a list that were compared.
    pub places: usize,
    /// Examples for which every list could be had.
    pub examples: usize,
    /// The attribute's values, sorted.
    pub values: Vec<String>,
    /// By each measure of similarity.
    pub measures: Vec<SimilarityMeasure>,
}

/// One measure of similarity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SimilarityMeasure {
    /// `jaccard`, `serp` or `prag`; see [`list_similarity`].
    pub name: &'static str,
    /// Mean similarity to the neutral list, value by value.
    pub similarities: Vec<f64>,
    /// SNSR: their range. 0 is fair.
    pub range: f64,
    /// SNSV: their standard deviation. 0 is fair.
    pub deviation: f64,
}

/// A measure of two lists.
type Similarity = fn(&[String], &[String]) -> f64;

/// Calls that [`AttributePair::ask`] asks at most about these prompts.
pub fn calls(task: &dyn Task, attribute: &str, prompts: &[Prompt], examples: &[Example]) -> u64 {
    let different: BTreeSet<_> = prompts.iter().map(Prompt::id).collect();
    let lists = 1 + values(attribute, examples).len();
    (different.len() * examples.len() * lists * task.calls()) as u64
}

/// The attribute's values, sorted.
fn values(attribute: &str, examples: &[Example]) -> Vec<String> {
    examples
        .iter()
        .filter_map(|example| value(&example.input, attribute))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

impl AttributePair<'_> {
    /// Asks every prompt about every example; one result a prompt, in their
    /// order. `None` where the attribute has fewer than two values or the answers
    /// are no rankings. Examples that the budget leaves out are in no mean.
    pub async fn ask(
        &self,
        prompts: &[Prompt],
        examples: &[Example],
    ) -> Result<Option<Vec<FairnessReport>>, RunError> {
        let values = values(self.attribute, examples);
        if values.len() < 2 {
            return Ok(None);
        }
        let mut results = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let Some(lists) = self.lists(prompt, examples, &values).await? else {
                return Ok(None);
            };
            results.push(self.compare(&values, &lists));
        }
        Ok(Some(results))
    }

    /// Per example the neutral list and one for each value; those with a missing
    /// list left out. `None` if no answer is a ranking.
    async fn lists(
        &self,
        prompt: &Prompt,
        examples: &[Example],
        values: &[String],
    ) -> Result<Option<Vec<Vec<Vec<String>>>>, RunError> {
        let inputs: Vec<Input> = examples
            .iter()
            .flat_map(|example| {
                let neutral = with_value(&example.input, self.attribute, None);
                let named = values
                    .iter()
                    .map(|value| with_value(&example.input, self.attribute, Some(value)));
                [neutral].into_iter().chain(named)
            })
            .collect();
        let cases: Vec<Case<'_>> = inputs.iter().map(|input| (prompt, input)).collect();
        let asked = turns::evaluate(self.task, self.gateway, self.model, &cases).await?;
        let list = |(input, asked): (&Input, &CallOutcome)| match asked {
            CallOutcome::Reply(reply) => match self.task.parse(input, reply) {
                Answer::Ranking(mut items) => {
                    items.truncate(PLACES);
                    Some(items)
                }
                _ => None,
            },
            CallOutcome::Refused(_) | CallOutcome::Unaffordable => None,
        };
        let lists: Vec<Option<Vec<String>>> = inputs.iter().zip(&asked).map(list).collect();
        let complete: Vec<Vec<Vec<String>>> = lists
            .chunks(values.len() + 1)
            .filter_map(|lists| lists.iter().cloned().collect())
            .collect();
        Ok((!complete.is_empty()).then_some(complete))
    }

    fn compare(&self, values: &[String], lists: &[Vec<Vec<String>>]) -> FairnessReport {
        let measures: [(&'static str, Similarity); 3] = [
            ("jaccard", list_similarity::jaccard),
            ("serp", list_similarity::serp),
            ("prag", list_similarity::prag),
        ];
        let measure = |(name, similarity): (&'static str, Similarity)| {
            let similarities: Vec<f64> = (0..values.len())
                .map(|value| {
                    let each = lists.iter().map(|own| similarity(&own[value + 1], &own[0]));
                    each.sum::<f64>() / lists.len() as f64
                })
                .collect();
            let spread = list_similarity::fairness_gap(&similarities);
            SimilarityMeasure {
                name,
                range: spread.map_or(0.0, |spread| spread.range),
                deviation: spread.map_or(0.0, |spread| spread.deviation),
                similarities,
            }
        };
        FairnessReport {
            attribute: self.attribute.to_owned(),
            places: PLACES,
            examples: lists.len(),
            values: values.to_vec(),
            measures: measures.into_iter().map(measure).collect(),
        }
    }
}

/// The `name: value` pairs of what is known of the user.
fn pairs(input: &Input) -> Vec<(&str, &str)> {
    input
        .field(field::USER)
        .split("; ")
        .filter_map(|pair| pair.split_once(": "))
        .collect()
}

fn value(input: &Input, attribute: &str) -> Option<String> {
    pairs(input)
        .into_iter()
        .find(|(name, _)| *name == attribute)
        .map(|(_, value)| value.to_owned())
}

/// The same input with the attribute set, or not named.
fn with_value(input: &Input, attribute: &str, value: Option<&str>) -> Input {
    let known: Vec<String> = pairs(input)
        .into_iter()
        .filter_map(|(name, own)| {
            let told = if name == attribute { value? } else { own };
            Some(format!("{name}: {told}"))
        })
        .collect();
    input.clone().with_field(field::USER, known.join("; "))
}

#[cfg(test)]
mod tests;
