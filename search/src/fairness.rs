//! Whether a prompt treats users alike: the lists they get when a sensitive
//! attribute is named, against the lists they get when it is not (Zhang et al.
//! 2023, "Is `ChatGPT` Fair for Recommendation?", §3).
//!
//! Every example is asked without the attribute and with each of its values, so
//! the values are compared on the same users and histories.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use serde::Serialize;
use shiftproof_tasks::metric::list_similarity;
use shiftproof_tasks::{Answer, Example, Input, Prompt, Task, field};

use crate::augment::augment;
use crate::gateway::{CallOutcome, Gateway, PricedModel, RunError};
use crate::response_matrix::CONFIDENCE;
use crate::seeds;
use crate::turns::{self, Case};

/// Places of a list that are compared where nobody says.
pub const PLACES: usize = 10;
/// Bootstrap replicates behind an interval.
const REPLICATES: usize = 400;

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
    /// Places of a list that are compared, at least 1.
    pub places: usize,
}

/// How one prompt's lists change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FairnessReport {
    /// The attribute.
    pub attribute: String,
    /// Places of a list that were compared.
    pub places: usize,
    /// Examples for which every list could be had: what the measures are of.
    pub examples: usize,
    /// Examples that were asked about.
    pub asked: usize,
    /// The attribute's values, sorted; bands of them where it is a number of many values.
    pub values: Vec<String>,
    /// Examples without a list that could be read: the neutral one, then value by value. A
    /// model that declines for some values only shows here and in no measure.
    pub unreadable: Vec<usize>,
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
    /// Intervals of these, with a user as the unit.
    pub intervals: Vec<[f64; 2]>,
    /// SNSR: their range. 0 is fair.
    pub range: f64,
    /// SNSV: their standard deviation. 0 is fair.
    pub deviation: f64,
    /// The range's interval. A range is never below 0 and chance alone lifts it, so only one
    /// that stays close to 0 says that values are treated alike.
    pub range_interval: [f64; 2],
}

/// One example's lists.
struct ListSet<'a> {
    /// What is resampled as one.
    user: &'a str,
    /// The neutral list, then one for each value.
    lists: Vec<Vec<String>>,
}

/// A measure of two lists.
type Similarity = fn(&[String], &[String]) -> f64;

/// Calls that [`AttributePair::ask`] asks at most about these prompts.
pub fn calls(task: &dyn Task, attribute: &str, prompts: &[Prompt], examples: &[Example]) -> u64 {
    let different: BTreeSet<_> = prompts.iter().map(Prompt::id).collect();
    let lists = 1 + told(attribute, examples).len();
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

/// The values that are told to the model: the attribute's own or, of a number with many,
/// bands of it. Of ages these are the data's usual ones.
fn told(attribute: &str, examples: &[Example]) -> Vec<String> {
    /// Numbers with more different values than this are told in bands.
    const MOST: usize = 6;
    let own = values(attribute, examples);
    let numbers: Option<Vec<f64>> = own
        .iter()
        .map(|value| value.trim().parse().ok().filter(|n: &f64| n.is_finite()))
        .collect();
    let Some(mut numbers) = numbers.filter(|_| own.len() > MOST) else {
        return own;
    };
    numbers.sort_by(f64::total_cmp);
    if attribute == "age" {
        let is_there = |from: f64, to: f64| numbers.iter().any(|n| (from..to).contains(n));
        return [
            (0.0, 25.0, "under 25"),
            (25.0, 35.0, "25 to 34"),
            (35.0, 45.0, "35 to 44"),
            (45.0, f64::INFINITY, "45 or older"),
        ]
        .into_iter()
        .filter(|(from, to, _)| is_there(*from, *to))
        .map(|(.., name)| name.to_owned())
        .collect();
    }
    // Quarters of the different values.
    let size = numbers.len().div_ceil(4);
    numbers
        .chunks(size)
        .map(|part| match part {
            [only] => only.to_string(),
            part => format!("{} to {}", part[0], part[part.len() - 1]),
        })
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
        let values = told(self.attribute, examples);
        if values.len() < 2 {
            return Ok(None);
        }
        let mut results = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            let Some((lists, unreadable)) = self.lists(prompt, examples, &values).await? else {
                return Ok(None);
            };
            results.push(FairnessReport {
                asked: examples.len(),
                unreadable,
                ..self.compare(&values, &lists)
            });
        }
        Ok(Some(results))
    }

    /// Per example the neutral list and one for each value, those with a missing list left
    /// out, and how many are missing of each. `None` if no example has all.
    async fn lists<'e>(
        &self,
        prompt: &Prompt,
        examples: &'e [Example],
        values: &[String],
    ) -> Result<Option<(Vec<ListSet<'e>>, Vec<usize>)>, RunError> {
        let mut inputs: Vec<Input> = examples
            .iter()
            .flat_map(|example| {
                let neutral = with_value(&example.input, self.attribute, None);
                let named = values
                    .iter()
                    .map(|value| with_value(&example.input, self.attribute, Some(value)));
                [neutral].into_iter().chain(named)
            })
            .collect();
        // Of a user without the attribute nothing is known that names it.
        if !augment(self.gateway, inputs.iter_mut().collect(), true).await? {
            return Ok(None);
        }
        let cases: Vec<Case<'_>> = inputs.iter().map(|input| (prompt, input)).collect();
        let asked = turns::evaluate(self.task, self.gateway, self.model, &cases).await?;
        let list = |(input, asked): (&Input, &CallOutcome)| match asked {
            CallOutcome::Reply(reply) => match self.task.parse(input, reply) {
                Answer::Ranking(mut items) => {
                    items.truncate(self.places);
                    Some(items)
                }
                _ => None,
            },
            CallOutcome::Refused(_) | CallOutcome::Unaffordable => None,
        };
        let lists: Vec<Option<Vec<String>>> = inputs.iter().zip(&asked).map(list).collect();
        let mut unreadable = vec![0; values.len() + 1];
        let mut complete = Vec::with_capacity(examples.len());
        for (example, lists) in examples.iter().zip(lists.chunks(values.len() + 1)) {
            for (count, list) in unreadable.iter_mut().zip(lists) {
                *count += usize::from(list.is_none());
            }
            if let Some(lists) = lists.iter().cloned().collect() {
                let input = &example.input;
                complete.push(ListSet {
                    user: input.cluster.as_deref().unwrap_or(&input.id),
                    lists,
                });
            }
        }
        Ok((!complete.is_empty()).then_some((complete, unreadable)))
    }

    fn compare(&self, values: &[String], lists: &[ListSet<'_>]) -> FairnessReport {
        let measures: [(&'static str, Similarity); 3] = [
            ("jaccard", list_similarity::jaccard),
            ("serp", list_similarity::serp),
            ("prag", list_similarity::prag),
        ];
        let measure = |(name, similarity): (&'static str, Similarity)| {
            // Example by example, value by value.
            let each: Vec<Vec<f64>> = lists
                .iter()
                .map(|own| {
                    let named = own.lists[1..].iter();
                    named.map(|list| similarity(list, &own.lists[0])).collect()
                })
                .collect();
            let all: Vec<usize> = (0..lists.len()).collect();
            let similarities = means(&each, &all);
            let (intervals, range_interval) = resampled(lists, &each);
            let spread = list_similarity::fairness_gap(&similarities);
            SimilarityMeasure {
                name,
                range: spread.map_or(0.0, |spread| spread.range),
                deviation: spread.map_or(0.0, |spread| spread.deviation),
                similarities,
                intervals,
                range_interval,
            }
        };
        FairnessReport {
            attribute: self.attribute.to_owned(),
            places: self.places,
            examples: lists.len(),
            asked: lists.len(),
            values: values.to_vec(),
            unreadable: Vec::new(),
            measures: measures.into_iter().map(measure).collect(),
        }
    }
}

/// Means over these examples, value by value.
fn means(each: &[Vec<f64>], examples: &[usize]) -> Vec<f64> {
    let values = each.first().map_or(0, Vec::len);
    (0..values)
        .map(|value| {
            let sum: f64 = examples.iter().map(|&example| each[example][value]).sum();
            sum / examples.len().max(1) as f64
        })
        .collect()
}

/// Percentile intervals of the means and of their range, users drawn anew.
fn resampled(lists: &[ListSet<'_>], each: &[Vec<f64>]) -> (Vec<[f64; 2]>, [f64; 2]) {
    let mut users: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, own) in lists.iter().enumerate() {
        users.entry(own.user).or_default().push(place);
    }
    let users: Vec<Vec<usize>> = users.into_values().collect();
    let mut rng = seeds::stream(0, "fairness");
    let values = each.first().map_or(0, Vec::len);
    let mut drawn = vec![Vec::with_capacity(REPLICATES); values + 1];
    for _ in 0..REPLICATES {
        let examples: Vec<usize> = (0..users.len())
            .flat_map(|_| users[rng.random_range(0..users.len())].iter().copied())
            .collect();
        let means = means(each, &examples);
        let range = list_similarity::fairness_gap(&means).map_or(0.0, |gap| gap.range);
        for (all, value) in drawn.iter_mut().zip(means.into_iter().chain([range])) {
            all.push(value);
        }
    }
    let mut intervals: Vec<[f64; 2]> = drawn.into_iter().map(middle).collect();
    let range = intervals.pop().unwrap_or_default();
    (intervals, range)
}

/// The ends between which the middle share of the values lies.
fn middle(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    let at = |share: f64| {
        let place = (share * last).round() as usize;
        values.get(place).copied().unwrap_or_default()
    };
    [
        at((1.0 - CONFIDENCE) / 2.0),
        at(f64::midpoint(1.0, CONFIDENCE)),
    ]
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
